package verified

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// store cuts data into objects of the given sizes, and describes them.
func store(t *testing.T, vol storage.Volume, data []byte, chunk int64, sizes ...int) []Segment {
	t.Helper()
	var segments []Segment
	for i, n := range sizes {
		object := fmt.Sprintf("o%d", i)
		part := data[:n]
		data = data[n:]
		if _, err := vol.Put(t.Context(), object, bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
		var sums []manifest.Digest
		for rest := part; len(rest) > 0; {
			c := rest[:min(int64(len(rest)), chunk)]
			sums, rest = append(sums, sha256.Sum256(c)), rest[len(c):]
		}
		segments = append(segments, Segment{object, int64(n), func(context.Context) ([]manifest.Digest, error) { return sums, nil }})
	}
	return segments
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(b)
	return b
}

func TestReader(t *testing.T) {
	for _, sizes := range [][]int{{0}, {1}, {99}, {100}, {101}, {1000}, {250, 250, 250}, {100, 100}, {1, 2, 3, 400}, {1000, 999, 1}} {
		total := 0
		for _, n := range sizes {
			total += n
		}
		data := noise(total)
		synctest.Test(t, func(t *testing.T) {
			vol := storage.Memory()
			segments := store(t, vol, data, 100, sizes...)
			var last int64
			var mu sync.Mutex
			r := New(t.Context(), Config{Volume: vol, Segments: segments, Chunk: 100, Progress: func(n int64) { mu.Lock(); last = n; mu.Unlock() }})
			if r.Size() != int64(total) {
				t.Fatalf("size %d", r.Size())
			}
			if err := iotest.TestReader(r, data); err != nil {
				t.Fatal(sizes, err)
			}
			_ = r.Close()
			if last < int64(total) { // more, when something was read twice
				t.Fatalf("progress ends at %d of %d", last, total)
			}
			r = New(t.Context(), Config{Volume: vol, Segments: segments, Chunk: 100})
			defer r.Close()
			for range 200 {
				off := rand.IntN(total + 1)
				p := make([]byte, rand.IntN(total+2))
				n, err := r.ReadAt(p, int64(off))
				want := min(len(p), total-off)
				if n != want || !bytes.Equal(p[:n], data[off:off+n]) || err != nil && (err != io.EOF || n == len(p)) || err == nil && n < len(p) {
					t.Fatalf("%v: ReadAt(%d, %d) = %d, %v", sizes, len(p), off, n, err)
				}
			}
			if _, err := r.ReadAt(nil, -1); err == nil {
				t.Fatal("a negative offset is accepted")
			}
		})
	}
}

func TestConcurrentReadAt(t *testing.T) {
	data := noise(5000)
	vol := storage.Memory()
	r := New(t.Context(), Config{Volume: vol, Segments: store(t, vol, data, 100, 5000), Chunk: 100})
	defer r.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				off := rand.IntN(5000)
				p := make([]byte, rand.IntN(5000-off)+1)
				if _, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, data[off:off+len(p)]) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestNothingUnverifiedComesOut(t *testing.T) {
	data := noise(1000)
	for _, kind := range []storagetest.Kind{storagetest.FlipBit, storagetest.ShortBody, storagetest.Fail} {
		synctest.Test(t, func(t *testing.T) {
			vol := storage.Memory()
			segments := store(t, vol, data, 100, 1000)
			fault := storagetest.NewFaulty(vol, 7)
			fault.Inject(storagetest.Fault{Op: "Read", Kind: kind, Nth: 5}, storagetest.Fault{Op: "Read", Kind: kind, Nth: 6},
				storagetest.Fault{Op: "Read", Kind: kind, Nth: 7}, storagetest.Fault{Op: "Read", Kind: kind, Nth: 8})
			var warned atomic.Int32
			r := New(t.Context(), Config{Volume: fault, Segments: segments, Chunk: 100, Again: func(error) { warned.Add(1) }})
			defer r.Close()
			got, err := io.ReadAll(r)
			if !bytes.HasPrefix(data, got) || err == nil && len(got) != len(data) {
				t.Fatalf("%v: %d bytes, %v", kind, len(got), err)
			}
			if warned.Load() == 0 {
				t.Fatal("nobody was told")
			}
		})
	}
}

func TestWrongSizeIsDamage(t *testing.T) {
	for _, n := range []int{99, 101} {
		vol := storage.Memory()
		segments := store(t, vol, noise(100), 100, 100)
		if _, err := vol.Put(t.Context(), "o0", bytes.NewReader(noise(n))); err != nil {
			t.Fatal(err)
		}
		r := New(t.Context(), Config{Volume: vol, Segments: segments, Chunk: 100})
		if _, err := io.ReadAll(r); !errors.Is(err, manifest.ErrDamaged) {
			t.Fatal(err)
		}
		_ = r.Close()
	}
}

func TestClose(t *testing.T) {
	vol := storage.Memory()
	r := New(t.Context(), Config{Volume: vol, Segments: store(t, vol, noise(1000), 100, 1000), Chunk: 100})
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := r.Read(make([]byte, 10)); err == nil || err == io.EOF {
		t.Fatalf("Read after Close: %v", err)
	}
}
