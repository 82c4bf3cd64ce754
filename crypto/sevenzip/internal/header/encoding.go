package header

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/databasement/backup/crypto"
)

// maxTotal is the largest size, offset, or sum of them, in bytes; three of them fit an int64.
const maxTotal = math.MaxInt64 / 4

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

// appendProperty appends a property that can be skipped.
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

// appendFlags appends a property of flags, if any of them is set.
func appendFlags(b []byte, id byte, flags []bool) []byte {
	if !slices.Contains(flags, true) {
		return b
	}
	return appendProperty(b, id, appendBits(nil, flags))
}

// appendDefined appends which things have a value.
func appendDefined(b []byte, flags []bool) []byte {
	if !slices.Contains(flags, false) {
		return append(b, 1)
	}
	return appendBits(append(b, 0), flags)
}

// appendCRCs appends those CRCs that are not nil, if there are any.
func appendCRCs(b []byte, crcs []*uint32) []byte {
	flags := make([]bool, len(crcs))
	for i, c := range crcs {
		flags[i] = c != nil
	}
	if !slices.Contains(flags, true) {
		return b
	}
	b = appendDefined(append(b, idCRC), flags)
	for _, c := range crcs {
		if c != nil {
			b = binary.LittleEndian.AppendUint32(b, *c)
		}
	}
	return b
}

// parser takes a header apart. After the first error nothing is left, and it only yields zeros.
type parser struct {
	b   []byte // what is left
	err error
}

func (p *parser) fail(err error, format string, args ...any) {
	if p.err == nil {
		p.err, p.b = fmt.Errorf(format+": %w", append(args, err)...), nil
	}
}

func (p *parser) damaged(format string, args ...any) { p.fail(crypto.ErrDamaged, format, args...) }

func (p *parser) unsupported(format string, args ...any) {
	p.fail(errors.ErrUnsupported, format, args...)
}

// take takes n bytes.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.damaged("%d bytes are left where %d should be", len(p.b), n)
		return nil
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) uint16() uint16 {
	if b := p.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
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

// number is the reverse of appendNumber. A longer form than needed is allowed.
func (p *parser) number() uint64 {
	first := p.byte()
	var n uint64
	for i := range 8 {
		mask := byte(0x80) >> i
		if first&mask == 0 {
			return n | uint64(first&(mask-1))<<(8*i)
		}
		n |= uint64(p.byte()) << (8 * i)
	}
	return n
}

// size is a number of bytes.
func (p *parser) size() uint64 {
	n := p.number()
	if n > maxTotal {
		p.damaged("a size of %d", n)
		return 0
	}
	return n
}

// count is a number of things that take at least so many bytes each of what is left.
func (p *parser) count(what string, bytes int) int {
	n := p.number()
	if n > uint64(len(p.b)/bytes) {
		p.damaged("%d %s in %d bytes", n, what, len(p.b))
		return 0
	}
	return int(n)
}

// index is a number below n; zero after an error.
func (p *parser) index(n int, what string) int {
	i := p.number()
	if i >= uint64(n) {
		p.damaged("%s %d of %d", what, i, n)
		return 0
	}
	return int(i)
}

// next is the next property, one of those that are wanted. Unknown ones, and padding, are skipped, as 7-Zip does. After an error it is
// idEnd.
func (p *parser) next(wanted ...uint64) uint64 {
	for {
		id := p.number()
		if p.err != nil || slices.Contains(wanted, id) {
			return id
		}
		if id < idDummy {
			p.damaged("property %#x where %#x should be", id, wanted[len(wanted)-1])
			return idEnd
		}
		p.take(p.number())
	}
}

// bits is n flags; none after an error.
func (p *parser) bits(n int) []bool {
	b := p.take((uint64(n) + 7) / 8)
	if p.err != nil {
		return nil
	}
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = b[i/8]&(0x80>>(i%8)) != 0
	}
	return flags
}

// defined is which of n things have a value; none after an error.
func (p *parser) defined(n int) []bool {
	if p.byte() == 0 {
		return p.bits(n)
	}
	if n > len(p.b) { // values are longer than that
		p.damaged("%d values in %d bytes", n, len(p.b))
		return nil
	}
	return slices.Repeat([]bool{true}, n)
}

// crcs reads the CRCs of n things; set gets those that are stored.
func (p *parser) crcs(n int, set func(i int, crc *uint32)) {
	for i, on := range p.defined(n) {
		if on {
			crc := p.uint32()
			set(i, &crc)
		}
	}
}

// notExternal refuses values that are stored elsewhere.
func (p *parser) notExternal() {
	if p.byte() != 0 {
		p.unsupported("a part of it is stored elsewhere in the archive")
	}
}
