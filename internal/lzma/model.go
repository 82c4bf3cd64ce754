package lzma

import "math/bits"

// The settings of LZMA: lc, lp (0) and pb.
const (
	literalContext = 3 // high bits of the byte before that choose the literal's probabilities
	posBits        = 2 // low bits of the position that choose those of much else
	posStates      = 1 << posBits
)

const (
	states        = 12 // what the last symbols were; below 7 the last was a literal
	literalStates = 7

	lenStates    = 4 // lengths that choose the probabilities of a distance
	slotBits     = 6
	alignBits    = 4
	firstSpecial = 4  // slots from here on have further bits
	firstDirect  = 14 // and from here on, bits without probabilities
)

// lengths codes match lengths, in three ranges.
type lengths struct {
	choice [2]uint16
	low    [posStates][8]uint16
	middle [posStates][8]uint16
	high   [256]uint16
}

// model is the probabilities, and what they are chosen by.
type model struct {
	state int
	reps  [4]uint32 // the latest distances, less one

	isMatch   [states][posStates]uint16
	isRep     [states]uint16
	isRep0    [states]uint16 // 0: it is reps[0]
	isRep1    [states]uint16
	isRep2    [states]uint16
	isRepLong [states][posStates]uint16 // 0: reps[0] with length 1

	literals [1 << literalContext][0x300]uint16
	slots    [lenStates][1 << slotBits]uint16
	special  [128 - firstDirect + 1]uint16
	align    [1 << alignBits]uint16
	match    lengths
	rep      lengths
}

// reset makes everything as likely as not.
func (m *model) reset() {
	m.state, m.reps = 0, [4]uint32{}
	m.fill(probInit)
}

// fill sets all probabilities.
func (m *model) fill(prob uint16) {
	for i := range states {
		fill(m.isMatch[i][:], prob)
		fill(m.isRepLong[i][:], prob)
	}
	fill(m.isRep[:], prob)
	fill(m.isRep0[:], prob)
	fill(m.isRep1[:], prob)
	fill(m.isRep2[:], prob)
	for i := range m.literals {
		fill(m.literals[i][:], prob)
	}
	for i := range m.slots {
		fill(m.slots[i][:], prob)
	}
	fill(m.special[:], prob)
	fill(m.align[:], prob)
	m.match.fill(prob)
	m.rep.fill(prob)
}

func (l *lengths) fill(prob uint16) {
	fill(l.choice[:], prob)
	for i := range posStates {
		fill(l.low[i][:], prob)
		fill(l.middle[i][:], prob)
	}
	fill(l.high[:], prob)
}

func fill(probs []uint16, prob uint16) {
	for i := range probs {
		probs[i] = prob
	}
}

// What back says beside a distance, less one, plus 4: 0 to 3 is one of the latest distances.
const literal = -1

// encode encodes a literal, or a match of length from back.
func (m *model) encode(r *rangeEncoder, src []byte, pos, length, back int) {
	ps := pos & (posStates - 1)
	if back == literal {
		r.bit(&m.isMatch[m.state][ps], 0)
		m.literal(r, src, pos)
		return
	}
	r.bit(&m.isMatch[m.state][ps], 1)
	if back >= len(m.reps) {
		r.bit(&m.isRep[m.state], 0)
		m.match.encode(r, ps, uint32(length))
		m.distance(r, uint32(back-len(m.reps)), length)
		m.state = after(m.state, 7, 10)
		return
	}
	r.bit(&m.isRep[m.state], 1)
	m.repeat(r, ps, length, back)
}

// after is the state after a match, which depends on whether a literal came before.
func after(state, literal, other int) int {
	if state < literalStates {
		return literal
	}
	return other
}

func (m *model) literal(r *rangeEncoder, src []byte, pos int) {
	before := byte(0)
	if pos > 0 {
		before = src[pos-1]
	}
	probs := &m.literals[before>>(8-literalContext)]
	symbol := uint32(src[pos]) | 0x100
	if m.state < literalStates {
		for i := 7; i >= 0; i-- {
			r.bit(&probs[symbol>>uint(i+1)], symbol>>uint(i)&1)
		}
	} else { // the byte that the last distance would give is not this one: the first bit that differs tells more
		offset, match := uint32(0x100), uint32(src[pos-int(m.reps[0])-1])
		for symbol < 0x10000 {
			match <<= 1
			r.bit(&probs[offset+match&offset+symbol>>8], symbol>>7&1)
			symbol <<= 1
			offset &^= match ^ symbol
		}
	}
	switch {
	case m.state < 4:
		m.state = 0
	case m.state < 10:
		m.state -= 3
	default:
		m.state -= 6
	}
}

// repeat encodes a match of one of the latest distances.
func (m *model) repeat(r *rangeEncoder, ps, length, i int) {
	d := m.reps[i]
	if i == 0 {
		r.bit(&m.isRep0[m.state], 0)
		if length == 1 {
			r.bit(&m.isRepLong[m.state][ps], 0)
			m.state = after(m.state, 9, 11)
			return
		}
		r.bit(&m.isRepLong[m.state][ps], 1)
	} else {
		r.bit(&m.isRep0[m.state], 1)
		if i == 1 {
			r.bit(&m.isRep1[m.state], 0)
		} else {
			r.bit(&m.isRep1[m.state], 1)
			r.bit(&m.isRep2[m.state], uint32(i-2))
		}
		copy(m.reps[1:i+1], m.reps[:i])
		m.reps[0] = d
	}
	m.rep.encode(r, ps, uint32(length))
	m.state = after(m.state, 8, 11)
}

func (l *lengths) encode(r *rangeEncoder, ps int, length uint32) {
	n := length - minMatch
	if n < 8 {
		r.bit(&l.choice[0], 0)
		r.tree(l.low[ps][:], 3, n)
		return
	}
	r.bit(&l.choice[0], 1)
	if n < 16 {
		r.bit(&l.choice[1], 0)
		r.tree(l.middle[ps][:], 3, n-8)
		return
	}
	r.bit(&l.choice[1], 1)
	r.tree(l.high[:], 8, n-16)
}

// distance encodes a distance, less one.
func (m *model) distance(r *rangeEncoder, d uint32, length int) {
	slot := slotOf(d)
	r.tree(m.slots[min(length-minMatch, lenStates-1)][:], slotBits, slot)
	if slot >= firstSpecial {
		n := uint(slot>>1 - 1)
		base := (2 | slot&1) << n
		if slot < firstDirect {
			r.reverse(m.special[base-slot:], n, d-base)
		} else {
			r.direct(n-alignBits, (d-base)>>alignBits)
			r.reverse(m.align[:], alignBits, d&(1<<alignBits-1))
		}
	}
	copy(m.reps[1:], m.reps[:3])
	m.reps[0] = d
}

// slotOf is twice the position of a distance's highest bit, and the bit after.
func slotOf(d uint32) uint32 {
	if d < firstSpecial {
		return d
	}
	n := uint32(bits.Len32(d)) - 1
	return n<<1 | d>>(n-1)&1
}
