// Package sink is the way from an encoder to its destination.
package sink

import (
	"context"
	"io"
)

// Sink writes to Dst. It minds Ctx, and after the first error, which may be set from outside, it only repeats that.
type Sink struct {
	Ctx context.Context
	Dst io.Writer
	Err error
}

// Failed is the error that writing would give, without writing.
func (s *Sink) Failed() error {
	if s.Err == nil {
		s.Err = context.Cause(s.Ctx)
	}
	return s.Err
}

func (s *Sink) Write(p []byte) (int, error) {
	if s.Failed() != nil {
		return 0, s.Err
	}
	n, err := s.Dst.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	s.Err = err
	return n, err
}
