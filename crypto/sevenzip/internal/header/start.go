package header

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/databasement/backup/crypto"
)

// StartSize is the length of the start header, the archive's first bytes.
const StartSize = 32

// magic begins every archive, followed by the version 0.4.
var magic = [8]byte{'7', 'z', 0xbc, 0xaf, 0x27, 0x1c, 0, 4}

// Start says where the header is. An archive of no files has none: Start is zero.
type Start struct {
	Offset uint64 // of the header, from the end of the start header
	Size   uint64 // of the header, in bytes
	CRC    uint32 // of the header
}

// ErrNotArchive says that what was read does not begin as a .7z.
var ErrNotArchive = errors.New("this is no .7z archive")

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

// ParseStart reads the start header. StartSize + Offset + Size fits an int64. Errors are [ErrNotArchive], [crypto.ErrDamaged], also
// for an archive that was never finished, or [errors.ErrUnsupported] for another version.
func ParseStart(b [StartSize]byte) (Start, error) {
	isMagic := [6]byte(b[:6]) == [6]byte(magic[:6])
	if (isMagic || [8]byte(b[:8]) == [8]byte{}) && [24]byte(b[8:]) == [24]byte{} { // 7-Zip's placeholders have a magic, ours have not
		return Start{}, fmt.Errorf("the archive was never finished: its first %d bytes, which are written last, are missing: %w",
			StartSize, crypto.ErrDamaged)
	}
	if !isMagic {
		return Start{}, ErrNotArchive
	}
	if b[6] != magic[6] {
		return Start{}, fmt.Errorf("the archive has version %d of the format, %d is known: %w", b[6], magic[6], errors.ErrUnsupported)
	}
	if crc32.ChecksumIEEE(b[12:]) != binary.LittleEndian.Uint32(b[8:]) {
		return Start{}, fmt.Errorf("the start of the archive does not match its CRC-32: %w", crypto.ErrDamaged)
	}
	s := Start{
		Offset: binary.LittleEndian.Uint64(b[12:]),
		Size:   binary.LittleEndian.Uint64(b[20:]),
		CRC:    binary.LittleEndian.Uint32(b[28:]),
	}
	if s.Offset > maxTotal || s.Size > maxTotal || s.Size == 0 && s != (Start{}) {
		return Start{}, fmt.Errorf("the header is said to be %d bytes at %d, with the CRC-32 %08x: %w",
			s.Size, s.Offset, s.CRC, crypto.ErrDamaged)
	}
	return s, nil
}
