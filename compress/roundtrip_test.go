package compress_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/databasement/backup/compress"
)

// compressors are all formats with the settings that change what is written.
var compressors = map[string]compress.Compressor{
	"none":        compress.None,
	"gzip":        compress.Gzip(nil),
	"gzip 1":      compress.Gzip(&compress.GzipOptions{Level: 1, Concurrency: 3}),
	"gzip 9":      compress.Gzip(&compress.GzipOptions{Level: 9}),
	"zstd":        compress.Zstd(nil),
	"zstd 1":      compress.Zstd(&compress.ZstdOptions{Level: 1, Concurrency: 1}),
	"zstd 19":     compress.Zstd(&compress.ZstdOptions{Level: 19}),
	"zstd single": compress.Zstd(&compress.ZstdOptions{SingleFrame: true}),
	"xz":          compress.XZ(nil),
	"xz fastest":  compress.XZ(&compress.XZOptions{Fastest: true}),
}

// text is like a dump: repetitive, but with much that differs.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO orders VALUES (%d,%d,'customer-%x','%d.%02d EUR');\n",
			i, r.IntN(5000), r.Uint32(), r.IntN(400), r.IntN(100))
	}
	return b.Bytes()[:n]
}

// several is the start of a text, of a length that c cuts into a few blocks.
func several(c compress.Compressor) []byte {
	if c.Name() == "zstd" {
		return text(5 << 20)
	}
	return text(5 << 19)
}

func pack(t testing.TB, c compress.Compressor, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.Compress(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpack returns what could be read, and why no more.
func unpack(t testing.TB, c compress.Compressor, src io.Reader) ([]byte, error) {
	t.Helper()
	r, err := c.Decompress(src)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if _, again := r.Read(make([]byte, 1)); err != nil && again != err {
		t.Errorf("after %v, Read gives %v", err, again)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("Read after Close: %v", err)
	}
	return plain, err
}

func TestRoundTrip(t *testing.T) {
	sizes := func(block int) []int { return []int{0, 1, 100, 65537, block - 1, block, block + 1, 3*block + 12345} }
	bySize := map[string][]int{
		"none":   sizes(64 << 10),
		"gzip":   sizes(1 << 20),
		"zstd":   sizes(4 << 20),
		"xz":     {0, 1, 1000, 8<<20 + 1},
		"levels": sizes(1 << 20),
	}
	data := text(13 << 20)
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sizes, ok := bySize[name]
			if !ok {
				sizes = bySize["levels"]
			}
			for _, n := range sizes {
				got, err := unpack(t, c, bytes.NewReader(pack(t, c, data[:n])))
				if err != nil || !bytes.Equal(got, data[:n]) {
					t.Errorf("%d bytes came back as %d: %v", n, len(got), err)
				}
			}
		})
	}
}

func TestReaders(t *testing.T) {
	data := text(200_000)
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := pack(t, c, data)
			for kind, src := range map[string]io.Reader{
				"one byte": iotest.OneByteReader(bytes.NewReader(stored)),
				"half":     iotest.HalfReader(bytes.NewReader(stored)),
				"with EOF": iotest.DataErrReader(bytes.NewReader(stored)),
			} {
				if got, err := unpack(t, c, src); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v", kind, len(got), err)
				}
			}
			r, err := c.Decompress(bytes.NewReader(stored))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := iotest.TestReader(r, data); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSourceError: the reader's own error must not look like truncation or damage.
func TestSourceError(t *testing.T) {
	broken := errors.New("connection reset")
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := pack(t, c, several(c))
			for _, n := range []int{0, 1, 3, 11, 20, 1000, len(stored) / 2, len(stored) - 1, len(stored)} {
				src := io.MultiReader(bytes.NewReader(stored[:n]), iotest.ErrReader(broken))
				if _, err := unpack(t, c, src); !errors.Is(err, broken) {
					t.Errorf("failing after %d bytes: %v", n, err)
				}
			}
		})
	}
}
