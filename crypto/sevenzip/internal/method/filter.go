package method

import (
	"encoding/binary"
	"io"
)

// filter yields an input's bytes as convert changes them.
type filter struct {
	in io.Reader
	// convert changes b in place, as far as it can without what follows, and says how far that is. pos is where b is in
	// the stream.
	convert func(b []byte, pos uint32) int
	buf     []byte
	pos     uint32 // of buf in the stream
	begin   int    // buf[begin:ready] is converted, buf[ready:end] is not
	ready   int
	end     int
	err     error // after buf[:end]
}

const filterBuffer = 64 << 10

func newFilter(in io.Reader, start uint32, convert func(b []byte, pos uint32) int) *filter {
	return &filter{in: in, convert: convert, pos: start, buf: make([]byte, filterBuffer)}
}

func (f *filter) Read(p []byte) (int, error) {
	for f.begin == f.ready {
		if f.err != nil {
			return 0, f.err
		}
		f.fill()
	}
	n := copy(p, f.buf[f.begin:f.ready])
	f.begin += n
	return n, nil
}

// fill converts more. What the input's end leaves unconverted is plain.
func (f *filter) fill() {
	f.end = copy(f.buf, f.buf[f.ready:f.end])
	f.pos += uint32(f.ready)
	n, err := io.ReadFull(f.in, f.buf[f.end:])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF // one of the input itself is remembered by source
	}
	f.end += n
	f.begin, f.err = 0, err
	f.ready = f.convert(f.buf[:f.end], f.pos)
	if err != nil {
		f.ready = f.end
	}
}

// openDelta: each byte is the difference from the one so many before.
func openDelta(c *coder) (decoder, error) {
	if len(c.props) != 1 {
		return decoder{}, c.impossible()
	}
	distance := int(c.props[0]) + 1
	before := make([]byte, distance)
	return decoder{Reader: newFilter(c.in[0], 0, func(b []byte, _ uint32) int {
		for i := range min(distance, len(b)) {
			b[i] += before[i]
		}
		for i := distance; i < len(b); i++ {
			b[i] += b[i-distance]
		}
		keepLast(before, b)
		return len(b)
	})}, nil
}

// keepLast makes last the end of what was last and b.
func keepLast(last, b []byte) {
	n := copy(last, last[min(len(b), len(last)):])
	copy(last[n:], b[max(len(b)-len(last), 0):])
}

// openBranch opens a filter of machine code: it turns the absolute targets of branches, which recur, into relative ones.
// Addresses are multiples of alignment.
func openBranch(alignment uint32, convert func() func(b []byte, pos uint32) int) func(*coder) (decoder, error) {
	return func(c *coder) (decoder, error) {
		start := uint32(0)
		switch len(c.props) {
		case 0:
		case 4:
			if start = binary.LittleEndian.Uint32(c.props); start%alignment != 0 {
				return decoder{}, c.impossible()
			}
		default:
			return decoder{}, c.impossible()
		}
		return decoder{Reader: newFilter(c.in[0], start, convert())}, nil
	}
}
