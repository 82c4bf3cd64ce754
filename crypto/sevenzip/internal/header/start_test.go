package header

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

func startOf(offset, size uint64, crc uint32) (b [StartSize]byte) {
	copy(b[:], Start{offset, size, crc}.Append(nil))
	return b
}

func TestStart(t *testing.T) {
	for _, s := range []Start{{}, {0, 1, 0}, {1 << 40, 200, 0xdeadbeef}, {maxTotal, maxTotal, math.MaxUint32}} {
		b := s.Append([]byte("before"))
		if len(b) != 6+StartSize {
			t.Fatalf("%+v has %d bytes", s, len(b))
		}
		got, err := ParseStart([StartSize]byte(b[6:]))
		if err != nil || got != s {
			t.Errorf("%+v came back as %+v: %v", s, got, err)
		}
		if end := StartSize + int64(got.Offset) + int64(got.Size); end < StartSize {
			t.Errorf("%+v ends at %d", s, end)
		}
	}
}

// The archive that 7-Zip makes of no files.
func TestStartOfStock(t *testing.T) {
	b := unhex(t, "377abcaf271c0004 8d9bd50f 0000000000000000 0000000000000000 00000000")
	if s, err := ParseStart([StartSize]byte(b)); err != nil || s != (Start{}) {
		t.Errorf("got %+v, %v", s, err)
	}
	if !bytes.Equal(Start{}.Append(nil), b) {
		t.Errorf("it is written as % x", Start{}.Append(nil))
	}
}

func TestBadStart(t *testing.T) {
	change := func(at int, to ...byte) [StartSize]byte {
		b := startOf(100, 200, 5)
		copy(b[at:], to)
		return b
	}
	for name, c := range map[string]struct {
		b    [StartSize]byte
		is   error
		says string
	}{
		"placeholders":                  {[StartSize]byte{}, crypto.ErrDamaged, "never finished"},
		"7-Zip's placeholders":          {[StartSize]byte(append(magic[:], make([]byte, 24)...)), crypto.ErrDamaged, "never finished"},
		"text":                          {[StartSize]byte([]byte("-- MySQL dump 10.13  Distrib 8.0")), ErrNotArchive, "no .7z"},
		"another magic":                 {change(5, 0x1d), ErrNotArchive, "no .7z"},
		"no magic":                      {change(0, make([]byte, 8)...), ErrNotArchive, "no .7z"},
		"another version":               {change(6, 1), errors.ErrUnsupported, "version 1"},
		"another CRC":                   {change(8, 0, 0, 0, 0), crypto.ErrDamaged, "CRC-32"},
		"another offset":                {change(12, 101), crypto.ErrDamaged, "CRC-32"},
		"an offset that is too large":   {startOf(maxTotal+1, 1, 1), crypto.ErrDamaged, "at 2305843009213693952"},
		"a size that is too large":      {startOf(1, maxTotal+1, 1), crypto.ErrDamaged, "2305843009213693952 bytes"},
		"the largest offset":            {startOf(math.MaxUint64, 1, 1), crypto.ErrDamaged, ""},
		"the largest size":              {startOf(1, math.MaxUint64, 1), crypto.ErrDamaged, ""},
		"a header of no bytes, further": {startOf(1, 0, 0), crypto.ErrDamaged, "0 bytes at 1"},
		"a CRC of no bytes":             {startOf(0, 0, 1), crypto.ErrDamaged, "00000001"},
	} {
		s, err := ParseStart(c.b)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || s != (Start{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	b := change(7, 2)
	if s, err := ParseStart(b); err != nil || s != (Start{100, 200, 5}) {
		t.Errorf("another minor version: %+v, %v", s, err)
	}
}

// No changed bit goes unnoticed, but for those of the minor version.
func TestStartFlips(t *testing.T) {
	good := startOf(1<<33, 200, 5)
	for i := range 8 * StartSize {
		b := good
		if b[i/8] ^= 1 << (i % 8); i/8 == 7 {
			continue
		}
		if _, err := ParseStart(b); err == nil {
			t.Errorf("bit %d of byte %d: no error", i%8, i/8)
		}
	}
}

func FuzzParseStart(f *testing.F) {
	f.Add(make([]byte, 20), byte(0), true)
	f.Add(Start{100, 200, 5}.Append(nil)[12:], byte(4), true)
	f.Add([]byte{}, byte(0), false)
	f.Fuzz(func(t *testing.T, p []byte, version byte, right bool) {
		b := [StartSize]byte(append(magic[:7:7], make([]byte, 25)...))
		b[7] = version
		copy(b[12:], p)
		if right {
			binary.LittleEndian.PutUint32(b[8:], crc32.ChecksumIEEE(b[12:]))
		}
		s, err := ParseStart(b)
		if err != nil {
			if !errors.Is(err, crypto.ErrDamaged) || s != (Start{}) {
				t.Errorf("%+v, %v", s, err)
			}
			return
		}
		if end := StartSize + int64(s.Offset) + int64(s.Size); end < StartSize || s.Size == 0 && s != (Start{}) {
			t.Errorf("%+v", s)
		}
		b[7] = magic[7]
		if !bytes.Equal(s.Append(nil), b[:]) {
			t.Errorf("%+v is written as % x, it was % x", s, s.Append(nil), b)
		}
	})
}
