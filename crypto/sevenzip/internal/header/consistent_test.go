package header

import (
	"math"
	"math/big"
	"testing"
)

// wantConsistent checks what Parse promises, in another way than Parse does.
func wantConsistent(t testing.TB, h *Header) {
	t.Helper()
	plain := wantConsistentStreams(t, &h.Streams)
	for i, f := range h.Files {
		if f.HasStream {
			plain--
		}
		if f.HasStream && (f.Directory || f.Anti) {
			t.Errorf("file %d: %+v", i, f)
		}
	}
	if plain != 0 {
		t.Errorf("%d plain streams more than files with contents", plain)
	}
}

// wantConsistentStreams returns the number of plain streams.
func wantConsistentStreams(t testing.TB, s *Streams) (plain int) {
	t.Helper()
	fed := 0
	packed, all := new(big.Int).SetUint64(s.Offset), new(big.Int)
	for _, p := range s.Packed {
		packed.Add(packed, new(big.Int).SetUint64(p.Size))
	}
	for i := range s.Folders {
		f := &s.Folders[i]
		wantTree(t, f)
		fed, plain = fed+len(f.Packed), plain+len(f.Plain)
		size, sum := new(big.Int).SetUint64(f.PlainSize()), new(big.Int)
		for _, p := range f.Plain {
			sum.Add(sum, new(big.Int).SetUint64(p.Size))
		}
		if len(f.Plain) > 0 && sum.Cmp(size) != 0 {
			t.Errorf("folder %d has %v bytes, its plain streams %v", i, size, sum)
		}
		all.Add(all, size)
	}
	if fed != len(s.Packed) {
		t.Errorf("%d packed streams, and folders take %d", len(s.Packed), fed)
	}
	if limit := big.NewInt(math.MaxInt64); packed.Cmp(limit) > 0 || all.Cmp(limit) > 0 {
		t.Errorf("packed streams end at %v, plain ones at %v", packed, all)
	}
	return plain
}

// wantTree finds what feeds each input, and runs coders whose inputs are there until all have run.
func wantTree(t testing.TB, f *Folder) {
	t.Helper()
	feeders, fed := map[int]int{}, map[int]int{} // of each input: a coder, or -1; by each coder: an input
	for _, i := range f.Packed {
		feeders[i] = -1
	}
	for _, b := range f.Bonds {
		feeders[b.Input], fed[b.Output] = b.Output, b.Input
	}
	var first []int // input of each coder
	inputs := 0
	for _, c := range f.Coders {
		if c.Inputs == 0 {
			t.Fatalf("a coder without inputs: %+v", f)
		}
		first, inputs = append(first, inputs), inputs+c.Inputs
	}
	if len(f.Packed)+len(f.Bonds) != inputs || len(feeders) != inputs || len(fed) != len(f.Coders)-1 || len(f.Sizes) != len(f.Coders) {
		t.Fatalf("%d inputs: %+v", inputs, f)
	}
	if _, ok := fed[f.Output()]; ok {
		t.Fatalf("the output is not %d: %+v", f.Output(), f)
	}
	run := map[int]bool{-1: true}
	for range f.Coders {
		for i, c := range f.Coders {
			ready := true
			for j := first[i]; j < first[i]+c.Inputs; j++ {
				feeder, ok := feeders[j]
				ready = ready && ok && run[feeder]
			}
			run[i] = run[i] || ready
		}
	}
	for i := range f.Coders {
		if !run[i] {
			t.Fatalf("coder %d waits for ever: %+v", i, f)
		}
	}
}
