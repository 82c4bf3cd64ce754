package method_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// lzma2Block makes one block, without the end of a stream.
func lzma2Block(t *testing.T, plain []byte) []byte {
	b := tool(t, plain, "xz", "--format=raw", "--lzma2=preset=0,dict=1MiB", "-c")
	return b[:len(b)-1]
}

// eightWorkers makes the room for one block 28 MiB.
func eightWorkers(t *testing.T) {
	n := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(n) })
}

// TestLZMA2LargeBlock: a block that has no room is streamed, with all that follows.
func TestLZMA2LargeBlock(t *testing.T) {
	eightWorkers(t)
	small, large := text(100_000), bytes.Repeat(text(1500), 20_000)
	a, b := lzma2Block(t, small), lzma2Block(t, large)
	made := stored{0x21, []byte{16}, [][]byte{slices.Concat(a, a, b, a, b, a, []byte{0})},
		slices.Concat(small, small, large, small, large, small)}
	if got, err := made.read(t, asIs); err != nil || !bytes.Equal(got, made.plain) {
		t.Errorf("%d bytes came back as %d: %v", len(made.plain), len(got), err)
	}
	for _, n := range []int{2 * len(a), 2*len(a) + len(b)/2, 2*len(a) + len(b), len(made.in[0]) - 1} {
		got, err := made.with(0, made.in[0][:n]).read(t, asIs)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) < 2*len(small) || !bytes.HasPrefix(made.plain, got) {
			t.Errorf("%d of %d bytes: %d bytes, %v", n, len(made.in[0]), len(got), err)
		}
	}
	garbage := append(slices.Clone(made.in[0]), 0)
	if _, err := made.with(0, garbage).read(t, asIs); !errors.Is(err, crypto.ErrDamaged) {
		t.Errorf("after the end: %v", err)
	}
}

// TestLZMA2Memory: blocks as large as there is room for, of which the stream is much smaller.
func TestLZMA2Memory(t *testing.T) {
	eightWorkers(t)
	plain := make([]byte, 28<<20)
	block := lzma2Block(t, plain)
	synctest.Test(t, func(t *testing.T) {
		r, err := method.Open(0x21, []byte{16}, uint64(20*len(plain)), []io.Reader{bytes.NewReader(bytes.Repeat(block, 20))})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 2 * len(plain) / (1 << 20) {
			if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		runtime.ReadMemStats(&after)
		if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > method.MaxMemory+8<<20 {
			t.Errorf("%d MiB in use", n>>20)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
