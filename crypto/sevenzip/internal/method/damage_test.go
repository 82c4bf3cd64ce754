package method_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// with returns s with another stream for input i.
func (s stored) with(i int, b []byte) stored {
	s.in = slices.Clone(s.in)
	s.in[i] = b
	return s
}

// each runs f on a small stream of every method.
func each(t *testing.T, f func(t *testing.T, s stock, made stored)) {
	for name, s := range stocks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, s, s.stored(t, 400))
		})
	}
}

func TestTruncated(t *testing.T) {
	each(t, func(t *testing.T, s stock, made stored) {
		for i := range made.in {
			for n := range made.in[i] {
				got, err := made.with(i, made.in[i][:n]).read(t, asIs)
				if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, crypto.ErrDamaged) {
					t.Errorf("input %d, %d of %d bytes: %v", i, n, len(made.in[i]), err)
				}
				if !bytes.HasPrefix(made.plain, got) && !s.noEnd {
					t.Errorf("input %d, %d of %d bytes: wrong data", i, n, len(made.in[i]))
				}
			}
		}
	})
}

// TestInputFails: an input's error is no damage, even if it is io.ErrUnexpectedEOF.
func TestInputFails(t *testing.T) {
	broken := errors.New("the network is gone")
	each(t, func(t *testing.T, s stock, made stored) {
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			for n := 0; n <= len(made.in[0]); n += 1 + len(made.in[0])/40 {
				_, err := made.with(0, made.in[0][:n]).read(t, func(r io.Reader) io.Reader {
					return io.MultiReader(r, iotest.ErrReader(cause))
				})
				if err != cause {
					t.Errorf("after %d bytes: %v, want %v", n, err, cause)
				}
			}
		}
	})
}

// step thins out the bits that are flipped, unless BACKUP_LONG_TESTS is 1: it is odd, so that all bits of a byte have their turn.
func step() int {
	if os.Getenv("BACKUP_LONG_TESTS") == "1" {
		return 1
	}
	return 7
}

// TestFlipped: one bit that is another is an error or, as there is no checksum, other bytes, as many as the header says.
func TestFlipped(t *testing.T) {
	each(t, func(t *testing.T, s stock, made stored) {
		for i := range made.in {
			for bit := 0; bit < 8*len(made.in[i]); bit += step() {
				bad := bytes.Clone(made.in[i])
				bad[bit/8] ^= 1 << (bit % 8)
				got, err := made.with(i, bad).read(t, asIs)
				if err == nil && len(got) != len(made.plain) {
					t.Errorf("input %d, bit %d: %d bytes and no error", i, bit, len(got))
				}
				checkError(t, err)
			}
		}
	})
}

// checkError: an error is of one of the three kinds.
func checkError(t testing.TB, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an error of no kind: %v", err)
	}
}

// TestOtherSize: the header does not say what the stream says.
func TestOtherSize(t *testing.T) {
	each(t, func(t *testing.T, s stock, made stored) {
		for _, size := range []int{0, 1, len(made.plain) - 1, len(made.plain) + 1, 2 * len(made.plain)} {
			other := made
			other.plain = make([]byte, size)
			got, err := other.read(t, asIs)
			certain := s.id != 0x030401 || size == 0 // the last symbols of PPMd may leave no trace
			if err == nil && certain || len(got) > size {
				t.Errorf("%d bytes, the header says %d: %d, %v", len(made.plain), size, len(got), err)
			}
			checkError(t, err)
		}
	})
}

func TestTrailingGarbage(t *testing.T) {
	each(t, func(t *testing.T, s stock, made stored) {
		for i := range made.in {
			for _, garbage := range []string{"x", "\x00", "\x00\x00\x00\x00\x00\x00", strings.Repeat("garbage", 100)} {
				got, err := made.with(i, append(slices.Clone(made.in[i]), garbage...)).read(t, asIs)
				if err == nil || !bytes.HasPrefix(made.plain, got) {
					t.Errorf("%q after input %d: %d bytes, %v", garbage, i, len(got), err)
				}
				checkError(t, err)
			}
		}
	})
}

// TestReader: whatever the pieces in which is read, and whatever those that come in.
func TestReader(t *testing.T) {
	for name, s := range stocks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := s.stored(t, 70_000/s.slowness())
			for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
				r := made.open(t, wrap)
				if err := iotest.TestReader(r, made.plain); err != nil {
					t.Error(err)
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
				r.Close()
			}
		})
	}
}

