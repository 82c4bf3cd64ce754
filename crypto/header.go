package crypto

import (
	"encoding/binary"
	"fmt"
	"io"
)

// magic begins every AES256 stream and header; its last byte is the format's version.
const magic = "DBBKAES\x01"

// headerFixed is how much of a header must be read to know its length: magic and length.
const headerFixed = len(magic) + 2

// header is the clear-text start of an AES256 stream. [AES256] documents the layout.
type header struct {
	keyID    string
	name, id string
	wrapped  []byte
}

// wrapAAD is what the wrapped key is bound to: the header up to the wrapped key, without the length, which
// is not known before.
func (h header) wrapAAD() []byte {
	b := []byte(magic)
	for _, s := range []string{h.keyID, h.name, h.id} {
		b = append(b, byte(len(s)))
		b = append(b, s...)
	}
	return b
}

// check says why a header with these fields cannot be.
func (h header) check() error {
	switch {
	case !validKeyID(h.keyID):
		return fmt.Errorf("key id %.80q does not match [a-z0-9][a-z0-9._-]{0,63}", h.keyID)
	case len(h.name) > 255 || len(h.id) > 255:
		return fmt.Errorf("snapshot name or id is longer than 255 bytes: %d and %d", len(h.name), len(h.id))
	case len(h.wrapped) < 1 || len(h.wrapped) > MaxWrapped:
		return fmt.Errorf("wrapped key of %d bytes is outside 1 to %d", len(h.wrapped), MaxWrapped)
	}
	return nil
}

// marshal encodes a header that passes check.
func (h header) marshal() []byte {
	fields := h.wrapAAD()[len(magic):]
	b := []byte(magic)
	b = binary.BigEndian.AppendUint16(b, uint16(headerFixed+len(fields)+2+len(h.wrapped)))
	b = append(b, fields...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.wrapped)))
	return append(b, h.wrapped...)
}

// parseHeader decodes one whole header. There is one encoding of a header only, so marshal gives b back.
func parseHeader(b []byte) (header, error) {
	var h header
	size, err := headerSize(b)
	if err != nil {
		return h, err
	}
	if size != len(b) {
		return h, fmt.Errorf("header is %d bytes long and says %d: %w", len(b), size, ErrDamaged)
	}
	rest, ok := b[headerFixed:], true
	take := func(n int) []byte {
		if ok = ok && n <= len(rest); !ok {
			return nil
		}
		var field []byte
		field, rest = rest[:n], rest[n:]
		return field
	}
	take8 := func() string {
		if n := take(1); ok {
			return string(take(int(n[0])))
		}
		return ""
	}
	h.keyID, h.name, h.id = take8(), take8(), take8()
	if n := take(2); ok {
		h.wrapped = take(int(binary.BigEndian.Uint16(n)))
	}
	if !ok || len(rest) > 0 {
		return h, fmt.Errorf("header's fields do not add up to its length: %w", ErrDamaged)
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("header's %w: %w", err, ErrDamaged)
	}
	return h, nil
}

// headerSize reads the length of the whole header from its first headerFixed bytes.
func headerSize(b []byte) (int, error) {
	if len(b) < headerFixed {
		return 0, fmt.Errorf("header of %d bytes is too short: %w", len(b), ErrDamaged)
	}
	m := string(b[:len(magic)])
	if v := len(magic) - 1; m != magic && m[:v] == magic[:v] {
		return 0, fmt.Errorf("stream has format version %d, this program reads version %d: upgrade it, or the stream is %w", m[v], magic[v], ErrDamaged)
	} else if m != magic {
		return 0, fmt.Errorf("stream does not begin as an aes256 stream does: %w", ErrDamaged)
	}
	size := int(binary.BigEndian.Uint16(b[len(magic):]))
	if size < headerFixed || size > MaxHeader {
		return 0, fmt.Errorf("header's length of %d bytes is outside %d to %d: %w", size, headerFixed, MaxHeader, ErrDamaged)
	}
	return size, nil
}

// readHeader reads one header from the start of a stream.
func readHeader(src *intake) ([]byte, error) {
	b, err := readN(src, headerFixed)
	if err != nil {
		return nil, err
	}
	size, err := headerSize(b)
	if err != nil {
		return nil, err
	}
	rest, err := readN(src, size-headerFixed)
	return append(b, rest...), err
}

// readN reads exactly n bytes of a header; fewer are io.ErrUnexpectedEOF.
func readN(src *intake, n int) ([]byte, error) {
	b := make([]byte, n)
	m, err := src.fill(b)
	if err == io.EOF {
		return nil, fmt.Errorf("stream ends %d bytes into a header of at least %d: %w", m, n, io.ErrUnexpectedEOF)
	}
	return b, err
}

var errNoHeader = fmt.Errorf("aes256: no header in the Envelope, where a manifest has one: %w", ErrDamaged)
