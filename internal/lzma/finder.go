package lzma

import (
	"encoding/binary"
	"math/bits"
)

const (
	hash2Bits = 10
	hash3Bits = 15
	minFind   = 8 // bytes that must be left, so that loads need no care
)

// matches are what was found at a position, the longest last: each longer one is farther than the shorter ones.
type matches struct {
	n int
	m [72]match
}

// match is a length and a distance, less one.
type match struct{ length, distance uint32 }

// finder finds earlier occurrences. Positions of the same hash of 5 bytes are a row of a table, with a byte of further hash for each, the
// tag, so that one load tells which of them to look at; a row of 16 is a cache line. A chain would be a load for each that depends on the
// one before. Positions are stored plus one: 0 is none.
type finder struct {
	Params
	src   []byte
	shift uint     // makes a hash a row's number and the tag
	table []uint32 // of rows: Row/4 that hold Row tags, then the positions of the last 3*Row/4 tags; the first tag is the newest's place
	hash2 [1 << hash2Bits]uint32
	hash3 [1 << hash3Bits]uint32
}

func (f *finder) init(p Params) {
	f.Params = p
	f.Nice = min(max(p.Nice, minFind), maxMatch)
}

// reset forgets everything. The table is as large as the dictionary, or as src if that is smaller: what is short is also quick.
func (f *finder) reset(src []byte) {
	f.src = src
	size := max(bits.Len(uint(max(min(f.Dictionary, len(src)), 1)-1)), 12)
	f.shift = uint(64 - size + bits.TrailingZeros(uint(f.Row)) - 8)
	if cap(f.table) < 1<<size {
		f.table = make([]uint32, 1<<size)
	}
	f.table = f.table[:1<<size]
	clear(f.table)
	f.hash2, f.hash3 = [1 << hash2Bits]uint32{}, [1 << hash3Bits]uint32{}
}

const prime = 0x9e3779b97f4a7c15

func hash2(v uint64) uint32 { return uint32(v << 48 * prime >> (64 - hash2Bits)) }
func hash3(v uint64) uint32 { return uint32(v << 40 * prime >> (64 - hash3Bits)) }

// row is the row of 8 bytes, of which 5 count, and the byte that tells its entries apart.
func (f *finder) row(v uint64) (row int, tag byte) {
	h := v << 24 * prime >> f.shift
	return int(h>>8) * f.Row, byte(h)
}

// enter puts a position into a row, in the place of the oldest.
func (f *finder) enter(row int, tag byte, pos int) {
	r := f.table[row : row+f.Row]
	at := r[0] & 0xff
	if at <= uint32(f.Row)/4 { // the first, or the row is new
		at = uint32(f.Row)
	}
	at--
	r[at/4] = r[at/4]&^(0xff<<(at%4*8)) | uint32(tag)<<(at%4*8)
	r[0] = r[0]&^0xff | at
	r[at] = uint32(pos + 1)
}

// skip enters n positions from pos on.
func (f *finder) skip(pos, n int) {
	for end := min(pos+n, len(f.src)-minFind+1); pos < end; pos++ {
		v := binary.LittleEndian.Uint64(f.src[pos:])
		f.hash2[hash2(v)] = uint32(pos + 1)
		f.hash3[hash3(v)] = uint32(pos + 1)
		row, tag := f.row(v)
		f.enter(row, tag, pos)
	}
}

// find enters pos, and puts what matches there into m.
func (f *finder) find(pos int, m *matches, depth int) {
	m.n = 0
	if len(f.src)-pos < minFind {
		return
	}
	src := f.src[:min(len(f.src), pos+maxMatch)]
	v := binary.LittleEndian.Uint64(src[pos:])
	row, tag := f.row(v)
	which, head := f.candidates(row, tag)

	oldest := uint32(max(pos+1-f.Dictionary, 1)) // the lowest position, plus one, that is near enough
	best := 1
	h2, h3 := &f.hash2[hash2(v)], &f.hash3[hash3(v)]
	if *h2 >= oldest {
		best = m.consider(src, pos, int(*h2-1), best)
	}
	if *h3 >= oldest && *h3 != *h2 {
		best = m.consider(src, pos, int(*h3-1), best)
	}
	*h2, *h3 = uint32(pos+1), uint32(pos+1)
	best = max(best, 4) // what shares a hash of 5 bytes but not these is of no use
	entries := f.table[row : row+f.Row]
	for ; which != 0 && depth > 0 && best < f.Nice && pos+best < len(src); depth-- {
		k := uint(bits.TrailingZeros64(which))
		which &= which - 1
		at := int(entries[(k+head)&uint(f.Row-1)]) - 1
		if at+1 < int(oldest) {
			break
		}
		if binary.LittleEndian.Uint32(src[at+best-3:]) == binary.LittleEndian.Uint32(src[pos+best-3:]) {
			best = m.consider(src, pos, at, best)
		}
	}
	f.enter(row, tag, pos)
}

// candidates has a bit for each entry of a row that has the tag; the lowest is of the newest entry, which is at head.
func (f *finder) candidates(row int, tag byte) (which uint64, head uint) {
	tags := f.table[row : row+f.Row/4]
	const ones, low7 = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	for i := 0; i+1 < len(tags); i += 2 {
		x := (uint64(tags[i]) | uint64(tags[i+1])<<32) ^ ones*uint64(tag)
		x = ^((x&low7 + low7) | x | low7) >> 7 // 1 in each byte that was the tag
		which |= x * 0x0102040810204080 >> 56 << (4 * i)
	}
	which &^= 1<<len(tags) - 1
	head = uint(byte(tags[0]))
	if f.Row == 64 {
		return bits.RotateLeft64(which, -int(head)), head
	}
	return (which>>head | which<<(uint(f.Row)-head)) & (1<<f.Row - 1), head
}

// consider adds a match to m if it is longer than best, and returns the best length then.
func (m *matches) consider(src []byte, pos, at, best int) int {
	n := common(src, at, pos)
	if n <= best {
		return best
	}
	m.m[m.n] = match{uint32(n), uint32(pos - at - 1)}
	m.n++
	return n
}

// common is how many bytes from a on are as those from b on, which is behind a, up to the end of src.
func common(src []byte, a, b int) int {
	start := b
	for b+8 <= len(src) {
		if x := binary.LittleEndian.Uint64(src[a:]) ^ binary.LittleEndian.Uint64(src[b:]); x != 0 {
			return b - start + bits.TrailingZeros64(x)>>3
		}
		a, b = a+8, b+8
	}
	for b < len(src) && src[a] == src[b] {
		a, b = a+1, b+1
	}
	return b - start
}
