// Package ppmd decodes PPMd variant H (PPMd7) with the range coder of .7z: prediction by partial matching, by Dmitry Shkarin.
// The format is that of Ppmd7.c and Ppmd7Dec.c in the LZMA SDK (https://www.7-zip.org/sdk.html).
package ppmd

import (
	"errors"
	"io"
)

// What a Reader's parameters may be.
const (
	MinOrder, MaxOrder   = 2, 64
	MinMemory, MaxMemory = 1 << 11, 1<<32 - 1 - 12*3 // bytes
)

var (
	errParameter = errors.New("ppmd: impossible order or memory")
	errDamaged   = errors.New("ppmd: impossible data")
	errSize      = errors.New("ppmd: the stream does not end where it should")
)

// Reader yields the plain bytes of a stream.
type Reader struct {
	in   io.ByteReader
	m    model
	left uint64 // plain bytes
	err  error

	rng, low uint32 // of the range decoder

	masked     [256]bool // symbols that contexts which escaped have
	candidates [256]ref  // the others of a context
}

// NewReader returns a reader of the size plain bytes of a stream that ends with in; it reads not more of in than there is of the
// stream. order is the longest context that its model has, in bytes, and memory how many bytes the model takes, all of
// which are allocated. Data that no encoder writes is an error; data that ends early is io.ErrUnexpectedEOF.
func NewReader(in io.ByteReader, order int, memory, size uint64) (*Reader, error) {
	if order < MinOrder || order > MaxOrder || memory < MinMemory || memory > MaxMemory {
		return nil, errParameter
	}
	r := &Reader{in: in, left: size}
	r.m.order = order
	r.m.mem = make([]byte, memory)
	r.m.restart()
	r.begin()
	return r, nil
}

func (r *Reader) Read(p []byte) (n int, err error) {
	for n < len(p) && r.left > 0 && r.err == nil {
		b := r.decode()
		if r.err != nil {
			break
		}
		p[n] = b
		n++
		if r.left--; r.left == 0 && r.low != 0 {
			r.err = errSize
		}
	}
	if r.left == 0 && r.err == nil {
		r.err = io.EOF
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// begin reads what the range coder begins with.
func (r *Reader) begin() {
	first := r.readByte()
	for range 4 {
		r.low = r.low<<8 | uint32(r.readByte())
	}
	r.rng = 1<<32 - 1
	if r.err == nil && (first != 0 || r.low == r.rng) {
		r.err = errDamaged
	}
}

func (r *Reader) readByte() byte {
	b, err := r.in.ReadByte()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && r.err == nil {
		r.err = err
	}
	return b
}

// threshold divides the range by total, and says in which part the next symbol is.
func (r *Reader) threshold(total uint32) uint32 {
	r.rng /= total
	return r.low / r.rng
}

// narrow makes the range what begins at start and is so many parts long.
func (r *Reader) narrow(start, size uint32) {
	r.low -= start * r.rng
	r.rng *= size
	r.normalize()
}

func (r *Reader) normalize() {
	for r.rng < 1<<24 && r.err == nil {
		if r.rng == 0 {
			r.err = errDamaged
		}
		r.low = r.low<<8 | uint32(r.readByte())
		r.rng <<= 8
	}
}
