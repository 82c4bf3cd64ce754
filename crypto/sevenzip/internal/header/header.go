// Package header reads and writes what describes a .7z archive: its first 32 bytes and its header. The format is that of 7zFormat.txt
// in the LZMA SDK (https://www.7-zip.org/sdk.html).
package header

import (
	"encoding/binary"
	"hash/crc32"
	"time"
	"unicode/utf16"
)

// StartSize is the length of the start header, the archive's first bytes.
const StartSize = 32

// Method ids of the coders that this library writes.
const (
	Copy    = 0x00
	LZMA2   = 0x21
	Deflate = 0x040108
	AES     = 0x06f10701 // AES-256 in CBC mode, with SHA-256 for the key
)

// Property ids.
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
	idCTime            = 0x12
	idATime            = 0x13
	idMTime            = 0x14
	idAttributes       = 0x15
	idComment          = 0x16
	idEncodedHeader    = 0x17
	idStartPos         = 0x18
	idDummy            = 0x19
)

// magic begins every archive, followed by the version 0.4.
var magic = [8]byte{'7', 'z', 0xbc, 0xaf, 0x27, 0x1c, 0, 4}

// Start says where the header is.
type Start struct {
	Offset uint64 // of the header, from the end of the start header
	Size   uint64 // of the header, in bytes
	CRC    uint32 // of the header
}

