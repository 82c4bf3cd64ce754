package compress_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/databasement/backup/compress"
)

var errDisk = errors.New("disk full")

// failing fails the nth Write, counted from 0, and every later one.
type failing struct {
	n, calls int
	late     int // writes after the failed one
}

func (f *failing) Write(p []byte) (int, error) {
	f.calls++
	if f.calls <= f.n {
		return len(p), nil
	}
	if f.calls > f.n+1 {
		f.late++
	}
	return len(p) / 2, errDisk
}

func TestFailingDestination(t *testing.T) {
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			data := several(c)
			var all failing
			all.n = 1 << 30
			writeAll(t, c, &all, data)
			step := max(1, all.calls/4)
			for n := 0; n < all.calls; n += step {
				dst := &failing{n: n}
				if err := writeAll(t, c, dst, data); !errors.Is(err, errDisk) {
					t.Errorf("write %d of %d failed: %v", n, all.calls, err)
				}
				if dst.late > 0 {
					t.Errorf("write %d of %d failed, and %d followed", n, all.calls, dst.late)
				}
			}
		})
	}
}

// writeAll returns the error of Write or Close, and checks that it is sticky and that nothing runs on.
func writeAll(t *testing.T, c compress.Compressor, dst io.Writer, data []byte) error {
	t.Helper()
	before := runtime.NumGoroutine()
	w, err := c.Compress(dst)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 && err == nil {
		n := min(len(data), 700_001)
		_, err = w.Write(data[:n])
		data = data[n:]
	}
	if err != nil {
		if _, again := w.Write([]byte("x")); !errors.Is(again, err) {
			t.Errorf("Write after %v: %v", err, again)
		}
	}
	closeErr := w.Close()
	noneLeft(t, before)
	if err != nil && !errors.Is(closeErr, err) {
		t.Errorf("Close after %v: %v", err, closeErr)
	}
	if again := w.Close(); again != closeErr {
		t.Errorf("second Close: %v, then %v", closeErr, again)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Close succeeds")
	}
	return closeErr
}

// noneLeft fails if more goroutines run than before. Ended ones may take a moment to be gone.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Fatalf("goroutines left: %s", buf[:runtime.Stack(buf, true)])
}

func TestReaderClosedEarly(t *testing.T) {
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			data := several(c)
			stored := pack(t, c, data)
			for _, src := range []io.Reader{
				bytes.NewReader(stored),
				io.MultiReader(bytes.NewReader(stored[:len(stored)/2]), iotest.ErrReader(errDisk)),
			} {
				for _, n := range []int64{0, 1, 1 << 20} {
					before := runtime.NumGoroutine()
					r, err := c.Decompress(src)
					if err != nil {
						t.Fatal(err)
					}
					io.CopyN(io.Discard, r, n)
					if err := r.Close(); err != nil {
						t.Error(err)
					}
					noneLeft(t, before)
					if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
						t.Errorf("Read after Close: %v", err)
					}
				}
			}
		})
	}
}

