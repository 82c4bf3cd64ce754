package lzma

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"testing"
)

// TestRows: a row has its latest entries, the newest first, also when it has been filled more than once.
func TestRows(t *testing.T) {
	for _, length := range []int{16, 32, 64} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			var f finder
			f.init(Params{Dictionary: 4 << 10, Row: length, Nice: 32})
			f.reset(make([]byte, 4<<10))
			row := 5 * length
			for n := range 3 * length {
				for tag := range byte(4) {
					var got, want []int
					which, head := f.candidates(row, tag)
					for ; which != 0; which &= which - 1 {
						at := f.table[row+(bits.TrailingZeros64(which)+int(head))%length]
						if at == 0 { // as find does: there are none behind
							break
						}
						got = append(got, int(at)-1)
					}
					for pos := n - 1; pos >= max(n-length*3/4, 0); pos-- {
						if byte(pos)%3 == tag {
							want = append(want, pos)
						}
					}
					if !slices.Equal(got, want) {
						t.Fatalf("after %d, with tag %d: %v, want %v", n, tag, got, want)
					}
				}
				f.enter(row, byte(n)%3, n)
			}
		})
	}
}

// TestMatches: what find finds is there, as long as it says and no longer, and is farther the longer it is.
func TestMatches(t *testing.T) {
	src := slices.Concat(text(9000), noise(1, 300), make([]byte, 1000), text(9000))
	for _, p := range []Params{small, {Dictionary: 6000, Row: 32, Depth: 31, Nice: 273}, {Dictionary: 32 << 10, Row: 64, Depth: 63, Nice: 64}} {
		var f finder
		f.init(p)
		f.reset(src)
		found := 0
		for pos := range src {
			var m matches
			f.find(pos, &m, p.Depth)
			for i, c := range m.m[:m.n] {
				at, n := pos-int(c.distance)-1, int(c.length)
				rest := src[pos:min(pos+maxMatch, len(src))]
				if at < 0 || pos-at > p.Dictionary || n > len(rest) || !bytes.Equal(src[at:at+n], rest[:n]) || n < len(rest) && src[at+n] == rest[n] {
					t.Fatalf("%+v, at %d: %+v is wrong", p, pos, c)
				}
				if i > 0 && (c.length <= m.m[i-1].length || c.distance <= m.m[i-1].distance) {
					t.Fatalf("%+v, at %d: %+v are not in order", p, pos, m.m[:m.n])
				}
			}
			found += m.n
		}
		if found < len(src) {
			t.Errorf("%+v: %d matches", p, found)
		}
	}
}
