package lzma

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkLevels encodes the file that LZMA_SAMPLE names, or a text, block by block. Compare only ratios within one run.
func BenchmarkLevels(b *testing.B) {
	plain := text(8 << 20)
	if path := os.Getenv("LZMA_SAMPLE"); path != "" {
		var err error
		if plain, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	for level := 1; level <= 9; level++ {
		b.Run(fmt.Sprint(level), func(b *testing.B) {
			p := Level(level)
			e := NewEncoder(p)
			var out []byte
			total := 0
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				total = 0
				for i := 0; i < len(plain); i += p.Block {
					out = e.Encode(out[:0], plain[i:min(i+p.Block, len(plain))])
					total += len(out)
				}
			}
			b.ReportMetric(float64(total), "coded-bytes")
		})
	}
}
