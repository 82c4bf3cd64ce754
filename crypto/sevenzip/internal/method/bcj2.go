package method

import (
	"errors"
	"io"
)

// bcj2 merges the four streams that BCJ2 makes of x86 code, as in Bcj2.c of the LZMA SDK: the code without the targets of
// some branches, absolute targets of calls, those of jumps, and, range coded, which branches have their target there.
type bcj2 struct {
	code, calls, jumps, choices *source

	size   uint64 // plain bytes in all
	pos    uint64 // plain bytes so far
	last   byte   // the one before
	target [4]byte
	plain  []byte // what is left of target

	begun     bool
	rng, low  uint32 // of the range decoder
	choosings [2 + 256]uint16
}

const (
	rangeTop  = 1 << 24 // the least range; below it a byte is read
	probBits  = 11
	probShift = 5
)

func openBCJ2(c *coder) (decoder, error) {
	if len(c.props) != 0 {
		return decoder{}, c.impossible()
	}
	d := &bcj2{code: c.in[0], calls: c.in[1], jumps: c.in[2], choices: c.in[3], size: c.size}
	for i := range d.choosings {
		d.choosings[i] = 1 << (probBits - 1)
	}
	return decoder{Reader: d, ends: true}, nil
}

func (d *bcj2) Read(p []byte) (n int, err error) {
	if !d.begun {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	for n < len(p) {
		if len(d.plain) > 0 {
			k := copy(p[n:], d.plain)
			n, d.plain = n+k, d.plain[k:]
			continue
		}
		b, err := d.code.ReadByte()
		if err == io.EOF {
			return n, d.end()
		}
		if err == nil {
			p[n] = b
			n++
			err = d.next(b)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// begin reads what the range coder begins with.
func (d *bcj2) begin() error {
	d.begun, d.rng = true, 1<<32-1
	var first [5]byte
	if _, err := io.ReadFull(d.choices, first[:]); err != nil {
		return noEOF(err)
	}
	d.low = be.Uint32(first[1:])
	if first[0] != 0 || d.low == 1<<32-1 {
		return errors.New("impossible beginning of the range coded stream")
	}
	return nil
}

// next is told each byte of code, and puts the target that follows it, if one does, into plain.
func (d *bcj2) next(b byte) error {
	last := d.last
	d.last, d.pos = b, d.pos+1
	choosing, targets := 0, d.jumps
	switch {
	case b == 0xe8: // call
		choosing, targets = 2+int(last), d.calls
	case b == 0xe9: // jmp
		choosing = 1
	case last != 0x0f || b&0xf0 != 0x80: // not a conditional jump either
		return nil
	}
	chosen, err := d.bit(&d.choosings[choosing])
	if err != nil || !chosen {
		return err
	}
	if _, err := io.ReadFull(targets, d.target[:]); err != nil {
		return noEOF(err)
	}
	d.pos += 4
	le.PutUint32(d.target[:], be.Uint32(d.target[:])-uint32(d.pos))
	d.plain, d.last = d.target[:], d.target[3]
	return nil
}

// bit decodes one with the probability prob, which it adapts.
func (d *bcj2) bit(prob *uint16) (bool, error) {
	if err := d.normalize(); err != nil {
		return false, err
	}
	bound := d.rng >> probBits * uint32(*prob)
	if d.low < bound {
		d.rng = bound
		*prob += (1<<probBits - *prob) >> probShift
		return false, nil
	}
	d.rng -= bound
	d.low -= bound
	*prob -= *prob >> probShift
	return true, nil
}

func (d *bcj2) normalize() error {
	if d.rng >= rangeTop {
		return nil
	}
	b, err := d.choices.ReadByte()
	d.rng, d.low = d.rng<<8, d.low<<8|uint32(b)
	return noEOF(err)
}

// end checks how the streams end. An encoder may have flushed before it normalized.
func (d *bcj2) end() error {
	if d.pos < d.size {
		return io.ErrUnexpectedEOF
	}
	if err := d.normalize(); err != nil && err != io.ErrUnexpectedEOF {
		return err
	}
	if d.low != 0 {
		return errors.New("impossible end of the range coded stream")
	}
	return io.EOF
}
