package lzma

import (
	"bytes"
	"testing"
)

// TestCarry: a carry goes through all bytes 0xff to the one before.
func TestCarry(t *testing.T) {
	var r rangeEncoder
	r.reset()
	for _, b := range []byte{0x12, 0xff, 0xff, 0xff} {
		r.low = uint64(b) << 24
		r.shift()
	}
	r.low = 1<<32 | 0x34<<24
	r.shift()
	if want := []byte{0, 0x13, 0, 0, 0, 0x34}; !bytes.Equal(r.out[:r.n], want) || r.low != 0 {
		t.Errorf("% x, want % x", r.out[:r.n], want)
	}
}

// TestWorstSymbol: the dearest symbol, and what ends a chunk, fit in the room that is left for them.
func TestWorstSymbol(t *testing.T) {
	src := bytes.Repeat([]byte{0xff, 0, 0x55, 0xaa}, 100)
	dearest := 0
	for _, prob := range []uint16{31, 2017} { // a 0 and a 1 are as unlikely as they get
		for _, length := range []int{1, 2, 9, 10, 17, 18, maxMatch} {
			for _, back := range []int{literal, 0, 1, 2, 3, 4, 5 + 126, 4 + 1<<20, 4 + 1<<31 - 1} {
				for state := range states {
					m := &model{state: state}
					m.fill(prob)
					if length == 1 && back > 0 || back == literal && length > 1 {
						continue
					}
					var r rangeEncoder
					r.reset()
					m.encode(&r, src, 300, length, back)
					dearest = max(dearest, len(r.finish()))
				}
			}
		}
	}
	if dearest > worst || dearest < 15 {
		t.Errorf("%d bytes, where %d are left", dearest, worst)
	}
}
