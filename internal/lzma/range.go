package lzma

// Probabilities that a bit is 0 have 11 bits, and go 1/32 of the way to what was seen.
const (
	probBits = 11
	probInit = 1 << (probBits - 1)
	moveBits = 5
)

// rangeEncoder is the arithmetic coder of one chunk.
type rangeEncoder struct {
	low   uint64 // less than 1<<33
	width uint32
	n     int // bytes of out
	out   [maxCoded]byte
}

func (r *rangeEncoder) reset() {
	r.low, r.width = 0, 1<<32-1
	r.out[0], r.n = 0, 1 // the first byte is for a carry that never comes
}

// finish is the coded bytes, good until reset.
func (r *rangeEncoder) finish() []byte {
	for range 4 {
		r.shift()
	}
	return r.out[:r.n]
}

// shift writes the highest byte of low.
func (r *rangeEncoder) shift() {
	if r.low>>32 != 0 {
		i := r.n - 1
		for ; r.out[i] == 0xff; i-- {
			r.out[i] = 0
		}
		r.out[i]++
	}
	r.out[r.n&(maxCoded-1)] = byte(r.low >> 24)
	r.n++
	r.low = r.low << 8 & (1<<32 - 1)
}

// bit encodes a bit, 0 or 1, with its probability. It has no branch on the bit, which would be mispredicted.
func (r *rangeEncoder) bit(p *uint16, bit uint32) {
	prob := uint32(*p)
	bound := r.width >> probBits * prob
	mask := -bit
	r.low += uint64(bound & mask)
	r.width = bound + (r.width-2*bound)&mask
	*p = uint16(int32(prob) + (int32(1<<probBits-(1<<probBits-31)&mask)-int32(prob))>>moveBits)
	if r.width < 1<<24 {
		r.width <<= 8
		r.shift()
	}
}

// tree encodes the bits of a symbol, the highest first.
func (r *rangeEncoder) tree(probs []uint16, bits uint, symbol uint32) {
	m := uint32(1)
	for i := int(bits) - 1; i >= 0; i-- {
		b := symbol >> uint(i) & 1
		r.bit(&probs[m], b)
		m = m<<1 | b
	}
}

// reverse encodes the bits of a symbol, the lowest first.
func (r *rangeEncoder) reverse(probs []uint16, bits uint, symbol uint32) {
	m := uint32(1)
	for range bits {
		b := symbol & 1
		symbol >>= 1
		r.bit(&probs[m], b)
		m = m<<1 | b
	}
}

// direct encodes bits that are as likely 0 as 1.
func (r *rangeEncoder) direct(bits uint, value uint32) {
	for i := int(bits) - 1; i >= 0; i-- {
		r.width >>= 1
		r.low += uint64(r.width & -(value >> uint(i) & 1))
		if r.width < 1<<24 {
			r.width <<= 8
			r.shift()
		}
	}
}
