package s3fs

import (
	"context"
	"io"
	"sync"
)

// rangesAhead is how many ranges a long read has on their way, beside the one being read.
const rangesAhead = 3

// ahead reads a long stretch of an object: ranges are fetched whole, some in advance, so that however slow the
// reader is, no connection waits for it.
type ahead struct {
	ctx    context.Context
	cancel context.CancelFunc
	like   section // what all ranges have in common
	end    int64   // of the whole
	next   int64   // where the next range to ask for begins
	queue  []*stretch
	cur    []byte // the range being read
	rest   []byte // what is left of it
	free   [][]byte
	wg     sync.WaitGroup
	err    error
}

// stretch is a range on its way, or here.
type stretch struct {
	buf  []byte
	done chan struct{}
	err  error // after done
}

// newAhead goes on from the first range, which has been opened with a ctx that cancel ends.
func newAhead(first *section, n int64, cancel context.CancelFunc) *ahead {
	a := &ahead{ctx: first.ctx, cancel: cancel, end: first.size, next: first.end}
	if n >= 0 && n < a.end-first.off {
		a.end = first.off + n
	}
	a.like = *first
	a.like.body = nil
	a.start(first)
	return a
}

// start fetches s beside the others.
func (a *ahead) start(s *section) {
	f := &stretch{done: make(chan struct{})}
	if k := len(a.free); k > 0 {
		f.buf, a.free = a.free[k-1], a.free[:k-1]
	}
	size := int(s.end - s.off)
	if cap(f.buf) < size {
		f.buf = make([]byte, size)
	}
	f.buf = f.buf[:size]
	a.queue = append(a.queue, f)
	a.wg.Go(func() {
		defer close(f.done)
		defer s.Close()
		_, f.err = io.ReadFull(s, f.buf)
		if f.err == nil {
			f.err = atEnd(s)
		}
	})
}

// atEnd reads the io.EOF that must follow.
func atEnd(s *section) error {
	if _, err := s.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}

func (a *ahead) Read(p []byte) (int, error) {
	if len(p) == 0 || a.err != nil {
		return 0, a.err
	}
	if cause := ended(a.ctx); cause != nil {
		a.err = a.like.v.error("read", a.like.name, cause)
		return 0, a.err
	}
	for len(a.rest) == 0 {
		if a.err = a.turn(); a.err != nil {
			return 0, a.err
		}
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// turn goes on to the next range, and asks for those after it.
func (a *ahead) turn() error {
	if a.cur != nil {
		a.free, a.cur = append(a.free, a.cur), nil
	}
	for len(a.queue) <= rangesAhead && a.next < a.end {
		s := a.like
		s.off, s.end = a.next, min(a.next+rangeSize, a.end)
		a.next = s.end
		a.start(&s)
	}
	if len(a.queue) == 0 {
		return io.EOF
	}
	f := a.queue[0]
	<-f.done // its own ctx ends it
	if f.err != nil {
		return f.err
	}
	a.cur, a.rest = f.buf, f.buf
	a.queue = a.queue[1:]
	return nil
}

func (a *ahead) Close() error {
	a.cancel()
	a.wg.Wait()
	if a.err == nil {
		a.err = a.like.v.error("read", a.like.name, io.ErrClosedPipe)
	}
	return nil
}
