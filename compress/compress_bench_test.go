package compress_test

import (
	"bytes"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/databasement/backup/compress"
)

// benchData is the file named by BENCH_FILE, or 64 MiB of generated text.
var benchData = sync.OnceValue(func() []byte {
	name := os.Getenv("BENCH_FILE")
	if name == "" {
		return dump(64 << 20)
	}
	p, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return p
})

// xzBenchSize is how much of the data xz gets, being so much slower.
const xzBenchSize = 48 << 20

type counted struct {
	n int64
	b *bytes.Buffer
}

func (c *counted) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	if c.b != nil {
		c.b.Write(p)
	}
	return len(p), nil
}

// BenchmarkCompress compares each format with the library below it, used by itself.
func BenchmarkCompress(b *testing.B) {
	for _, tt := range []struct {
		name string
		size int
		open func(io.Writer) (io.WriteCloser, error)
	}{
		{"zstd", 1 << 40, compress.Zstd(nil).Compress},
		{"zstd-single", 1 << 40, compress.Zstd(&compress.ZstdOptions{SingleFrame: true}).Compress},
		{"zstd-bare", 1 << 40, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }},
		{"gzip", 1 << 40, compress.Gzip(nil).Compress},
		{"gzip-bare", 1 << 40, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 6) }},
		{"xz", xzBenchSize, compress.XZ(nil).Compress},
		{"xz-bare", xzBenchSize, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			data := benchData()
			data = data[:min(len(data), tt.size)]
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				var out counted
				w, err := tt.open(&out)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(100*float64(out.n)/float64(len(data)), "%size")
			}
		})
	}
}

// BenchmarkDecompress reads what Compress wrote, with it and with the library below it.
func BenchmarkDecompress(b *testing.B) {
	for _, tt := range []struct {
		name string
		size int
		c    compress.Compressor
		bare func(io.Reader) (io.Reader, error)
	}{
		{"zstd", 1 << 40, compress.Zstd(nil), func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
		{"zstd-single", 1 << 40, compress.Zstd(&compress.ZstdOptions{SingleFrame: true}),
			func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) }},
		{"gzip", 1 << 40, compress.Gzip(nil), func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"xz", xzBenchSize, compress.XZ(nil), func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }},
	} {
		data := benchData()
		data = data[:min(len(data), tt.size)]
		stored := pack(b, tt.c, data)
		ours := func(r io.Reader) (io.Reader, error) { return tt.c.Decompress(r) }
		for _, side := range []struct {
			name string
			open func(io.Reader) (io.Reader, error)
		}{{tt.name, ours}, {tt.name + "-bare", tt.bare}} {
			b.Run(side.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					r, err := side.open(struct{ io.Reader }{bytes.NewReader(stored)})
					if err != nil {
						b.Fatal(err)
					}
					if n, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil || n != int64(len(data)) {
						b.Fatal(n, err)
					}
					if c, ok := r.(io.Closer); ok {
						c.Close()
					}
				}
			})
		}
	}
}
