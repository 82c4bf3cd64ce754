package s3fs

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/databasement/backup/internal/fakes3"
)

// ledger knows the parts' buffers of a volume.
type ledger struct {
	mu      sync.Mutex
	buffers []weak.Pointer[byte]
}

// keep has the volume enter each new buffer.
func (l *ledger) keep(v *Volume) {
	v.buffers.New = func() any {
		b := make([]byte, v.o.PartSize)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.buffers = append(l.buffers, weak.Make(&b[0]))
		return &b
	}
}

func (l *ledger) made() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buffers)
}

// alive is how many buffers something refers to. What only waits in the volume's pool does not count: two collections empty it.
func (l *ledger) alive() (n int) {
	for range 3 {
		runtime.GC()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.buffers {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// TestBuffers: a Put of any length takes Concurrency+1 parts of memory, whatever happens to the parts.
func TestBuffers(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"slow": {Pause: time.Second}, "dropped": {At: fakes3.Receiving, Bytes: 1000, Drop: true}, "refused early": {Status: 503}, "lost": {At: fakes3.Applied, Drop: true},
	} {
		for _, concurrency := range []int{1, 3} {
			t.Run(fmt.Sprint(what, concurrency), func(t *testing.T) {
				bubble(t, func(o *Options) { o.Concurrency = concurrency }, func(t *testing.T, w *world) {
					l := new(ledger)
					l.keep(w.v)
					w.Faults = func(r fakes3.Request) fakes3.Fault {
						if r.Op == "UploadPart" && r.Attempt == 1 {
							return fault
						}
						return fakes3.Fault{}
					}
					w.put(t, "x", random(1, 12*testPart+5))
					w.stored(t, "x", random(1, 12*testPart+5))
					if n := l.made(); n > concurrency+1 {
						t.Errorf("%d buffers, want %d at most", n, concurrency+1)
					}
				})
			})
		}
	}
}

// TestBuffersOfManyParts: the same of 200 parts.
func TestBuffersOfManyParts(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		l := new(ledger)
		l.keep(w.v)
		data := random(1, 200*testPart)
		w.put(t, "x", data)
		w.stored(t, "x", data)
		if n := l.made(); n > w.v.o.Concurrency+1 {
			t.Errorf("%d buffers", n)
		}
		w.counts(t, map[string]int{"UploadPart": 200})
	})
}

// TestBuffersReused: further Puts, and those that fail, take what earlier ones gave back.
func TestBuffersReused(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		l := new(ledger)
		l.keep(w.v)
		const puts = 30
		for i := range puts {
			if i%3 == 0 {
				_, err := w.v.Put(t.Context(), "x", broken(9*testPart))
				fails(t, err, nil, "the dump has failed")
			} else {
				w.put(t, "x", random(byte(i), 9*testPart))
			}
		}
		// With the race detector a sync.Pool drops a quarter of what it gets.
		if n := l.made(); n > puts*(w.v.o.Concurrency+1)/2 {
			t.Errorf("%d buffers for %d puts", n, puts)
		}
		if n := l.alive(); n != 0 {
			t.Errorf("%d buffers are still held", n)
		}
	})
}

// TestBuffersOfHead: while the late head is waited for, only the first part is held, as other segments need the memory.
func TestBuffersOfHead(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		l := new(ledger)
		l.keep(w.v)
		data := random(1, 20*testPart)
		waiting := -1
		_, err := w.v.PutHead(t.Context(), "x", bytes.NewReader(data), 32, func() ([]byte, error) {
			time.Sleep(time.Hour) // for connections to rest
			waiting = l.alive()
			return make([]byte, 32), nil
		})
		if err != nil || waiting != 1 {
			t.Errorf("%d buffers are held, want 1; %v", waiting, err)
		}
		if n := l.made(); n > w.v.o.Concurrency+2 {
			t.Errorf("%d buffers, want %d at most", n, w.v.o.Concurrency+2)
		}
	})
}

// TestBuffersOfSmall: what is small takes little, however many of them there are at once.
func TestBuffersOfSmall(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.v.o.PartSize = 8 << 20
		l := new(ledger)
		l.keep(w.v)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { w.put(t, fmt.Sprint("x", i), random(1, 1<<20-1)) })
		}
		wg.Wait()
		if n := l.made(); n != 0 {
			t.Errorf("%d parts of memory", n)
		}
	})
}

// TestManyPutsAtOnce: parts of several uploads on one volume do not meet.
func TestManyPutsAtOnce(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Faults = func(r fakes3.Request) fakes3.Fault {
			switch {
			case r.Op != "UploadPart" || r.Attempt > 2:
				return fakes3.Fault{Pause: time.Millisecond}
			case r.Part%3 == 0:
				return fakes3.Fault{Status: 503}
			case r.Part%3 == 1:
				return fakes3.Fault{At: fakes3.Receiving, Bytes: 30000, Drop: true}
			}
			return fakes3.Fault{At: fakes3.Applied, Drop: true}
		}
		var wg sync.WaitGroup
		for i := range byte(8) {
			wg.Go(func() { w.put(t, fmt.Sprint("x", i), random(i, 10*testPart+int(i))) })
		}
		wg.Wait()
		for i := range byte(8) {
			w.stored(t, fmt.Sprint("x", i), random(i, 10*testPart+int(i)))
		}
	})
}

// TestReadMemory: a long read holds the range that is read and those ahead, whatever the object's length.
func TestReadMemory(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		const size = 9 * rangeSize
		w.bucket.Put("x", make([]byte, size), nil)
		r, err := w.v.Open(t.Context(), "x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if n, err := io.Copy(io.Discard, r); n != size || err != nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		a := r.(*ahead)
		if n := len(a.free); n > rangesAhead+1 {
			t.Errorf("%d buffers were used, want %d at most", n, rangesAhead+1)
		}
	})
}
