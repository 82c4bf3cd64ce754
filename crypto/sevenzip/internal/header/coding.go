package header

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/databasement/backup/crypto"
)

// MaxSize is the longest header that should be given to [Parse], in bytes: that of some 200,000 files.
const MaxSize = 16 << 20

// Limits of what a header describes.
const (
	maxCount = 1 << 18           // of files, folders, packed streams and plain streams each, and of twice as many coders
	maxBytes = math.MaxInt64 / 4 // so that sums of an offset and some sizes fit
)

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

// appendDefined appends which things have a value.
func appendDefined(b []byte, defined []bool) []byte {
	if !slices.Contains(defined, false) {
		return append(b, 1)
	}
	return appendBits(append(b, 0), defined)
}

// appendCRCs appends CRCs if there are any.
func appendCRCs(b []byte, crcs []*uint32) []byte {
	var values []byte
	defined := make([]bool, len(crcs))
	for i, c := range crcs {
		if defined[i] = c != nil; defined[i] {
			values = binary.LittleEndian.AppendUint32(values, *c)
		}
	}
	if len(values) == 0 {
		return b
	}
	return append(appendDefined(append(b, idCRC), defined), values...)
}

func appendProperty(b []byte, id byte, data []byte) []byte {
	return append(appendNumber(append(b, id), uint64(len(data))), data...)
}

// parser takes a header apart. After the first error it yields zeros.
type parser struct {
	b      []byte // what is left
	size   int    // of the whole header
	coders int    // parsed so far
	err    error
}

func (p *parser) fail(err error, format string, args ...any) {
	if p.err == nil {
		p.err, p.b = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err), nil
	}
}

func (p *parser) damaged(format string, args ...any) { p.fail(crypto.ErrDamaged, format, args...) }

func (p *parser) unsupported(format string, args ...any) {
	p.fail(errors.ErrUnsupported, format, args...)
}

// within says at which part the first error is, once that is parsed.
func (p *parser) within(before error, format string, args ...any) {
	if before == nil && p.err != nil {
		p.err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), p.err)
	}
}

// take takes n bytes.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.damaged("%d bytes are wanted where %d are left", n, len(p.b))
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (p *parser) uint64() uint64 {
	if b := p.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// number is the reverse of appendNumber. As in 7-Zip it may be longer than need be.
func (p *parser) number() uint64 {
	var n uint64
	first, mask := p.byte(), byte(0x80)
	for i := range 8 {
		if first&mask == 0 {
			return n | uint64(first&(mask-1))<<(8*i)
		}
		n |= uint64(p.byte()) << (8 * i)
		mask >>= 1
	}
	return n
}

// bytes is a size or an offset.
func (p *parser) bytes() uint64 {
	n := p.number()
	if n > maxBytes {
		p.damaged("a size of %d bytes", n)
		return 0
	}
	return n
}

// count is a number of things that take so many bytes each, at least, of what is left.
func (p *parser) count(what string, each int) int {
	n := p.number()
	return p.limit(what, n, len(p.b)/each)
}

// limit is n, or an error if there is no room for so many things, or if there are more than need be supported.
func (p *parser) limit(what string, n uint64, room int) int {
	switch {
	case n > uint64(room):
		p.damaged("%d %s, where there is room for %d", n, what, room)
	case n > maxCount:
		p.unsupported("%d %s, more than %d", n, what, maxCount)
	default:
		return int(n)
	}
	return 0
}

// index is a number below n.
func (p *parser) index(what string, n int) int {
	i := p.number()
	if i >= uint64(n) {
		p.damaged("%s %d of %d", what, i, n)
		return 0
	}
	return int(i)
}

// property is the id of the next property that is known, or idEnd; others are skipped.
func (p *parser) property(known ...uint64) uint64 {
	for {
		id := p.number()
		if id == idEnd || slices.Contains(known, id) {
			return id
		}
		p.take(p.number())
	}
}

// need skips to what must be there.
func (p *parser) need(id uint64) {
	if p.property(id) != id {
		p.damaged("property %#x is missing", id)
	}
}

// bits is n flags; none after an error.
func (p *parser) bits(n int) []bool {
	b := p.take(uint64(n+7) / 8)
	if p.err != nil {
		return nil
	}
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = b[i/8]&(0x80>>(i%8)) != 0
	}
	return flags
}

// defined is which of n things have a value, of at least 4 bytes; none after an error.
func (p *parser) defined(n int) []bool {
	if p.byte() == 0 {
		return p.bits(n)
	}
	if n > len(p.b)/4 {
		p.damaged("%d values in %d bytes", n, len(p.b))
		return nil
	}
	return slices.Repeat([]bool{true}, n)
}

// crcs sets the CRCs of n things.
func (p *parser) crcs(n int, set func(i int, crc *uint32)) {
	for i, on := range p.defined(n) {
		if on {
			crc := p.uint32()
			set(i, &crc)
		}
	}
}

// notExternal refuses what is stored elsewhere.
func (p *parser) notExternal() {
	if p.byte() != 0 {
		p.unsupported("it is stored elsewhere in the archive")
	}
}
