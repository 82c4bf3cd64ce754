package lzmadec_test

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/databasement/backup/internal/lzmadec"
	"github.com/ulikunitz/xz/lzma"
)

// cut returns a stream's chunks.
func cut(t *testing.T, stored []byte) (chunks [][]byte) {
	t.Helper()
	src := bufio.NewReader(bytes.NewReader(stored))
	for {
		c, err := lzmadec.PeekChunk(src)
		if err == io.EOF {
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, c.Stored)
		if _, err := io.ReadFull(src, b); err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, b)
	}
}

// TestImpossibleChunks: every rule for the order of chunks and for what they say.
func TestImpossibleChunks(t *testing.T) {
	// Its second half is a match of the first. What is before it does not matter without bits of context and position.
	packed := cut(t, encode(t, bytes.Repeat(sample(5000), 2), 1<<20, lzma.Properties{}))[0]
	if packed[0] < 0xe0 {
		t.Fatalf("the first chunk is %#x", packed[0])
	}
	control := func(c byte) []byte { // of a chunk without properties
		b := slices.Delete(slices.Clone(packed), 5, 6)
		b[0] = c | packed[0]&0x1f
		return b
	}
	change := func(i int, b ...byte) []byte { return slices.Replace(slices.Clone(packed), i, i+len(b), b...) }
	stored, more := []byte{1, 0, 2, 'a', 'b', 'c'}, []byte{2, 0, 0, 'd'}
	for _, test := range []struct {
		name   string
		chunks [][]byte
		plain  int // -1 if it is impossible
	}{
		{"packed", [][]byte{packed}, 10_000},
		{"stored", [][]byte{stored}, 3},
		{"stored and more", [][]byte{stored, more}, 4},
		{"packed and stored", [][]byte{packed, more}, 10_001},
		{"packed and packed", [][]byte{packed, packed}, 20_000},
		{"packed and packed with a reset of the state", [][]byte{packed, control(0xa0)}, 20_000},
		{"packed and packed with new properties", [][]byte{packed, change(0, 0xc0|packed[0]&0x1f)}, 20_000},
		{"first stored, then packed with new properties", [][]byte{stored, change(0, 0xc0|packed[0]&0x1f)}, 10_003},
		{"no reset of the dictionary, stored", [][]byte{more}, -1},
		{"no reset of the dictionary, packed", [][]byte{change(0, 0xc0)}, -1},
		{"no properties after a reset", [][]byte{stored, control(0xa0)}, -1},
		{"no properties after another reset", [][]byte{packed, stored, control(0xa0)}, -1},
		{"impossible control", [][]byte{{3, 0, 0, 'x'}}, -1},
		{"impossible control", [][]byte{{0x7f, 0, 0, 'x'}}, -1},
		{"impossible properties", [][]byte{change(5, 225)}, -1},
		{"lc and lp of more than 4", [][]byte{change(5, 4+9)}, -1},
		{"range coder that does not begin with 0", [][]byte{change(6, 1)}, -1},
		{"range coder that begins with an impossible code", [][]byte{change(7, 0xff, 0xff, 0xff, 0xff)}, -1},
		{"too short for the range coder", [][]byte{{0xe0, 0, 0, 0, 3, 0x5d, 0, 0, 0, 0}}, -1},
		{"more plain bytes", [][]byte{change(2, packed[2]+1)}, -1},
		{"fewer plain bytes", [][]byte{change(2, packed[2]-1)}, -1},
		{"distance before the beginning", [][]byte{{0xe0, 0, 1, 0, 8, 0x5d, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}}, -1},
		{"distance beyond the dictionary", [][]byte{packed}, -2},
	} {
		dictionary := uint32(1 << 20)
		if test.plain == -2 {
			dictionary = 4999
		}
		all := slices.Concat(test.chunks...)
		got, err := decode2(bytes.NewReader(append(slices.Clone(all), 0)), dictionary)
		if ok := err == nil && len(got) == test.plain; ok != (test.plain >= 0) || err == io.ErrUnexpectedEOF {
			t.Errorf("%s: %d bytes, %v", test.name, len(got), err)
		}
		var b lzmadec.Block
		dst := make([]byte, 10_000)
		if test.plain >= 0 {
			dst = make([]byte, test.plain)
		}
		if err := b.Decode(dst, all, dictionary); (err == nil) != (test.plain >= 0) || err == nil && !bytes.Equal(dst, got) {
			t.Errorf("%s, as a block: %v", test.name, err)
		}
	}
}

// TestBlockSize: a block of another size than dst.
func TestBlockSize(t *testing.T) {
	plain := sample(10_000)
	stored := encode(t, plain, 1<<20, properties[0])
	stored = stored[:len(stored)-1]
	var b lzmadec.Block
	for _, test := range []struct {
		stored []byte
		plain  int
		ok     bool
	}{
		{stored, 10_000, true},
		{stored, 9_999, false},
		{stored, 10_001, false},
		{stored[:len(stored)-1], 10_000, false},
		{append(slices.Clone(stored), 0), 10_000, false},
		{nil, 0, true},
		{nil, 1, false},
		{stored, 10_000, true}, // it works after errors, too
	} {
		before := slices.Clone(test.stored)
		dst := make([]byte, test.plain)
		err := b.Decode(dst, test.stored, 1<<20)
		if (err == nil) != test.ok || test.ok && !bytes.Equal(dst, plain[:test.plain]) {
			t.Errorf("%d bytes of %d: %v", len(test.stored), test.plain, err)
		}
		if !bytes.Equal(before, test.stored) {
			t.Error("the stored bytes were changed")
		}
	}
}

func TestPeekChunk(t *testing.T) {
	for _, test := range []struct {
		in            string
		stored, plain int
		reset         bool
		err           error
	}{
		{"\x00", 0, 0, false, io.EOF},
		{"", 0, 0, false, io.ErrUnexpectedEOF},
		{"\x01\x00", 0, 0, false, io.ErrUnexpectedEOF},
		{"\x01\x00\x00", 4, 1, true, nil},
		{"\x02\xff\xff", 65539, 65536, false, nil},
		{"\xe0\x00\x00\x00", 0, 0, false, io.ErrUnexpectedEOF},
		{"\xff\xff\xff\xff\xff", lzmadec.MaxStored, 2 << 20, true, nil},
		{"\x80\x00\x01\x00\x02", 5 + 3, 2, false, nil},
		{"\xc1\x02\x03\x04\x05", 6 + 0x406, 0x10204, false, nil},
	} {
		c, err := lzmadec.PeekChunk(bufio.NewReader(bytes.NewReader([]byte(test.in))))
		if err != test.err {
			t.Errorf("%x: %v, want %v", test.in, err, test.err)
		}
		if err == nil && (c.Stored != test.stored || c.Plain != test.plain || c.ResetDictionary != test.reset) {
			t.Errorf("%x: %+v", test.in, c)
		}
	}
}
