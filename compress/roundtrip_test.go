package compress_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/databasement/backup/compress"
)

// compressors are all ways to write and read a stream; xz with the small blocks of preset 0.
var compressors = map[string]compress.Compressor{
	"none":        compress.None,
	"gzip":        compress.Gzip(nil),
	"zstd":        compress.Zstd(nil),
	"zstd single": compress.Zstd(&compress.ZstdOptions{SingleFrame: true}),
	"xz":          compress.XZ(&compress.XZOptions{Fastest: true}),
}

// levels are further settings, which change only how well and how fast.
var levels = map[string]compress.Compressor{
	"gzip 1":  compress.Gzip(&compress.GzipOptions{Level: 1, Concurrency: 3}),
	"gzip 9":  compress.Gzip(&compress.GzipOptions{Level: 9}),
	"zstd 1":  compress.Zstd(&compress.ZstdOptions{Level: 1, Concurrency: 1}),
	"zstd 6":  compress.Zstd(&compress.ZstdOptions{Level: 6}),
	"zstd 19": compress.Zstd(&compress.ZstdOptions{Level: 19}),
	"xz 6":    compress.XZ(nil),
	"xz 9":    compress.XZ(&compress.XZOptions{Level: 9}),
}

// dump is like an SQL dump: repetitive, but with much that differs.
func dump(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO orders VALUES (%d,%d,'customer-%x','%d.%02d EUR');\n",
			i, r.IntN(5000), r.Uint32(), r.IntN(400), r.IntN(100))
	}
	return b.Bytes()[:n]
}

// text is a dump that repeats, so that it is quickly compressed, and says where each
// repetition is, so that no two blocks are equal.
func text(n int) []byte {
	b := make([]byte, 0, n+len(textPage()))
	for len(b) < n {
		b = append(fmt.Appendf(b, "-- %d\n", len(b)), textPage()...)
	}
	return b[:n]
}

var textPage = sync.OnceValue(func() []byte { return dump(64 << 10) })

// several is the start of a text, of a length that c cuts into a few blocks.
func several(c compress.Compressor) []byte {
	if c.Name() == "zstd" {
		return text(5 << 20)
	}
	return text(9 << 17)
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
	sizes := func(block int) []int { return []int{0, 1, 100, 65537, block - 1, block, block + 1, 2*block + 12345} }
	for name, block := range map[string]int{"none": 64 << 10, "gzip": 1 << 20, "zstd": 4 << 20, "zstd single": 128 << 10, "xz": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range sizes(block) {
				roundTrip(t, compressors[name], text(n))
			}
		})
	}
	for name, c := range levels {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{0, 1, 1000, 1<<20 + 1} {
				roundTrip(t, c, text(n))
			}
		})
	}
}

func roundTrip(t *testing.T, c compress.Compressor, plain []byte) {
	t.Helper()
	if got, err := unpack(t, c, bytes.NewReader(pack(t, c, plain))); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
	}
}

// TestIncompressible: what does not get smaller must come back too.
func TestIncompressible(t *testing.T) {
	plain := make([]byte, 9<<17)
	rand.NewChaCha8([32]byte{1}).Read(plain)
	for name, c := range compressors {
		t.Run(name, func(t *testing.T) { roundTrip(t, c, plain) })
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

// Text without repetitions, such as binary columns in a dump, is smaller for its few letters alone.
func TestBase64Shrinks(t *testing.T) {
	noise := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	plain := []byte(base64.StdEncoding.EncodeToString(noise))
	for name, c := range compressors {
		if n := len(pack(t, c, plain)); name != "none" && n > len(plain)*78/100 {
			t.Errorf("%s makes %d bytes of %d", name, n, len(plain))
		}
	}
}
