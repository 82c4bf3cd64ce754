// Package header reads and writes what describes a .7z archive: its first 32 bytes and its header. The format is that of 7zFormat.txt
// in the LZMA SDK (https://www.7-zip.org/sdk.html). What is said of a type, and how it is written and parsed, are in the same file.
package header

import "fmt"

// Method ids of the coders that this library writes.
const (
	Copy    = 0x00
	LZMA2   = 0x21
	Deflate = 0x040108
	AES     = 0x06f10701 // AES-256 in CBC mode, with SHA-256 for the key
)

// Property ids. Those of comments, positions and times of creation and access are not needed: they are skipped.
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
	idDummy            = 0x19
)

// Header describes an archive.
type Header struct {
	Streams Streams
	Files   []File
}

// Append appends the header. Sizes, counts and bonds must be those of an archive; see [Parse].
func (h *Header) Append(b []byte) []byte {
	b = append(b, idHeader)
	if len(h.Streams.Folders) > 0 {
		b = h.Streams.append(append(b, idMainStreams))
		b = append(appendPlain(b, h.Streams.Folders), idEnd)
	}
	if len(h.Files) > 0 {
		b = appendFiles(append(b, idFiles), h.Files)
	}
	return append(b, idEnd)
}

// AppendEncoded appends a header that describes another, which is what the one folder of s yields.
func (s *Streams) AppendEncoded(b []byte) []byte {
	return append(s.append(append(b, idEncodedHeader)), idEnd)
}

// Parse reads a header of at most [MaxSize] bytes, which the caller has compared with its CRC: it is h, or else encoded describes where the
// header is packed. What is returned holds together: in each folder every input is fed once, by a packed stream or by a coder that does not depend on
// it; one output is left over; there are as many packed streams as folders take, and as many plain ones as there are files with contents; and sums of
// sizes fit an int64. Errors are [crypto.ErrDamaged] or [errors.ErrUnsupported]. Time and memory are linear in len(b); memory is less than 64 times
// as much, and less than 128 MiB.
func Parse(b []byte) (h *Header, encoded *Streams, err error) {
	p := &parser{b: b, size: len(b)}
	switch id := p.number(); id {
	case idHeader:
		h = p.header()
	case idEncodedHeader:
		if encoded = p.streams(); len(encoded.Folders) == 0 {
			p.damaged("it is packed in no folder")
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
		p.property() // there are none that are known
		id = p.number()
	}
	if id == idAdditionalStream {
		p.unsupported("parts of it are stored elsewhere in the archive")
	}
	if id == idMainStreams {
		h.Streams = *p.streams()
		id = p.number()
	}
	plain := 0
	for _, f := range h.Streams.Folders {
		plain += len(f.Plain)
	}
	if id == idFiles {
		h.Files = p.files()
		id = p.number()
	}
	if id != idEnd {
		p.damaged("property %#x where its end should be", id)
	}
	for _, f := range h.Files {
		if f.HasStream {
			plain--
		}
	}
	if plain != 0 {
		p.damaged("the number of plain streams is that of files with contents, %+d", plain)
	}
	return h
}
