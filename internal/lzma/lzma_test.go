package lzma

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

func decode(t testing.TB, stored []byte, dictionary int) []byte {
	r, err := lzma.Reader2Config{DictCap: max(dictionary, lzma.MinDictCap)}.NewReader2(io.MultiReader(bytes.NewReader(stored), bytes.NewReader([]byte{0})))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(b), err)
	}
	return b
}

func TestQuick(t *testing.T) {
	for level := 1; level <= 9; level++ {
		e := NewEncoder(Level(level))
		for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 5000, 100000, 3 << 20} {
			for k := range 4 {
				b := make([]byte, n)
				for i := range b {
					switch k {
					case 0:
						b[i] = byte(rand.IntN(256))
					case 1:
						b[i] = "abcd"[rand.IntN(4)]
					case 2:
						if i > 100 && rand.IntN(20) > 0 {
							b[i] = b[i-100]
						} else {
							b[i] = byte(rand.IntN(256))
						}
					}
				}
				if got := decode(t, e.Encode(nil, b), Level(level).Dictionary); !bytes.Equal(got, b) {
					t.Fatal(level, n, k)
				}
			}
		}
	}
}

func BenchmarkLevels(b *testing.B) {
	d, err := os.ReadFile(os.Getenv("LZMA_SAMPLE"))
	if err != nil {
		b.Fatal(err)
	}
	for _, l := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		b.Run(l, func(b *testing.B) {
			p := Level(int(l[0] - '0'))
			e := NewEncoder(p)
			var out []byte
			b.SetBytes(int64(len(d)))
			total := 0
			for range b.N {
				total = 0
				for i := 0; i < len(d); i += p.Block {
					out = e.Encode(out[:0], d[i:min(i+p.Block, len(d))])
					total += len(out)
				}
			}
			b.ReportMetric(float64(total), "size")
		})
	}
}
