package lzmadec_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/databasement/backup/internal/lzmadec"
	"github.com/ulikunitz/xz/lzma"
)

// fuzzLimit is more than the seeds decode to; what follows is not read.
const fuzzLimit = 1 << 18

func read(r io.Reader) ([]byte, error) {
	got, err := io.ReadAll(io.LimitReader(r, fuzzLimit))
	if len(got) == fuzzLimit {
		err = errors.New("more than that")
	}
	return got, err
}

// FuzzReader2: what is decoded is what another decoder makes of it, and what a Block does.
func FuzzReader2(f *testing.F) {
	for _, p := range properties {
		f.Add(encode(f, sample(9000), 4<<10, p))
	}
	f.Add([]byte("\x01\x00\x02abc\x02\x00\x00d\x00"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		src := bufio.NewReader(bytes.NewReader(stored))
		got, err := read(lzmadec.NewReader2(src, 4<<10))
		if err != nil {
			return
		}
		want := []byte(nil)
		other, err := lzma.Reader2Config{DictCap: 4 << 10}.NewReader2(bytes.NewReader(stored))
		if err == nil {
			want, err = read(other)
		}
		if err != nil && err != io.EOF || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, another decoder makes %d of it: %v", len(got), len(want), err)
		}
		var b lzmadec.Block
		stored = stored[:len(stored)-src.Buffered()-1]
		block := make([]byte, len(got))
		if err := b.Decode(block, stored, 4<<10); err != nil || !bytes.Equal(block, got) {
			t.Errorf("as a block: %v", err)
		}
	})
}

// FuzzReader: the same for LZMA, where another decoder is given the size too.
func FuzzReader(f *testing.F) {
	for i, p := range properties {
		props, stored := encode1(f, sample(9000), 4<<10, p, i%2 == 0)
		f.Add(props, uint16(9000), stored)
	}
	f.Fuzz(func(t *testing.T, props byte, size uint16, stored []byte) {
		got, err := decode1(bytes.NewReader(stored), props, 4<<10, int(size))
		if len(got) > int(size) {
			t.Errorf("%d bytes, not %d", len(got), size)
		}
		if err != nil {
			return
		}
		head := []byte{props, 0, 16, 0, 0, byte(size), byte(size >> 8), 0, 0, 0, 0, 0, 0}
		var want []byte
		other, err := lzma.NewReader(bytes.NewReader(append(head, stored...)))
		if err == nil {
			want, err = read(other)
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, another decoder makes %d of it: %v", len(got), len(want), err)
		}
	})
}
