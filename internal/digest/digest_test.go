package digest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

var sizes = []int{0, 1, blockSize - 1, blockSize, blockSize + 1, 3*blockSize + 7, 5 * blockSize}

func TestWriter(t *testing.T) {
	for _, n := range sizes {
		data := noise(n)
		for name, feed := range map[string]func(w *Writer) error{
			"Write": func(w *Writer) error { _, err := w.Write(data); return err },
			"small Writes": func(w *Writer) error {
				_, err := io.CopyBuffer(struct{ io.Writer }{w}, bytes.NewReader(data), make([]byte, 1000))
				return err
			},
			"ReadFrom":      func(w *Writer) error { _, err := w.ReadFrom(bytes.NewReader(data)); return err },
			"half ReadFrom": func(w *Writer) error { _, err := w.ReadFrom(iotest.HalfReader(bytes.NewReader(data))); return err },
			"EOF with data": func(w *Writer) error { _, err := w.ReadFrom(iotest.DataErrReader(bytes.NewReader(data))); return err },
			"Write and ReadFrom": func(w *Writer) error {
				if _, err := w.Write(data[:n/3]); err != nil {
					return err
				}
				got, err := w.ReadFrom(bytes.NewReader(data[n/3:]))
				if got != int64(n-n/3) {
					t.Errorf("ReadFrom says %d", got)
				}
				return err
			},
		} {
			synctest.Test(t, func(t *testing.T) { // which finds goroutines that stay
				var got bytes.Buffer
				var seen int64
				w := NewWriter(&got, func(n int64) { seen = n })
				if err := feed(w); err != nil {
					t.Fatal(err)
				}
				sum, err := w.Flush()
				if err != nil || sum != sha256.Sum256(data) || !bytes.Equal(got.Bytes(), data) || w.Size() != int64(n) || seen != int64(n) {
					t.Fatalf("%s of %d: size %d, seen %d, %v", name, n, w.Size(), seen, err)
				}
				if _, err := w.Write([]byte("x")); err == nil {
					t.Fatal("Write after Flush succeeds")
				}
				w.Abort()
			})
		}
	}
}

func TestWriterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		w := NewWriter(iotestWriter{full}, func(int64) {})
		_, err := w.Write(noise(2 * blockSize))
		_, again := w.Write([]byte("x"))
		_, flushed := w.Flush()
		if !errors.Is(err, full) || !errors.Is(again, full) || !errors.Is(flushed, full) || !errors.Is(w.Err(), full) {
			t.Fatal(err, again, flushed)
		}
		broken := errors.New("broken source")
		w = NewWriter(io.Discard, func(int64) {})
		n, err := w.ReadFrom(io.MultiReader(bytes.NewReader(noise(1000)), iotest.ErrReader(broken)))
		if n != 1000 || !errors.Is(err, broken) {
			t.Fatal(n, err)
		}
		if _, err := w.ReadFrom(silent{}); !errors.Is(err, io.ErrNoProgress) {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(liar{}); err == nil {
			t.Fatal("an impossible count is accepted")
		}
		w.Abort()
		w.Abort()
	})
}

type iotestWriter struct{ err error }

func (w iotestWriter) Write([]byte) (int, error) { return 0, w.err }

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

type liar struct{}

func (liar) Read(p []byte) (int, error) { return len(p) + 1, nil }

func TestReader(t *testing.T) {
	wrong := errors.New("wrong")
	for _, n := range sizes {
		data := noise(n)
		check := func(size int64, sum Sum) error {
			if size != int64(n) || sum != sha256.Sum256(data) {
				return wrong
			}
			return nil
		}
		synctest.Test(t, func(t *testing.T) {
			ignore := func(int64) {}
			r := NewReader(bytes.NewReader(data), int64(n), ignore, check)
			if err := iotest.TestReader(r, data); err != nil {
				t.Fatal(n, err)
			}
			_ = r.Close()
			var got bytes.Buffer
			r = NewReader(iotest.HalfReader(bytes.NewReader(data)), int64(n), ignore, check)
			if _, err := io.Copy(&got, r); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Fatal(n, err)
			}
			_ = r.Close()
			for what, src := range map[string][]byte{"longer": append(bytes.Clone(data), 1), "shorter": data[:max(0, n-1)], "other": append(bytes.Clone(data[:max(0, n-1)]), 7)} {
				if n == 0 && what != "longer" {
					continue
				}
				for _, copying := range []bool{true, false} {
					r := NewReader(bytes.NewReader(src), int64(n), ignore, check)
					var got bytes.Buffer
					var w io.Writer = &got
					var err error
					if copying {
						_, err = io.Copy(w, r)
					} else {
						_, err = io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{r})
					}
					if !errors.Is(err, wrong) || got.Len() > n {
						t.Fatalf("%s than %d: %d bytes, then %v", what, n, got.Len(), err)
					}
					_ = r.Close()
				}
			}
		})
	}
}

func TestReaderClosedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(bytes.NewReader(noise(3*blockSize)), 3*blockSize, func(int64) {}, func(int64, Sum) error { return nil })
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Fatal(err)
		}
		full := errors.New("full")
		r = NewReader(bytes.NewReader(noise(10)), 10, func(int64) {}, func(int64, Sum) error { return nil })
		if _, err := r.WriteTo(iotestWriter{full}); !errors.Is(err, full) {
			t.Fatal(err)
		}
		_ = r.Close()
	})
}
