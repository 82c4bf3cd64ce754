package localfs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const benchSize = 220 << 20

// noise is incompressible.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// BenchmarkPut stores 220 MiB by turns with cp and sync of the same bytes, and
// reports the ratio of the speeds, medians of the rounds: -benchtime=5x.
func BenchmarkPut(b *testing.B) {
	dir := b.TempDir()
	v := open(b, filepath.Join(dir, "vol"))
	data := noise(benchSize)
	source, copied := filepath.Join(dir, "source"), filepath.Join(dir, "copy")
	if err := os.WriteFile(source, data, 0o600); err != nil {
		b.Fatal(err)
	}
	if out, err := exec.Command("sync", source).CombinedOutput(); err != nil {
		b.Fatalf("sync: %v: %s", err, out)
	}
	var ours, theirs []time.Duration
	b.SetBytes(benchSize)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		// A bare io.Reader: no WriteTo, no Seek.
		if _, err := v.Put(b.Context(), "x", io.MultiReader(bytes.NewReader(data))); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(start))
		b.StopTimer()
		if err := v.Delete(b.Context(), "x"); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		for _, args := range [][]string{{"cp", "--reflink=never", source, copied}, {"sync", copied}} {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				b.Fatalf("%q: %v: %s", args, err, out)
			}
		}
		theirs = append(theirs, time.Since(start))
		if err := os.Remove(copied); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(median(theirs))/float64(median(ours)), "x-cp")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func BenchmarkOpen(b *testing.B) {
	v := open(b, b.TempDir())
	if _, err := v.Put(b.Context(), "x", bytes.NewReader(noise(64<<20))); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	for b.Loop() {
		r, err := v.Open(b.Context(), "x", 0, -1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkSmall is a manifest: what counts is the number of flushes.
func BenchmarkSmall(b *testing.B) {
	v := open(b, b.TempDir())
	data := noise(4 << 10)
	for b.Loop() {
		if _, err := v.Put(b.Context(), "shop/eu/x", bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
