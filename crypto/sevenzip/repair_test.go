package sevenzip

import (
	"encoding/binary"
	"hash/crc32"
)

// repair makes the CRCs of an archive's start and header fit, so that fuzzing gets behind them.
func repair(archive []byte) {
	if len(archive) < 32 {
		return
	}
	offset := binary.LittleEndian.Uint64(archive[12:])
	if offset > uint64(len(archive)-32) {
		return
	}
	size := uint64(len(archive)-32) - offset
	binary.LittleEndian.PutUint64(archive[20:], size)
	binary.LittleEndian.PutUint32(archive[28:], crc32.ChecksumIEEE(archive[32+offset:32+offset+size]))
	binary.LittleEndian.PutUint32(archive[8:], crc32.ChecksumIEEE(archive[12:32]))
}
