package storagetest

import (
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	// chunk is what most volumes cut a stream into; sizes around it are where they fail.
	chunk = 8 * mib
)

// large is where the data of the big objects comes from. No two parts of it are alike.
var large = sync.OnceValue(func() []byte { return content(1, 33*mib) })

// content returns n bytes that only this seed gives.
func content(seed uint64, n int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(data) // never fails
	return data
}

// scratch is what a scribbling source leaves behind the data.
var scratch = [64]byte{0: 0xee, 1: 0xee, 63: 0xee}

// source is the r of a Put: it yields data in the manner that it is told to, and
// notes what a volume must not do to its reader.
type source struct {
	data     []byte
	step     int            // yield so many bytes at once at most; 0: as many as fit
	zeros    bool           // let each read that yields something follow one of (0, nil)
	scribble bool           // use p behind the data as scratch space, as io.Reader allows
	before   func(done int) // called before each Read with the bytes yielded so far
	end      error          // instead of io.EOF
	together bool           // return end with the last bytes
	done     int            // bytes yielded
	ended    bool           // end was returned
	zero     bool           // the last read was (0, nil)
	busy     atomic.Bool    // in Read
	returned atomic.Bool    // the Put is over
	closed   atomic.Bool    // a source has a Close, to catch a volume that closes what it can
	overlap  atomic.Bool    // two Reads at once
	late     atomic.Bool    // a Read after the Put was over
}

func (s *source) Read(p []byte) (int, error) {
	if s.returned.Load() {
		s.late.Store(true)
		return 0, io.ErrClosedPipe
	}
	if !s.busy.CompareAndSwap(false, true) {
		s.overlap.Store(true)
		return 0, io.ErrClosedPipe
	}
	defer s.busy.Store(false)
	if s.before != nil {
		s.before(s.done)
	}
	if s.zeros && !s.zero {
		s.zero = true
		return 0, nil
	}
	s.zero = false
	return s.read(p)
}

func (s *source) read(p []byte) (int, error) {
	end := s.end
	if end == nil {
		end = io.EOF
	}
	if s.done == len(s.data) {
		s.ended = true
		return 0, end
	}
	q := p
	if s.step > 0 {
		q = p[:min(s.step, len(p))]
	}
	n := copy(q, s.data[s.done:])
	s.done += n
	if s.scribble {
		copy(p[n:], scratch[:])
	}
	if s.together && s.done == len(s.data) {
		s.ended = true
		return n, end
	}
	return n, nil
}

func (s *source) Close() error {
	s.closed.Store(true)
	return nil
}

// over is called when the Put has returned; failed waits a moment for a read that comes late.
func (s *source) over(t testing.TB, what string, failed bool) {
	t.Helper()
	s.returned.Store(true)
	if failed {
		time.Sleep(2 * time.Millisecond)
	}
	if s.closed.Load() {
		t.Errorf("%s closed its reader; that is the caller's", what)
	}
	if s.overlap.Load() {
		t.Errorf("%s called Read while another Read was in progress", what)
	}
	if s.busy.Load() || s.late.Load() {
		t.Errorf("%s still read from its reader after it had returned", what)
	}
}