// Append appends the start header.
func (s Start) Append(b []byte) []byte {
	var p [20]byte
	binary.LittleEndian.PutUint64(p[:], s.Offset)
	binary.LittleEndian.PutUint64(p[8:], s.Size)
	binary.LittleEndian.PutUint32(p[16:], s.CRC)
	b = append(b, magic[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(p[:]))
	return append(b, p[:]...)
}

// Header describes an archive.
type Header struct {
	Streams Streams
	Files   []File
}

// Streams describes packed streams and how they become plain ones.
type Streams struct {
	Offset  uint64 // of the first packed stream, from the end of the start header
	Packed  []Packed
	Folders []Folder
}

// Packed is a stream as it is stored, one behind the other.
type Packed struct {
	Size uint64
	CRC  *uint32 // nil if it is not stored
}

// Folder is a set of coders that make plain streams, one behind the other, of packed ones.
type Folder struct {
	Coders []Coder
	Bonds  []Bond
	Packed []int    // for each packed stream of the folder, the coders' input that it feeds
	Sizes  []uint64 // plain bytes of each coder's output
	CRC    *uint32  // of the output of all; nil if it is not stored
	Plain  []Plain  // the plain streams: what the output consists of
}

// Coder is one step of decoding.
type Coder struct {
	Method     uint64
	Inputs     int
	Properties []byte
}

// Bond feeds the output of one coder to an input; inputs are counted over all coders.
type Bond struct{ Input, Output int }

// Plain is a file's contents.
type Plain struct {
	Size uint64
	CRC  *uint32 // nil if it is not stored
}

// File is what an archive says of one of its files.
type File struct {
	Name       string
	Modified   time.Time // to 100 ns; zero if it is not stored
	Attributes uint32    // of Windows, and of Unix in the upper half if [UnixExtension] is set; 0 if they are not stored
	HasStream  bool      // it has contents: the next plain stream
	Directory  bool
	Anti       bool // it says that a file is to be deleted
}

// Attributes of a [File].
const (
	AttributeArchive = 0x20
	UnixExtension    = 0x8000
)

// AppendEncoded appends a header that describes another, which is stored in s.
func (s *Streams) AppendEncoded(b []byte) []byte {
	return s.append(append(b, idEncodedHeader))
}

// Append appends the header. All coders have one input, and each folder one packed stream and one plain stream.
func (h *Header) Append(b []byte) []byte {
	b = append(b, idHeader)
	if len(h.Streams.Folders) > 0 {
		b = h.Streams.append(append(b, idMainStreams))
	}
	b = append(b, idFiles)
	b = appendNumber(b, uint64(len(h.Files)))
	b = h.appendEmpty(b)
	names := []byte{0} // not external
	for _, f := range h.Files {
		for _, u := range append(utf16.Encode([]rune(f.Name)), 0) {
			names = binary.LittleEndian.AppendUint16(names, u)
		}
	}
	b = appendProperty(b, idName, names)
	times, attributes := []byte{1, 0}, []byte{1, 0} // all defined, not external
	for _, f := range h.Files {
		times = binary.LittleEndian.AppendUint64(times, fileTime(f.Modified))
		attributes = binary.LittleEndian.AppendUint32(attributes, f.Attributes)
	}
	b = appendProperty(b, idMTime, times)
	b = appendProperty(b, idAttributes, attributes)
	return append(b, idEnd, idEnd)
}

// appendEmpty says which files have no contents: they are empty files, not directories.
func (h *Header) appendEmpty(b []byte) []byte {
	var noStream, emptyFile []bool
	for _, f := range h.Files {
		noStream = append(noStream, !f.HasStream)
		if !f.HasStream {
			emptyFile = append(emptyFile, !f.Directory)
		}
	}
	if len(emptyFile) == 0 {
		return b
	}
	b = appendProperty(b, idEmptyStream, appendBits(nil, noStream))
	return appendProperty(b, idEmptyFile, appendBits(nil, emptyFile))
}

func (s *Streams) append(b []byte) []byte {
	b = append(b, idPackInfo)
	b = appendNumber(b, s.Offset)
	b = appendNumber(b, uint64(len(s.Packed)))
	b = append(b, idSize)
	var crcs []*uint32
	for _, p := range s.Packed {
		b = appendNumber(b, p.Size)
		crcs = append(crcs, p.CRC)
	}
	b = append(appendCRCs(b, crcs), idEnd)

	b = append(b, idUnpackInfo, idFolder)
	b = appendNumber(b, uint64(len(s.Folders)))
	b = append(b, 0) // not external
	for _, f := range s.Folders {
		b = f.append(b)
	}
	b = append(b, idUnpackSize)
	var whole, plain []*uint32
	for _, f := range s.Folders {
		for _, size := range f.Sizes {
			b = appendNumber(b, size)
		}
		whole = append(whole, f.CRC)
		for _, p := range f.Plain {
			plain = append(plain, p.CRC)
		}
	}
	b = append(appendCRCs(b, whole), idEnd)
	if len(plain) > 0 {
		b = append(appendCRCs(append(b, idSubStreams), plain), idEnd)
	}
	return append(b, idEnd)
}

func (f *Folder) append(b []byte) []byte {
	b = appendNumber(b, uint64(len(f.Coders)))
	for _, c := range f.Coders {
		b = c.append(b)
	}
	for _, bond := range f.Bonds {
		b = appendNumber(b, uint64(bond.Input))
		b = appendNumber(b, uint64(bond.Output))
	}
	return b // the one input without a bond is the packed stream's
}

func (c *Coder) append(b []byte) []byte {
	id := binary.BigEndian.AppendUint64(nil, c.Method)
	for len(id) > 1 && id[0] == 0 {
		id = id[1:]
	}
	flags := byte(len(id))
	if len(c.Properties) > 0 {
		flags |= 0x20
	}
	b = append(append(b, flags), id...)
	if len(c.Properties) > 0 {
		b = append(appendNumber(b, uint64(len(c.Properties))), c.Properties...)
	}
	return b
}

// appendCRCs appends CRCs if there are any; then all are there.
func appendCRCs(b []byte, crcs []*uint32) []byte {
	if len(crcs) == 0 || crcs[0] == nil {
		return b
	}
	b = append(b, idCRC, 1)
	for _, c := range crcs {
		b = binary.LittleEndian.AppendUint32(b, *c)
	}
	return b
}

func appendProperty(b []byte, id byte, data []byte) []byte {
	return append(appendNumber(append(b, id), uint64(len(data))), data...)
}

// appendBits appends flags, the first one as the highest bit of the first byte.
func appendBits(b []byte, flags []bool) []byte {
	for i, on := range flags {
		if i%8 == 0 {
			b = append(b, 0)
		}
		if on {
			b[len(b)-1] |= 0x80 >> (i % 8)
		}
	}
	return b
}

// appendNumber appends a number of 1 to 9 bytes: as many high bits of the first as are set, so many bytes follow, the lowest one
// first, and what is left of the first is the highest.
func appendNumber(b []byte, n uint64) []byte {
	following := 0
	for following < 8 && n>>(7+7*following) != 0 {
		following++
	}
	first := byte(0xff << (8 - following))
	if following < 8 {
		first |= byte(n >> (8 * following))
	}
	b = append(b, first)
	for range following {
		b, n = append(b, byte(n)), n>>8
	}
	return b
}

// toUnix is how many seconds there are from 1601 to 1970.
const toUnix = 11_644_473_600

// fileTime is t in units of 100 ns since 1601, as Windows counts; 0 for what it cannot say.
func fileTime(t time.Time) uint64 {
	s := t.Unix() + toUnix
	if t.IsZero() || s < 0 || s > (1<<63-1)/10_000_000-1 {
		return 0
	}
	return uint64(s)*10_000_000 + uint64(t.Nanosecond())/100
}
