package lzma

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

func TestSizes(t *testing.T) {
	for level := 1; level <= 9; level++ {
		t.Run(fmt.Sprint(level), func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 271, 272, 273, 274, 275} {
				for _, plain := range [][]byte{text(n), noise(1, n), make([]byte, n)} {
					stored := NewEncoder(Level(level)).Encode(nil, plain)
					wellMade(t, stored, n)
					if got := decode(t, stored, Level(level).Dictionary); !bytes.Equal(got, plain) {
						t.Errorf("%d bytes %.10q came back as %d", n, plain, len(got))
					}
				}
			}
			roundTrip(t, Level(level), nil)
			roundTrip(t, Level(level), text(50_000))
			roundTrip(t, Level(level), noise(2, 5000+level))
		})
	}
}

func TestNoise(t *testing.T) {
	for _, n := range []int{maxCoded - worst - 1, maxCoded - worst, maxCoded - worst + 1, maxCoded - 1, maxCoded, maxCoded + 1, 2*maxCoded + 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			chunks := roundTrip(t, Level(1), noise(2, n))
			if got := length(chunks); got > n+3*(n/maxCoded+2) {
				t.Errorf("became %d", got)
			}
		})
	}
}

// TestSkewed: bytes that are hardly worth coding fill chunks to their coded limit, with carries.
func TestSkewed(t *testing.T) {
	for _, symbols := range []byte{2, 100, 240} {
		t.Run(fmt.Sprint(symbols), func(t *testing.T) {
			t.Parallel()
			plain := noise(3, 200_000)
			for i := range plain {
				plain[i] %= symbols
			}
			chunks := roundTrip(t, Level(1), plain)
			if slices.ContainsFunc(chunks, func(c chunk) bool { return c.stored }) {
				t.Error("a chunk is stored")
			}
			if got, least := len(chunks), length(chunks)/maxCoded; got > least+2 {
				t.Errorf("%d chunks of %d bytes, not filled", got, length(chunks))
			}
		})
	}
}

// TestStored: a chunk that coding makes no smaller is stored, and the next begins anew.
func TestStored(t *testing.T) {
	const n = 80_000
	a, b, c := text(n), noise(4, n), make([]byte, n)
	for name, plain := range map[string][]byte{
		"first":   slices.Concat(b, a),
		"last":    slices.Concat(a, b),
		"between": slices.Concat(a, b, noise(6, n), c, b[:1000], a),
		"twice":   slices.Concat(b, a, noise(5, n), c),
		"again":   slices.Concat(b, b), // the second is a match, across chunks, with what was stored
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunks := roundTrip(t, Level(2), plain)
			stored := func(c chunk) bool { return c.stored }
			if !slices.ContainsFunc(chunks, stored) || chunks[0].stored != (plain[0] == b[0]) {
				t.Errorf("none is stored, or the wrong one: %v", chunks)
			}
			if got := length(chunks); got > len(plain)*3/4 {
				t.Errorf("%d bytes became %d", len(plain), got)
			}
		})
	}
}

// TestLongChunk: what is all matches fills chunks to their plain limit.
func TestLongChunk(t *testing.T) {
	for _, plain := range [][]byte{
		make([]byte, maxPlain-maxMatch+2), make([]byte, maxPlain+1), bytes.Repeat([]byte("0123456"), (maxPlain+maxMatch)/7),
	} {
		t.Run(fmt.Sprint(len(plain)), func(t *testing.T) {
			t.Parallel()
			if got := length(roundTrip(t, Level(1), plain)); got > len(plain)/1000 {
				t.Errorf("%d bytes became %d", len(plain), got)
			}
		})
	}
}

func TestConcatenated(t *testing.T) {
	p := Level(3)
	var stored, plain []byte
	e := NewEncoder(p)
	for _, block := range [][]byte{text(100_000), noise(6, 70_000), nil, []byte("x"), make([]byte, 300), text(100_000)} {
		stored = e.Encode(stored, block)
		plain = append(plain, block...)
	}
	if got := decode(t, stored, p.Dictionary); !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came out of ulikunitz/xz as %d others", len(plain), len(got))
	}
	if got := decodeStock(t, stored, p.Dictionary); !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came out of xz as %d others", len(plain), len(got))
	}
}

// TestReuse: what was encoded before makes no difference, nor what dst holds.
func TestReuse(t *testing.T) {
	blocks := [][]byte{text(30_000), noise(7, 1000), text(20_000), nil, []byte("abcabcabc"), noise(8, 9000), text(50_000), text(3000)}
	for level := 1; level <= 9; level++ {
		t.Run(fmt.Sprint(level), func(t *testing.T) {
			t.Parallel()
			used := NewEncoder(Level(level))
			for i, block := range blocks {
				want := NewEncoder(Level(level)).Encode(nil, block)
				got := used.Encode([]byte("before"), block)
				if rest, ok := bytes.CutPrefix(got, []byte("before")); !ok || !bytes.Equal(rest, want) {
					t.Errorf("block %d: %d bytes, %d when it is the first", i, len(rest), len(want))
				}
			}
		})
	}
}

func TestEncodeAllocatesOnlyAtFirst(t *testing.T) {
	e, plain := NewEncoder(Level(1)), slices.Concat(text(30_000), noise(9, 70_000))
	dst := e.Encode(nil, plain)
	if n := testing.AllocsPerRun(2, func() { dst = e.Encode(dst[:0], plain[:len(plain)-1]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDictionaryProp(t *testing.T) {
	for _, c := range []struct {
		size int
		prop byte
		is   int64
	}{
		{0, 0, 4 << 10}, {1, 0, 4 << 10}, {4 << 10, 0, 4 << 10}, {4<<10 + 1, 1, 6 << 10}, {6 << 10, 1, 6 << 10}, {6<<10 + 1, 2, 8 << 10},
		{256 << 10, 12, 256 << 10}, {32 << 20, 26, 32 << 20}, {3 << 30, 39, 3 << 30}, {3<<30 + 1, 40, 1<<32 - 1}, {1<<32 - 1, 40, 1<<32 - 1},
	} {
		if prop := DictionaryProp(c.size); prop != c.prop || DictionarySize(prop) != c.is {
			t.Errorf("%d: %d, which is %d; want %d, which is %d", c.size, prop, DictionarySize(prop), c.prop, c.is)
		}
	}
}

// TestLevels: each fits its block, and what is no level is taken for the nearest.
func TestLevels(t *testing.T) {
	for level := 1; level <= 9; level++ {
		p := Level(level)
		if p.Block < 2*p.Dictionary || p.Block > 64<<20 || DictionarySize(DictionaryProp(p.Dictionary)) != int64(p.Dictionary) {
			t.Errorf("%d: %+v", level, p)
		}
	}
	if Level(-1) != Level(1) || Level(0) != Level(1) || Level(10) != Level(9) {
		t.Error("levels beyond 1 and 9 are not these")
	}
}
