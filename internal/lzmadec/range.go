package lzmadec

const (
	rangeTop  = 1 << 24 // the least range; below it a byte is read
	probBits  = 11
	probInit  = 1 << (probBits - 1)
	probShift = 5
)

// margin is more bytes than one symbol takes.
const margin = 32

// rangeDecoder decodes bits, each with the probability that it is 0, which adapts. in ends with margin bytes that are not of the
// stream, so that only whole symbols need to be checked to be within it.
type rangeDecoder struct {
	in        []byte
	pos       int
	rng, code uint32
}

// begin reads what the range coder begins with, and says whether an encoder writes that.
func (r *rangeDecoder) begin() bool {
	first := r.in[r.pos : r.pos+5]
	r.pos += 5
	r.rng = 1<<32 - 1
	r.code = uint32(first[1])<<24 | uint32(first[2])<<16 | uint32(first[3])<<8 | uint32(first[4])
	return first[0] == 0 && r.code != r.rng
}

// normalize is what precedes each bit, and follows the last.
func (r *rangeDecoder) normalize() {
	if r.rng < rangeTop {
		r.rng <<= 8
		r.code = r.code<<8 | uint32(r.in[r.pos])
		r.pos++
	}
}

// bit decodes one.
func (r *rangeDecoder) bit(prob *uint16) bool {
	rng, code := r.rng, r.code
	if rng < rangeTop {
		rng <<= 8
		code = code<<8 | uint32(r.in[r.pos])
		r.pos++
	}
	p := *prob
	bound := rng >> probBits * uint32(p)
	if code < bound {
		r.rng, r.code = bound, code
		*prob = p + (1<<probBits-p)>>probShift
		return false
	}
	r.rng, r.code = rng-bound, code-bound
	*prob = p - p>>probShift
	return true
}

// tree decodes a number of so many bits, the highest first, whose probabilities depend on the bits before.
func (r *rangeDecoder) tree(probs []uint16, bits uint) uint32 {
	in, pos, rng, code := r.in, r.pos, r.rng, r.code
	probs = probs[:1<<bits]
	n := uint32(1)
	for n < uint32(len(probs)) {
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[pos])
			pos++
		}
		p := probs[n]
		bound := rng >> probBits * uint32(p)
		if code < bound {
			rng = bound
			probs[n] = p + (1<<probBits-p)>>probShift
			n = 2 * n
		} else {
			rng -= bound
			code -= bound
			probs[n] = p - p>>probShift
			n = 2*n + 1
		}
	}
	r.pos, r.rng, r.code = pos, rng, code
	return n - 1<<bits
}

// reverse decodes a number of so many bits, the lowest first. These are hard to predict, so there is no branch on them.
func (r *rangeDecoder) reverse(probs []uint16, bits uint) (v uint32) {
	in, pos, rng, code := r.in, r.pos, r.rng, r.code
	n := uint32(1)
	for i := range bits {
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[pos])
			pos++
		}
		p := uint32(probs[n])
		bound := rng >> probBits * p
		zero := uint32((uint64(code) - uint64(bound)) >> 32) // all ones if the bit is 0
		rng -= bound
		rng += (bound - rng) & zero
		code -= bound &^ zero
		probs[n] = uint16(p - uint32(int32(p-zero&(1<<probBits-31))>>probShift))
		n = 2*n + 1 + zero
		v |= (1 + zero) << i
	}
	r.pos, r.rng, r.code = pos, rng, code
	return v
}

// direct decodes a number of so many bits that are 0 or 1 with the same probability, the highest first.
func (r *rangeDecoder) direct(bits uint) (v uint32) {
	in, pos, rng, code := r.in, r.pos, r.rng, r.code
	for range bits {
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[pos])
			pos++
		}
		rng >>= 1
		code -= rng
		zero := uint32(int32(code) >> 31) // all ones if the bit is 0
		code += rng & zero
		v = v<<1 + 1 + zero
	}
	r.pos, r.rng, r.code = pos, rng, code
	return v
}

// matched decodes a byte that is not the one where the last match would go on: as long as its bits are the same their
// probabilities depend on that one too.
func (r *rangeDecoder) matched(probs *[0x300]uint16, other byte) byte {
	in, pos, rng, code := r.in, r.pos, r.rng, r.code
	n, offset, match := uint32(1), uint32(0x100), uint32(other)
	for n < 0x100 {
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[pos])
			pos++
		}
		match <<= 1
		same := match & offset // 0x100 or 0: the other's bit, as long as they are the same
		i := n + offset + same
		p := probs[i]
		bound := rng >> probBits * uint32(p)
		if code < bound {
			rng = bound
			probs[i] = p + (1<<probBits-p)>>probShift
			n = 2 * n
			offset &^= match
		} else {
			rng -= bound
			code -= bound
			probs[i] = p - p>>probShift
			n = 2*n + 1
			offset &= match
		}
	}
	r.pos, r.rng, r.code = pos, rng, code
	return byte(n)
}