// TestClose: no goroutine is left, and none is needed for what was read before.
func TestClose(t *testing.T) {
	each(t, func(t *testing.T, s stock, _ stored) {
		size := 300_000 / s.slowness()
		made := s.stored(t, size)
		synctest.Test(t, func(t *testing.T) {
			for _, n := range []int{0, 1, size / 2} {
				r := made.open(t, asIs)
				if _, err := io.CopyN(io.Discard, r, int64(n)); err != nil {
					t.Error(err)
				}
				for range 2 {
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrClosed) {
					t.Errorf("read after Close: %d, %v", n, err)
				}
			}
		})
	})
}

func TestRefused(t *testing.T) {
	unsupported, damaged := []string{"is not supported", "stock 7-Zip"}, []string{"impossible properties", "damaged"}
	const all = math.MaxUint64
	for _, test := range []struct {
		name  string
		id    uint64
		props string
		size  uint64
		says  []string
	}{
		{"unknown", 0x06f10799, "", 1, append([]string{"06F10799"}, unsupported...)},
		{"LZMA2 of 4 GiB", 0x21, "\x28", 1, []string{"LZMA2 asks for 4096 MiB", "more than 256 MiB", "7zz x"}},
		{"LZMA2 of 384 MiB", 0x21, "\x21", all, []string{"LZMA2 asks for 384 MiB"}},
		{"LZMA of 4 GiB", 0x030101, "\x5d\xff\xff\xff\xff", all, []string{"LZMA asks for 4096 MiB"}},
		{"LZMA of 256 MiB and one", 0x030101, "\x5d\x01\x00\x00\x10", all, []string{"LZMA asks for 257 MiB"}},
		{"LZMA2 with properties 41", 0x21, "\x29", 1, damaged},
		{"LZMA2 without properties", 0x21, "", 1, damaged},
		{"LZMA with lc, lp and pb of too much", 0x030101, "\xe1\x00\x00\x10\x00", 1, damaged},
		{"LZMA with short properties", 0x030101, "\x5d\x00\x00\x10", 1, damaged},
		{"PPMd of 4 GiB", 0x030401, "\x06\xff\xff\xff\xff", all, []string{"PPMd asks for 4096 MiB"}},
		{"PPMd of 2047 bytes", 0x030401, "\x06\xff\x07\x00\x00", all, damaged},
		{"PPMd of order 65", 0x030401, "\x41\x00\x00\x01\x00", all, damaged},
		{"PPMd of order 1", 0x030401, "\x01\x00\x00\x01\x00", all, damaged},
		{"PPMd without properties", 0x030401, "", all, damaged},
		{"Copy with properties", 0x00, "x", 1, damaged},
		{"Deflate with properties", 0x040108, "x", 1, damaged},
		{"BZip2 with properties", 0x040202, "x", 1, damaged},
		{"Delta without", 0x03, "", 1, damaged},
		{"ARM64 from an odd address", 0x0a, "\x02\x00\x00\x00", 1, damaged},
		{"BCJ with properties", 0x03030103, "\x02", 1, damaged},
		{"Zstandard with long properties", 0x04f71101, "123456", 1, damaged},
		{"BCJ2 with properties and one input", 0x0303011b, "x", 1, []string{"1 inputs, not 4", "damaged"}},
		{"BCJ2 with one input", 0x0303011b, "", 1, []string{"1 inputs, not 4", "damaged"}},
	} {
		_, err := method.Open(test.id, []byte(test.props), test.size, []io.Reader{strings.NewReader("")})
		if err == nil {
			t.Errorf("%s is accepted", test.name)
			continue
		}
		checkError(t, err)
		for _, want := range test.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, want %q", test.name, err, want)
			}
		}
	}
}

// TestZstandardWindow: what a frame's header asks for is refused, like the properties of others.
func TestZstandardWindow(t *testing.T) {
	frame := []byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00") // of nothing, with 256 MiB
	made := stored{0x04f71101, nil, [][]byte{frame}, nil}
	if _, err := made.read(t, asIs); err != nil {
		t.Error(err)
	}
	frame[5]++
	_, err := made.read(t, asIs)
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "a window of more than 256 MiB") {
		t.Error(err)
	}
}

// TestMemory: as much as a hostile header asks for is not allocated for a small stream.
func TestMemory(t *testing.T) {
	for name, s := range stocks {
		made := s.stored(t, 400)
		switch s.id {
		case 0x21:
			made.props = []byte{32} // 256 MiB
		case 0x030101:
			made.props = []byte{93, 0, 0, 0, 16}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got, err := made.read(t, asIs); err != nil || !bytes.Equal(got, made.plain) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d KiB allocated", name, n>>10)
		}
	}
}

func TestName(t *testing.T) {
	for id, want := range map[uint64]string{0x21: "LZMA2", 0x0303011b: "BCJ2", 0x04: "BCJ", 0x06f10701: "06F10701", 0x7f: "7F"} {
		if got := method.Name(id); got != want {
			t.Errorf("%#x is %q, want %q", id, got, want)
		}
	}
}
