package method_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// fuzzLimit is the largest size that a fuzzed header says.
const fuzzLimit = 1 << 20

// FuzzOpen decodes anything: no panic and no endless loop, errors of the kinds that are promised, as many bytes as the header
// says, the same bytes however they are read, and no more memory than size and the decoders' fixed tables take.
func FuzzOpen(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(stocks)) {
		s := stocks[name]
		made := s.stored(f, 700)
		made.in = append(made.in, nil, nil, nil)
		f.Add(s.id, s.props, uint32(700), made.in[0], made.in[1], made.in[2], made.in[3])
	}
	f.Fuzz(func(t *testing.T, id uint64, props []byte, size uint32, in0, in1, in2, in3 []byte) {
		size %= fuzzLimit
		in := [][]byte{in0, in1, in2, in3}[:1]
		if method.Name(id) == "BCJ2" {
			in = in[:4]
		}
		s := stored{id, props, in, make([]byte, size)}
		if _, err := method.Open(id, props, uint64(size), make([]io.Reader, len(in))); err != nil {
			checkError(t, err)
			return
		}
		if method.Name(id) == "PPMd" && binary.LittleEndian.Uint32(props[1:]) > 8<<20 {
			return // allocating that is all it would test
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, err := s.read(t, asIs)
		runtime.ReadMemStats(&after)
		if err == nil && len(got) != int(size) {
			t.Errorf("%d bytes, not %d", len(got), size)
		}
		checkError(t, err)
		limit := uint64(32 << 20)
		if method.Name(id) == "Zstandard" {
			limit += method.MaxMemory // its window
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > limit {
			t.Errorf("%d KiB allocated for %d bytes", n>>10, size)
		}
		again, err2 := s.read(t, func(r io.Reader) io.Reader { return pieces{r} })
		if (err == nil) != (err2 == nil) || err == nil && !bytes.Equal(got, again) {
			t.Errorf("read whole: %d bytes, %v; in pieces: %d bytes, %v", len(got), err, len(again), err2)
		}
	})
}

// pieces gives at most 7 bytes at a time.
type pieces struct{ r io.Reader }

func (r pieces) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), 7)]) }
