// Package lzmadec decodes LZMA and LZMA2. The formats are those of lzma-specification.txt in the LZMA SDK
// (https://www.7-zip.org/sdk.html) and of section 5.3.1 of the .xz file format. It is made for speed, and for input that is
// not to be trusted.
package lzmadec

import "errors"

var (
	errDamaged = errors.New("impossible data")
	errEnd     = errors.New("the data does not end where it should")
)

const (
	states    = 12
	minLength = 2
)

// lengths are the probabilities of a length: of 2 to 9 and 10 to 17, by the position, or of 18 to 273.
type lengths struct {
	choice, choice2 uint16
	low, mid        [16][8]uint16
	high            [256]uint16
}

// decoder decodes symbols into a window.
type decoder struct {
	r rangeDecoder

	window     []byte // what was decoded; where the dictionary is smaller than all, it begins anew at its end
	pos        int    // where the next byte goes
	before     int64  // what is to be added to pos for the bytes since the dictionary was reset
	dictionary uint32 // the largest distance, in bytes
	copying    int    // bytes of a match that are still to be copied
	symbolAt   int    // where the last symbol began

	state                    uint32
	reps                     [4]uint32 // distances, less one, of the last matches
	lc, lpMask, pbMask       uint32
	isMatch, isRep0Long      [states << 4]uint16
	isRep, isRep0            [states]uint16
	isRep1, isRep2           [states]uint16
	slots                    [4][64]uint16
	special                  [128]uint16
	align                    [16]uint16
	matchLengths, repLengths lengths
	literals                 [][0x300]uint16
}

// setProps sets how many bits of the position and the byte before matter, as lc + 9 (lp + 5 pb), and says whether
// they can be so many. It does not reset the state.
func (d *decoder) setProps(props byte) bool {
	if props >= 9*5*5 {
		return false
	}
	lc, lp, pb := uint32(props%9), props/9%5, props/45
	d.lc, d.lpMask, d.pbMask = lc, 1<<lp-1, 1<<pb-1
	n := 1 << (lc + uint32(lp))
	if cap(d.literals) < n {
		d.literals = make([][0x300]uint16, n)
	}
	d.literals = d.literals[:n]
	return true
}

// reset forgets what was learned.
func (d *decoder) reset() {
	d.state, d.reps, d.copying = 0, [4]uint32{}, 0
	for _, probs := range [][]uint16{d.isMatch[:], d.isRep0Long[:], d.isRep[:], d.isRep0[:], d.isRep1[:], d.isRep2[:], d.special[:], d.align[:]} {
		fill(probs)
	}
	for i := range d.slots {
		fill(d.slots[i][:])
	}
	for i := range d.literals {
		fill(d.literals[i][:])
	}
	d.matchLengths.reset()
	d.repLengths.reset()
}

func (l *lengths) reset() {
	l.choice, l.choice2 = probInit, probInit
	for i := range l.low {
		fill(l.low[i][:])
		fill(l.mid[i][:])
	}
	fill(l.high[:])
}

func fill(probs []uint16) {
	for i := range probs {
		probs[i] = probInit
	}
}

// What a symbol leads to.
type outcome int

const (
	more   outcome = iota // input is needed, or room
	marker                // the end marker was found
	damaged
)

// decode decodes until the window is full up to limit, or more is read of the input than end.
func (d *decoder) decode(limit, end int) outcome {
	if d.copying > 0 {
		d.copyMatch(limit)
	}
	for d.pos < limit && d.r.pos <= end {
		d.symbolAt = d.pos
		at := uint32(int64(d.pos) + d.before)
		ps := at & d.pbMask
		if !d.r.bit(&d.isMatch[d.state<<4|ps]) {
			d.literal(at)
			continue
		}
		if !d.r.bit(&d.isRep[d.state]) {
			d.match(ps)
		} else {
			d.repeat(ps)
		}
		distance := d.reps[0]
		if distance >= d.dictionary || int64(distance) >= int64(d.pos)+d.before {
			if distance == 1<<32-1 {
				return marker
			}
			return damaged
		}
		d.copyMatch(limit)
	}
	return more
}

// byteAt is the one so far back in the window.
func (d *decoder) byteAt(distance int) byte {
	i := d.pos - distance
	if i < 0 {
		i += len(d.window)
	}
	return d.window[i]
}

// literal decodes a byte of its own. at is where it is, in bytes since the dictionary was reset.
func (d *decoder) literal(at uint32) {
	var last byte
	if at > 0 {
		last = d.byteAt(1)
	}
	probs := &d.literals[at&d.lpMask<<d.lc|uint32(last)>>(8-d.lc)]
	if d.state < 7 {
		d.window[d.pos] = byte(d.r.tree(probs[:], 8))
	} else {
		d.window[d.pos] = d.r.matched(probs, d.byteAt(int(d.reps[0])+1))
	}
	d.pos++
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// match decodes the length and the distance of a match.
func (d *decoder) match(ps uint32) {
	length := d.r.length(&d.matchLengths, ps)
	d.reps[3], d.reps[2], d.reps[1], d.reps[0] = d.reps[2], d.reps[1], d.reps[0], d.distance(length)
	d.copying = int(length)
	d.after(7, 10)
}

// repeat decodes a match with one of the last distances, which becomes the very last one.
func (d *decoder) repeat(ps uint32) {
	state := d.state
	if d.r.bit(&d.isRep0[state]) {
		i := 1
		if d.r.bit(&d.isRep1[state]) {
			i = 2
			if d.r.bit(&d.isRep2[state]) {
				i = 3
			}
		}
		distance := d.reps[i]
		copy(d.reps[1:i+1], d.reps[:i])
		d.reps[0] = distance
	} else if !d.r.bit(&d.isRep0Long[state<<4|ps]) {
		d.copying = 1
		d.after(9, 11)
		return
	}
	d.copying = int(d.r.length(&d.repLengths, ps))
	d.after(8, 11)
}

// after sets the state, which depends on whether a literal was before.
func (d *decoder) after(literal, other uint32) {
	if d.state < 7 {
		d.state = literal
	} else {
		d.state = other
	}
}

// length decodes the length of a match.
func (r *rangeDecoder) length(l *lengths, ps uint32) uint32 {
	if !r.bit(&l.choice) {
		return minLength + r.tree(l.low[ps][:], 3)
	}
	if !r.bit(&l.choice2) {
		return minLength + 8 + r.tree(l.mid[ps][:], 3)
	}
	return minLength + 16 + r.tree(l.high[:], 8)
}

// distance decodes the distance, less one, of a match.
func (d *decoder) distance(length uint32) uint32 {
	slot := d.r.tree(d.slots[min(length-minLength, 3)][:], 6)
	if slot < 4 {
		return slot
	}
	bits := uint(slot/2 - 1)
	distance := (2 | slot&1) << bits
	if slot < 14 {
		return distance + d.r.reverse(d.special[distance-slot:], bits)
	}
	return distance + d.r.direct(bits-4)<<4 + d.r.reverse(d.align[:], 4)
}

// copyMatch copies as much of a match as there is room for.
func (d *decoder) copyMatch(limit int) {
	n := min(d.copying, limit-d.pos)
	d.copying -= n
	from := d.pos - int(d.reps[0]) - 1
	if from < 0 {
		from += len(d.window)
		k := copy(d.window[d.pos:d.pos+n], d.window[from:])
		d.pos, n, from = d.pos+k, n-k, 0
	}
	for n > 0 { // each time twice as much can be copied at once
		k := copy(d.window[d.pos:d.pos+n], d.window[from:d.pos])
		d.pos, n = d.pos+k, n-k
	}
}
