package compress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"math"

	"github.com/ulikunitz/xz/lzma"
)

// The container of xz: https://tukaani.org/xz/xz-file-format.txt. Sections below are
// those of version 1.1.0.

// XZMaxDictionary is the largest dictionary, in bytes, of an xz stream that can be
// decompressed: twice that of xz -9.
const XZMaxDictionary = 128 << 20

var (
	xzMagic   = []byte{0xfd, '7', 'z', 'X', 'Z', 0}
	xzEnd     = []byte{'Y', 'Z'}
	crc64ECMA = crc64.MakeTable(crc64.ECMA)
)

const xzHeaderSize = 12 // of the stream's header and footer

// xzCheck is the kind of check that follows a block (section 2.1.1.2).
type xzCheck byte

const (
	xzNone   xzCheck = 0
	xzCRC32  xzCheck = 1
	xzCRC64  xzCheck = 4
	xzSHA256 xzCheck = 10
)

// size is the length of the check in bytes.
func (c xzCheck) size() int {
	if h := c.hash(); h != nil {
		return h.Size()
	}
	return 0
}

// hash computes the check; nil for none.
func (c xzCheck) hash() hash.Hash {
	switch c {
	case xzCRC32:
		return crc32.NewIEEE()
	case xzCRC64:
		return crc64.New(crc64ECMA)
	case xzSHA256:
		return sha256.New()
	}
	return nil
}

// stored is the sum of h as the format writes it: CRCs little endian.
func (c xzCheck) stored(h hash.Hash) []byte {
	sum := h.Sum(nil)
	if c != xzSHA256 {
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	return sum
}

// appendXZHeader appends the stream's header (section 2.1.1).
func appendXZHeader(p []byte, c xzCheck) []byte {
	flags := []byte{0, byte(c)}
	p = append(append(p, xzMagic...), flags...)
	return binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(flags))
}

// parseXZHeader is the inverse of appendXZHeader.
func parseXZHeader(p []byte) (xzCheck, error) {
	c := xzCheck(p[7])
	switch {
	case crc32.ChecksumIEEE(p[6:8]) != binary.LittleEndian.Uint32(p[8:]):
		return 0, errors.New("wrong checksum of the stream header")
	case p[6] != 0 || c > 15:
		return 0, errors.New("a stream header of an unknown version")
	case c.hash() == nil && c != xzNone:
		return 0, fmt.Errorf("unknown kind of check %d", c)
	}
	return c, nil
}

// xzBlockHeader describes a block (section 3.1). Sizes are in bytes, -1 where the header
// does not say.
type xzBlockHeader struct {
	size          int // of the header itself
	dictionary    int64
	stored, plain int64 // of the compressed data, of what it decompresses to
}

const xzLZMA2 = 0x21 // filter ID

func (h *xzBlockHeader) appendTo(p []byte) []byte {
	b := []byte{0, 0xc0} // size, flags: one filter, both sizes
	b = binary.AppendUvarint(b, uint64(h.stored))
	b = binary.AppendUvarint(b, uint64(h.plain))
	b = append(b, xzLZMA2, 1, lzma.EncodeDictCap(h.dictionary))
	b = appendPadding(b)
	b[0] = byte(len(b) / 4)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return append(p, b...)
}

// parseXZBlockHeader is the inverse of appendTo for the headers of any encoder. p is the whole header.
func parseXZBlockHeader(p []byte) (h xzBlockHeader, err error) {
	body, sum := p[:len(p)-4], p[len(p)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return h, errors.New("wrong checksum of a block header")
	}
	flags, r := body[1], bytes.NewReader(body[2:])
	if flags&0x3f != 0 {
		return h, errors.New("a filter other than LZMA2, which this package does not have")
	}
	h = xzBlockHeader{size: len(p), stored: -1, plain: -1}
	if flags&0x40 != 0 {
		if h.stored, err = readVLI(r); err != nil {
			return h, err
		}
	}
	if flags&0x80 != 0 {
		if h.plain, err = readVLI(r); err != nil {
			return h, err
		}
	}
	var filter [3]byte
	if _, err = io.ReadFull(r, filter[:]); err != nil || filter[0] != xzLZMA2 || filter[1] != 1 {
		return h, errors.New("a filter other than LZMA2, which this package does not have")
	}
	if h.dictionary, err = lzma.DecodeDictCap(filter[2]); err != nil {
		return h, errors.New("impossible dictionary size")
	}
	if h.dictionary > XZMaxDictionary {
		return h, fmt.Errorf("its dictionary of %d MiB is larger than the limit, %d MiB", h.dictionary>>20, XZMaxDictionary>>20)
	}
	if h.stored == 0 || !zero(body[len(body)-r.Len():]) {
		return h, errors.New("impossible block header")
	}
	return h, nil
}

// xzIndex collects the sizes of a stream's blocks for its index (section 4).
type xzIndex struct {
	count   uint64
	records []byte
}

func (x *xzIndex) add(unpadded, plain int64) {
	x.records = binary.AppendUvarint(x.records, uint64(unpadded))
	x.records = binary.AppendUvarint(x.records, uint64(plain))
	x.count++
}

// xzDigest stands for an index when reading, in the same memory however many blocks there are.
type xzDigest struct {
	count uint64
	sum   hash.Hash
}

func newXZDigest() *xzDigest { return &xzDigest{sum: sha256.New()} }

func (x *xzDigest) add(unpadded, plain int64) {
	var p [16]byte
	binary.LittleEndian.PutUint64(p[:], uint64(unpadded))
	binary.LittleEndian.PutUint64(p[8:], uint64(plain))
	x.sum.Write(p[:])
	x.count++
}

func (x *xzDigest) equal(y *xzDigest) bool {
	return x.count == y.count && bytes.Equal(x.sum.Sum(nil), y.sum.Sum(nil))
}

// appendTail appends the index and the stream's footer (section 2.1.2).
func (x *xzIndex) appendTail(p []byte, c xzCheck) []byte {
	index := binary.AppendUvarint([]byte{0}, x.count)
	index = appendPadding(append(index, x.records...))
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	return append(append(p, index...), xzFooter(int64(len(index)), c)...)
}

// xzFooter is the stream's footer (section 2.1.2) after an index of so many bytes.
func xzFooter(index int64, c xzCheck) []byte {
	body := binary.LittleEndian.AppendUint32(nil, uint32(index/4-1))
	body = append(body, 0, byte(c))
	p := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	return append(append(p, body...), xzEnd...)
}

// appendPadding appends zeros up to a multiple of four bytes.
func appendPadding(p []byte) []byte {
	return append(p, make([]byte, -len(p)&3)...)
}

func zero(p []byte) bool { return len(bytes.Trim(p, "\x00")) == 0 }

// readVLI reads a number of up to 63 bits (section 1.2).
func readVLI(r io.ByteReader) (int64, error) {
	u, err := binary.ReadUvarint(r)
	if err == nil && u > math.MaxInt64 {
		err = errors.New("impossible number")
	}
	return int64(u), noEOF(err)
}