// TestConcurrentUse: one Compressor serves several streams at a time.
func TestConcurrentUse(t *testing.T) {
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			data := text(600_000)
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					plain := data[i<<16:]
					if got, err := unpack(t, c, bytes.NewReader(pack(t, c, plain))); err != nil || !bytes.Equal(got, plain) {
						t.Errorf("stream %d: %d bytes, %v", i, len(got), err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestDeterministic: the same input gives the same bytes, however it is written and
// however many workers there are.
func TestDeterministic(t *testing.T) {
	for name, mk := range map[string]func(n int) compress.Compressor{
		"gzip": func(n int) compress.Compressor { return compress.Gzip(&compress.GzipOptions{Concurrency: n}) },
		"zstd": func(n int) compress.Compressor { return compress.Zstd(&compress.ZstdOptions{Concurrency: n}) },
		"xz": func(n int) compress.Compressor {
			return compress.XZ(&compress.XZOptions{Fastest: true, Concurrency: n})
		},
	} {
		data := several(mk(1))
		var b bytes.Buffer
		writeAll(t, mk(1), &b, data)
		if !bytes.Equal(b.Bytes(), pack(t, mk(4), data)) {
			t.Errorf("%s: 1 and 4 workers write different bytes", name)
		}
	}
}

func TestLevels(t *testing.T) {
	for _, tt := range []struct {
		c    compress.Compressor
		want string // in the error; empty for a good level
	}{
		{compress.Gzip(&compress.GzipOptions{Level: 1}), ""},
		{compress.Gzip(&compress.GzipOptions{Level: 9}), ""},
		{compress.Gzip(&compress.GzipOptions{Level: 10}), "1 to 9"},
		{compress.Gzip(&compress.GzipOptions{Level: -1}), "1 to 9"},
		{compress.Zstd(&compress.ZstdOptions{Level: 19}), ""},
		{compress.Zstd(&compress.ZstdOptions{Level: 20}), "1 to 19"},
		{compress.Zstd(&compress.ZstdOptions{Level: -1}), "1 to 19"},
		{compress.XZ(&compress.XZOptions{Level: 9}), ""},
		{compress.XZ(&compress.XZOptions{Fastest: true}), ""},
		{compress.XZ(&compress.XZOptions{Level: 10}), "0 to 9"},
		{compress.XZ(&compress.XZOptions{Level: 3, Fastest: true}), "Fastest"},
		{compress.None, ""},
	} {
		err := compress.Validate(tt.c)
		_, compressErr := tt.c.Compress(io.Discard)
		if (err == nil) != (compressErr == nil) {
			t.Errorf("%v: Validate says %v, Compress %v", tt.c, err, compressErr)
		}
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v: %v, want %q", tt.c, err, tt.want)
		}
	}
}

func TestParams(t *testing.T) {
	for _, tt := range []struct {
		c              compress.Compressor
		level, encoder string
	}{
		{compress.Gzip(nil), "6", ""},
		{compress.Zstd(nil), "3", "default"},
		{compress.Zstd(&compress.ZstdOptions{Level: 1}), "1", "fastest"},
		{compress.Zstd(&compress.ZstdOptions{Level: 6}), "6", "better"},
		{compress.Zstd(&compress.ZstdOptions{Level: 19}), "19", "best"},
		{compress.XZ(nil), "6", ""},
		{compress.XZ(&compress.XZOptions{Fastest: true}), "0", ""},
	} {
		if p := tt.c.Params(); p["level"] != tt.level || p["encoder"] != tt.encoder {
			t.Errorf("%s: %v, want level %s, encoder %s", tt.c.Name(), p, tt.level, tt.encoder)
		}
	}
}

func TestByName(t *testing.T) {
	for _, tt := range []struct {
		name  string
		level int
		want  string // its level; empty for an error
	}{
		{"zstd", compress.DefaultLevel, "3"},
		{"zstd", 7, "7"},
		{"zstd", 0, ""},
		{"zstd", 20, ""},
		{"gzip", compress.DefaultLevel, "6"},
		{"gzip", 0, ""},
		{"gzip", 9, "9"},
		{"xz", compress.DefaultLevel, "6"},
		{"xz", 0, "0"},
		{"xz", 9, "9"},
		{"xz", -2, ""},
		{"none", 3, ""},
		{"bzip2", compress.DefaultLevel, ""},
		{"", compress.DefaultLevel, ""},
	} {
		c, err := compress.ByName(tt.name, tt.level)
		if (err != nil) != (tt.want == "") || err == nil && c.Params()["level"] != tt.want {
			t.Errorf("ByName(%q, %d) = %v, %v; want level %q", tt.name, tt.level, c, err, tt.want)
		}
	}
	for _, c := range compress.All() {
		if d, err := compress.ByName(c.Name(), compress.DefaultLevel); err != nil || d != c {
			t.Errorf("ByName(%q) = %v, %v", c.Name(), d, err)
		}
		if d, ok := compress.ByExtension(c.Extension()); !ok || d != c {
			t.Errorf("ByExtension(%q) = %v, %v", c.Extension(), d, ok)
		}
	}
	if c, ok := compress.ByExtension(".bz2"); ok {
		t.Errorf("ByExtension(.bz2) = %v", c)
	}
}
