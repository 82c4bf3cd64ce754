// Package method decodes what the coders of a .7z archive encode: compression methods and filters, by the ids of
// Methods.txt in the LZMA SDK (https://www.7-zip.org/sdk.html). Encryption does not belong here.
package method

import (
	"errors"
	"fmt"
	"io"

	"github.com/databasement/backup/crypto"
)

// MaxMemory is the largest dictionary, or model, in bytes, that a coder may ask for.
const MaxMemory = 256 << 20

// coder is what Open gives a method's decoder.
type coder struct {
	name  string
	props []byte
	size  uint64
	in    []*source
}

// method is how to decode one.
type method struct {
	name   string
	inputs int // 1 where it is 0
	// open reads nothing yet.
	open func(*coder) (decoder, error)
}

// decoder yields plain bytes, and io.EOF at the end of the format.
type decoder struct {
	io.Reader
	ends  bool   // the format says where it ends; otherwise its end is that of the input
	close func() // may be nil
}

var methods = map[uint64]method{
	0x00:       {name: "Copy", open: openCopy},
	0x03:       {name: "Delta", open: openDelta},
	0x04:       {name: "BCJ", open: openBranch(1, x86)},
	0x05:       {name: "PPC", open: openBranch(4, each(4, ppc))},
	0x06:       {name: "IA64", open: openBranch(16, each(16, ia64))},
	0x07:       {name: "ARM", open: openBranch(4, each(4, arm))},
	0x08:       {name: "ARMT", open: openBranch(2, armThumb)},
	0x09:       {name: "SPARC", open: openBranch(4, each(4, sparc))},
	0x0a:       {name: "ARM64", open: openBranch(4, each(4, arm64))},
	0x0b:       {name: "RISCV", open: openBranch(2, riscv)},
	0x21:       {name: "LZMA2", open: openLZMA2},
	0x030101:   {name: "LZMA", open: openLZMA},
	0x030401:   {name: "PPMd", open: openPPMd},
	0x03030103: {name: "BCJ", open: openBranch(1, x86)},
	0x0303011b: {name: "BCJ2", inputs: 4, open: openBCJ2},
	0x03030205: {name: "PPC", open: openBranch(4, each(4, ppc))},
	0x03030401: {name: "IA64", open: openBranch(16, each(16, ia64))},
	0x03030501: {name: "ARM", open: openBranch(4, each(4, arm))},
	0x03030701: {name: "ARMT", open: openBranch(2, armThumb)},
	0x03030805: {name: "SPARC", open: openBranch(4, each(4, sparc))},
	0x040108:   {name: "Deflate", open: openDeflate},
	0x040202:   {name: "BZip2", open: openBZip2},
	0x04f71101: {name: "Zstandard", open: openZstandard},
}

// Name is what a method is called, or its id in hexadecimal digits.
func Name(id uint64) string {
	if m, ok := methods[id]; ok {
		return m.name
	}
	digits := fmt.Sprintf("%X", id)
	return "0"[:len(digits)%2] + digits
}

// Open returns a reader of the plain bytes of one coder. props are the coder's properties, in its input streams, and size
// is how many bytes it yields, all according to the header. Reading begins with the first Read.
//
// The reader yields exactly size bytes. Before io.EOF it checks that the format says the same, where it has an end, and
// that nothing follows in any input. An input that ends early is io.ErrUnexpectedEOF, an error of an input comes back as
// it is, and anything else is a [crypto.ErrDamaged]; errors are sticky. Close ends every goroutine and never closes in.
//
// The error of Open is an [*UnsupportedError], or a [crypto.ErrDamaged] where the properties are impossible.
func Open(id uint64, props []byte, size uint64, in []io.Reader) (io.ReadCloser, error) {
	m, ok := methods[id]
	if !ok {
		return nil, &UnsupportedError{Method: Name(id)}
	}
	if want := max(m.inputs, 1); len(in) != want {
		return nil, fmt.Errorf("%s with %d inputs, not %d: %w", m.name, len(in), want, crypto.ErrDamaged)
	}
	c := &coder{name: m.name, props: props, size: size}
	for _, r := range in {
		c.in = append(c.in, newSource(r))
	}
	d, err := m.open(c)
	if err != nil {
		return nil, err
	}
	return &reader{coder: c, decoder: d, left: size}, nil
}

// UnsupportedError says what of an archive is beyond this library; it is an [errors.ErrUnsupported]. Stock 7-Zip opens more.
type UnsupportedError struct {
	Method string // its name, or its id in hexadecimal digits
	Memory uint64 // bytes that it asks for, above [MaxMemory]; 0 if that is not the reason
	Reason string // what of the method is unsupported; empty if all of it is, or for Memory
}

func (e *UnsupportedError) Error() string {
	switch {
	case e.Memory > 0:
		return fmt.Sprintf("%s asks for %d MiB of memory, more than %d MiB; stock 7-Zip opens such archives: 7zz x",
			e.Method, (e.Memory+1<<20-1)>>20, MaxMemory>>20)
	case e.Reason != "":
		return fmt.Sprintf("%s with %s is not supported; stock 7-Zip may open the archive: 7zz x", e.Method, e.Reason)
	}
	return fmt.Sprintf("method %s is not supported; stock 7-Zip may open the archive: 7zz x", e.Method)
}

// Unwrap makes it one.
func (e *UnsupportedError) Unwrap() error { return errors.ErrUnsupported }

// impossible is the error for properties that no encoder writes.
func (c *coder) impossible() error {
	return fmt.Errorf("%s: impossible properties: %w", c.name, crypto.ErrDamaged)
}

// dictionary checks that n bytes of dictionary, or model, are not too many.
func (c *coder) dictionary(n uint64) error {
	if n > MaxMemory {
		return &UnsupportedError{Method: c.name, Memory: n}
	}
	return nil
}
