package crypto

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// errClosed is what using something after its Close gives.
var errClosed = errors.New("used after Close")

// intake is the way from a stored stream: it minds ctx, knows a real end from an
// io.ErrUnexpectedEOF of the layer below, and after the first error only repeats that.
type intake struct {
	ctx context.Context
	src io.Reader
	err error
}

func (s *intake) Read(p []byte) (int, error) {
	if s.err == nil {
		s.err = context.Cause(s.ctx)
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.src.Read(p)
	if n < 0 || n > len(p) {
		n, err = 0, fmt.Errorf("the source returned %d of %d bytes", n, len(p))
	}
	s.err = err
	return n, err
}

// failed is the error that ended the stream, nil for io.EOF.
func (s *intake) failed() error {
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

// fill reads until p is full or the source ends, and says which: err is io.EOF then.
func (s *intake) fill(p []byte) (n int, err error) {
	for idle := 0; n < len(p) && err == nil; idle++ {
		var m int
		m, err = s.Read(p[n:])
		if n += m; m > 0 {
			idle = 0
		} else if err == nil && idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	if n == len(p) {
		return n, nil // an error that came with the last byte is repeated
	}
	return n, err
}
