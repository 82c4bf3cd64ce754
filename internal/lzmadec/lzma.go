package lzmadec

import (
	"errors"
	"io"
)

// Reader decodes a stream of LZMA.
type Reader struct {
	src   io.Reader
	d     decoder
	begun bool
	in    []byte
	end   int    // of the input in in
	eof   bool   // the input ends there
	left  uint64 // plain bytes that are still to be decoded
	out   output
}

// inputSize is how much of the input is read at a time, at least.
const inputSize = 64 << 10

// ErrProperties is for properties that no encoder writes.
var ErrProperties = errors.New("impossible properties")

// NewReader returns a reader of the size plain bytes of the stream of LZMA in src, to the end of which it reads. props is the
// first byte of the properties, dictionary the size of the dictionary in bytes, of which not more than size is allocated.
// Its errors are those of src, io.ErrUnexpectedEOF where src ends before the stream, and others for impossible data.
func NewReader(src io.Reader, props byte, dictionary uint32, size uint64) (*Reader, error) {
	r := &Reader{src: src, left: size, in: make([]byte, 2*inputSize+margin)}
	if !r.d.setProps(props) {
		return nil, ErrProperties
	}
	r.d.reset()
	r.d.dictionary = max(dictionary, 1<<12)
	r.d.window = make([]byte, max(min(uint64(r.d.dictionary), size), 1))
	return r, nil
}

func (r *Reader) Read(p []byte) (int, error) {
	return r.out.read(p, &r.d, r.fill)
}

// fill decodes more.
func (r *Reader) fill() error {
	d := &r.d
	if err := r.input(); err != nil {
		return err
	}
	if !r.begun {
		r.begun = true
		if r.end < 5 {
			return io.ErrUnexpectedEOF
		}
		if !d.r.begin() {
			return errDamaged
		}
	}
	if r.left == 0 {
		return r.finish()
	}
	r.out.wrap(d)
	start := d.pos
	limit := d.pos + int(min(r.left, uint64(len(d.window)-d.pos)))
	outcome := d.decode(limit, r.safe())
	if d.r.pos > r.end {
		d.pos = max(d.symbolAt, start)
		return io.ErrUnexpectedEOF
	}
	r.left -= uint64(d.pos - start)
	switch outcome {
	case damaged:
		return errDamaged
	case marker:
		return errEnd
	}
	return nil
}

// safe is how much of the input may be read before a symbol: what follows is not there yet, or behind its end.
func (r *Reader) safe() int {
	if r.eof {
		return r.end
	}
	return r.end - margin
}

// input reads more, if there may not be enough for a symbol.
func (r *Reader) input() error {
	rc := &r.d.r
	if r.eof || r.end-rc.pos >= 2*margin {
		return nil
	}
	r.end = copy(r.in, r.in[min(rc.pos, r.end):r.end])
	rc.in, rc.pos = r.in, 0
	for r.end < inputSize {
		n, err := r.src.Read(r.in[r.end : len(r.in)-margin])
		r.end += n
		if err == io.EOF {
			r.eof = true
			clear(r.in[r.end : r.end+margin])
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// finish checks that the stream ends too, with a marker or without.
func (r *Reader) finish() error {
	d := &r.d
	d.r.normalize()
	if d.copying > 0 {
		return errEnd
	}
	if (d.r.code != 0 || d.r.pos < r.end) && d.r.pos <= r.end {
		r.out.wrap(d)
		at := d.pos
		outcome := d.decode(at+1, r.end)
		d.pos = at
		if outcome != marker && d.r.pos <= r.end {
			return errEnd
		}
		d.r.normalize()
	}
	switch {
	case d.r.pos > r.end:
		return io.ErrUnexpectedEOF
	case d.r.code != 0 || d.r.pos < r.end || !r.eof:
		return errEnd
	}
	return io.EOF
}
