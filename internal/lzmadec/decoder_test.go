package lzmadec_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/databasement/backup/internal/lzmadec"
	"github.com/ulikunitz/xz/lzma"
)

var properties = []lzma.Properties{{LC: 3, PB: 2}, {}, {LC: 4}, {LC: 1, LP: 3, PB: 4}, {LP: 4, PB: 1}}

func TestRoundTrip(t *testing.T) {
	for _, p := range properties {
		for _, dictionary := range []int{4 << 10, 5_003, 1 << 20} {
			for _, size := range []int{0, 1, 4096, 4097, 60_000} {
				plain := sample(size)
				stored := encode(t, plain, dictionary, p)
				if got, err := decode2(bytes.NewReader(stored), uint32(dictionary)); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("LZMA2 %+v, dictionary %d: %d bytes came back as %d: %v", p, dictionary, size, len(got), err)
				}
				got := make([]byte, size)
				var b lzmadec.Block
				if err := b.Decode(got, stored[:len(stored)-1], uint32(dictionary)); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("block %+v, dictionary %d: %d bytes: %v", p, dictionary, size, err)
				}
				for _, marker := range []bool{false, true} {
					props, stored := encode1(t, plain, dictionary, p, marker)
					if got, err := decode1(bytes.NewReader(stored), props, uint32(dictionary), size); err != nil || !bytes.Equal(got, plain) {
						t.Errorf("LZMA %+v, dictionary %d, marker %t: %d bytes came back as %d: %v", p, dictionary, marker, size, len(got), err)
					}
				}
			}
		}
	}
}

// TestLong: several chunks, and several inputs.
func TestLong(t *testing.T) {
	plain := sample(600_000)
	stored := encode(t, plain, 5_003, properties[0])
	if got, err := decode2(bytes.NewReader(stored), 5_003); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("LZMA2: %d bytes came back as %d: %v", len(plain), len(got), err)
	}
	props, stored := encode1(t, plain, 5_003, properties[0], false)
	if got, err := decode1(bytes.NewReader(stored), props, 5_003, len(plain)); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("LZMA: %d bytes came back as %d: %v", len(plain), len(got), err)
	}
}

// TestLargeLiterals: LZMA, not LZMA2, may have 12 bits of context.
func TestLargeLiterals(t *testing.T) {
	plain := sample(100_000)
	props, stored := encode1(t, plain, 1<<16, lzma.Properties{LC: 8, LP: 4, PB: 4}, false)
	if got, err := decode1(bytes.NewReader(stored), props, 1<<16, len(plain)); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
	}
}

func TestReaders(t *testing.T) {
	plain := sample(30_000)
	stored := encode(t, plain, 4<<10, properties[0])
	props, stored1 := encode1(t, plain, 4<<10, properties[0], true)
	for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		if got, err := decode2(wrap(bytes.NewReader(stored)), 4<<10); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("LZMA2: %d bytes, %v", len(got), err)
		}
		r, err := lzmadec.NewReader(wrap(bytes.NewReader(stored1)), props, 4<<10, uint64(len(plain)))
		if err == nil {
			err = iotest.TestReader(r, plain)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestTruncated: what comes before the cut is right.
func TestTruncated(t *testing.T) {
	plain := sample(3000)
	stored := encode(t, plain, 4<<10, properties[0])
	for n := range stored {
		got, err := decode2(bytes.NewReader(stored[:n]), 4<<10)
		if err != io.ErrUnexpectedEOF || !bytes.HasPrefix(plain, got) {
			t.Errorf("LZMA2, %d of %d bytes: %d bytes, %v", n, len(stored), len(got), err)
		}
	}
	for _, marker := range []bool{false, true} {
		props, stored := encode1(t, plain, 4<<10, properties[0], marker)
		for n := range stored {
			got, err := decode1(bytes.NewReader(stored[:n]), props, 4<<10, len(plain))
			if err != io.ErrUnexpectedEOF || !bytes.HasPrefix(plain, got) {
				t.Errorf("LZMA, %d of %d bytes: %d bytes, %v", n, len(stored), len(got), err)
			}
		}
	}
}

// TestSourceFails: the error comes back, also where it is one that might mean the end.
func TestSourceFails(t *testing.T) {
	plain := sample(200_000)
	stored := encode(t, plain, 1<<20, properties[0])
	props, stored1 := encode1(t, plain, 1<<20, properties[0], false)
	for _, cause := range []error{errors.New("gone"), io.ErrUnexpectedEOF} {
		for n := 0; n < len(stored1); n += 10_007 {
			if _, err := decode2(io.MultiReader(bytes.NewReader(stored[:n]), iotest.ErrReader(cause)), 1<<20); err != cause {
				t.Errorf("LZMA2, %d bytes: %v", n, err)
			}
			if _, err := decode1(io.MultiReader(bytes.NewReader(stored1[:n]), iotest.ErrReader(cause)), props, 1<<20, len(plain)); err != cause {
				t.Errorf("LZMA, %d bytes: %v", n, err)
			}
		}
	}
}

func TestOtherSize(t *testing.T) {
	plain := sample(3000)
	for _, marker := range []bool{false, true} {
		props, stored := encode1(t, plain, 4<<10, properties[0], marker)
		for _, size := range []int{0, 1, 2999, 3001, 4000} {
			if got, err := decode1(bytes.NewReader(stored), props, 4<<10, size); err == nil || len(got) > size {
				t.Errorf("3000 bytes, not %d, marker %t: %d, %v", size, marker, len(got), err)
			}
		}
		for _, garbage := range []string{"x", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
			bad := append(slices.Clone(stored), garbage...)
			if _, err := decode1(bytes.NewReader(bad), props, 4<<10, len(plain)); err == nil || err == io.ErrUnexpectedEOF {
				t.Errorf("%q after the end, marker %t: %v", garbage, marker, err)
			}
		}
	}
}

func TestProperties(t *testing.T) {
	if _, err := lzmadec.NewReader(bytes.NewReader(nil), 225, 1, 1); err != lzmadec.ErrProperties {
		t.Error(err)
	}
}
