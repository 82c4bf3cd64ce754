// Package header reads and writes what describes a .7z archive: its first 32 bytes and its header. The format is that of 7zFormat.txt
// in the LZMA SDK (https://www.7-zip.org/sdk.html). What a type is, how it is written and how it is parsed are in the same file.
package header

import "fmt"

// Method ids of the coders that this library writes.
const (
	Copy    = 0x00
	LZMA2   = 0x21
	Deflate = 0x040108
	AES     = 0x06f10701 // AES-256 in CBC mode, with SHA-256 for the key
)

// Property ids. Those of comments, positions, and times of creation and access are not needed: they are skipped.
const (
	idEnd              = 0x00
	idHeader           = 0x01
	idArchive          = 0x02
	idAdditionalStream = 0x03
	idMainStreams      = 0x04
	idFiles            = 0x05
	idPackInfo         = 0x06
	idUnpackInfo       = 0x07
	idSubStreams       = 0x08
	idSize             = 0x09
	idCRC              = 0x0a
	idFolder           = 0x0b
	idUnpackSize       = 0x0c
	idNumUnpackStream  = 0x0d
	idEmptyStream      = 0x0e
	idEmptyFile        = 0x0f
	idAnti             = 0x10
	idName             = 0x11
	idMTime            = 0x14
	idAttributes       = 0x15
	idEncodedHeader    = 0x17
	idDummy            = 0x19 // the last one that is known
)

// MaxSize is the longest header that should be given to [Parse], in bytes: more than 50,000 files. Parsing takes at most 64 times as
// much memory.
const MaxSize = 4 << 20

// Header describes an archive.
type Header struct {
	Streams Streams
	Files   []File
}

// Append appends the header. All coders have one input, and each folder one packed stream and one plain stream; names have no NUL.
func (h *Header) Append(b []byte) []byte {
	b = append(b, idHeader)
	if len(h.Streams.Folders) > 0 {
		b = h.Streams.append(append(b, idMainStreams))
	}
	b = appendFiles(append(b, idFiles), h.Files)
	return append(b, idEnd)
}

// Parse reads a header of at most [MaxSize] bytes: it is h, or encoded describes where h is packed. All that is returned holds
// together: each input is fed once, by a packed stream or by a coder that does not depend on it; one output is left over; there is
// a plain stream for each file with contents; and the sum of all packed sizes, or of all plain sizes, fits an int64. Properties of
// coders are parts of b. Errors are [crypto.ErrDamaged] or [errors.ErrUnsupported].
func Parse(b []byte) (h *Header, encoded *Streams, err error) {
	p := &parser{b: b}
	switch id := p.number(); {
	case p.err != nil:
	case id == idHeader:
		h = p.header()
	case id == idEncodedHeader:
		encoded = p.streams()
		if len(encoded.Folders) == 0 {
			p.damaged("another header is in no folder")
		}
	default:
		p.damaged("it begins with property %#x", id)
	}
	if len(p.b) > 0 {
		p.damaged("%d bytes follow its end", len(p.b))
	}
	if p.err != nil {
		return nil, nil, fmt.Errorf("header: %w", p.err)
	}
	return h, encoded, nil
}

func (p *parser) header() *Header {
	h := &Header{}
	id := p.number()
	if id == idArchive {
		for p.number() != idEnd { // no property is known
			p.take(p.number())
		}
		id = p.number()
	}
	if id == idAdditionalStream {
		p.unsupported("it has additional streams")
	}
	if id == idMainStreams {
		h.Streams = *p.streams()
		id = p.number()
	}
	if id == idFiles {
		h.Files = p.files()
		id = p.number()
	}
	if id != idEnd {
		p.damaged("property %#x where its end should be", id)
	}
	h.check(p)
	return h
}

// check compares files with plain streams.
func (h *Header) check(p *parser) {
	plain, files := 0, 0
	for _, f := range h.Streams.Folders {
		plain += len(f.Plain)
	}
	for _, f := range h.Files {
		if f.HasStream {
			files++
		}
	}
	if plain != files {
		p.damaged("%d files with contents, and contents of %d", files, plain)
	}
}
