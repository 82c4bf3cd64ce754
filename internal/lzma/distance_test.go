package lzma

import (
	"fmt"
	"slices"
	"testing"
)

// small is the smallest dictionary, so that all of its borders are met soon.
var small = Params{Dictionary: 4 << 10, Row: 16, Depth: 15, Nice: 32}

// TestDictionaryBorder: what lies as far back as the dictionary is large is a match, what lies beyond is none.
func TestDictionaryBorder(t *testing.T) {
	// Zeros between two equal phrases of noise: what is coded is one phrase or both.
	for _, p := range []Params{small, Level(1)} {
		for _, beyond := range []int{-1, 0, 1, 2} {
			for _, rows := range []int{16, 32, 64} {
				t.Run(fmt.Sprintf("%d%+d rows of %d", p.Dictionary, beyond, rows), func(t *testing.T) {
					t.Parallel()
					p := p
					p.Row = rows
					phrase := noise(1, 700)
					between := make([]byte, p.Dictionary+beyond-len(phrase))
					got := length(roundTrip(t, p, slices.Concat(phrase, between, phrase)))
					if far := got > 2*len(phrase); far != (beyond > 0) {
						t.Errorf("coded in %d bytes", got)
					}
				})
			}
		}
	}
}

// TestRepeatedDistances: matches take turns in how far back they are, so that each of the latest four is one again.
func TestRepeatedDistances(t *testing.T) {
	for _, turns := range [][]int{{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 0, 1, 1, 2, 2, 3, 3}, {3, 0, 3, 1, 3, 2}, {0, 1, 2, 3, 4, 5}} {
		t.Run(fmt.Sprint(turns), func(t *testing.T) {
			t.Parallel()
			distances := []int{1000, 1003, 1500, 1777, 2000, 2222}
			fresh := noise(2, 60_000)
			plain := slices.Clone(fresh[:3000])
			for i := range 3000 {
				from := len(plain) - distances[turns[i%len(turns)]]
				plain = append(plain, plain[from:from+9+i%7]...)
				plain = append(plain, fresh[3000+i]) // a literal between
			}
			got := length(roundTrip(t, small, plain))
			if limit := 3000 + 3000*5; got > limit { // a literal, a length and which distance
				t.Errorf("%d bytes became %d, more than %d", len(plain), got, limit)
			}
		})
	}
}

// TestRuns: matches that overlap what they make.
func TestRuns(t *testing.T) {
	for period := 1; period <= 9; period++ {
		t.Run(fmt.Sprint(period), func(t *testing.T) {
			t.Parallel()
			var plain []byte
			for i, n := range []int{2, 3, 4, 7, 8, 9, 17, 18, 272, 273, 274, 545, 546, 547, 5000, 1, 10_000} {
				unit := noise(byte(i), period)
				for range n {
					plain = append(plain, unit[len(plain)%period])
				}
			}
			if got := length(roundTrip(t, small, plain)); got > 600 {
				t.Errorf("%d bytes became %d", len(plain), got)
			}
		})
	}
}
