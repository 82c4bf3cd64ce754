package header

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/databasement/backup/crypto"
)

// unhex reads bytes in hexadecimal digits; blanks are for people.
func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(digits), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Numbers at every border, as 7zFormat.txt writes them.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		n     uint64
		bytes string
	}{
		{0, "00"},
		{1, "01"},
		{0x7f, "7f"},
		{0x80, "80 80"},
		{0xff, "80 ff"},
		{0x100, "81 00"},
		{0x3fff, "bf ff"},
		{0x4000, "c0 00 40"},
		{1<<21 - 1, "df ff ff"},
		{1 << 21, "e0 00 00 20"},
		{1<<28 - 1, "ef ff ff ff"},
		{1 << 28, "f0 00 00 00 10"},
		{1<<35 - 1, "f7 ff ff ff ff"},
		{1 << 35, "f8 00 00 00 00 08"},
		{1<<42 - 1, "fb ff ff ff ff ff"},
		{1 << 42, "fc 00 00 00 00 00 04"},
		{1<<49 - 1, "fd ff ff ff ff ff ff"},
		{1 << 49, "fe 00 00 00 00 00 00 02"},
		{1<<56 - 1, "fe ff ff ff ff ff ff ff"},
		{1 << 56, "ff 00 00 00 00 00 00 00 01"},
		{0x0123456789abcdef, "ff ef cd ab 89 67 45 23 01"},
		{math.MaxUint64, "ff ff ff ff ff ff ff ff ff"},
	} {
		want := unhex(t, c.bytes)
		if got := appendNumber([]byte("x"), c.n); !bytes.Equal(got, append([]byte("x"), want...)) {
			t.Errorf("%#x is written as % x, not % x", c.n, got[1:], want)
		}
		wantNumber(t, want, c.n)
		for cut := range want {
			p := &parser{b: want[:cut]}
			if p.number(); !errors.Is(p.err, crypto.ErrDamaged) {
				t.Errorf("% x is a number: %v", want[:cut], p.err)
			}
		}
	}
	for i := range 64 {
		for _, n := range []uint64{1<<i - 1, 1 << i, 0x0123456789abcdef >> i} {
			wantNumber(t, appendNumber(nil, n), n)
		}
	}
}

// A number may be longer than it must be.
func TestLongNumbers(t *testing.T) {
	for digits, n := range map[string]uint64{
		"80 05": 5, "c0 05 00": 5, "e0 05 00 00": 5, "f0 05 00 00 00": 5, "f8 05 00 00 00 00": 5, "fc 05 00 00 00 00 00": 5,
		"fe 05 00 00 00 00 00 00": 5, "ff 05 00 00 00 00 00 00 00": 5, "ff 00 00 00 00 00 00 00 00": 0, "c0 ff 3f": 0x3fff,
	} {
		wantNumber(t, unhex(t, digits), n)
	}
}

func wantNumber(t *testing.T, b []byte, want uint64) {
	t.Helper()
	p := &parser{b: append(slices.Clone(b), 0xaa)}
	if got := p.number(); got != want || p.err != nil || len(p.b) != 1 {
		t.Errorf("% x is read as %#x, %d bytes are left, %v; want %#x", b, got, len(p.b), p.err, want)
	}
}

// Flags come in bytes, and what is left of the last one means nothing.
func TestBits(t *testing.T) {
	flags := []bool{true, false, false, true, false, false, false, true, false, true}
	b := appendBits(nil, flags)
	if want := []byte{0x91, 0x40}; !bytes.Equal(b, want) {
		t.Errorf("flags are written as % x, not % x", b, want)
	}
	for n := range len(flags) + 1 {
		p := &parser{b: []byte{0x91, 0x40 | 0x3f}}
		if got := p.bits(n); p.err != nil || !slices.Equal(got, flags[:n]) || len(p.b) != 2-(n+7)/8 {
			t.Errorf("%d flags are read as %v, %d bytes are left, %v", n, got, len(p.b), p.err)
		}
	}
	for _, n := range []int{17, math.MaxInt} {
		p := &parser{b: []byte{0x91, 0x40}}
		if got := p.bits(n); got != nil || !errors.Is(p.err, crypto.ErrDamaged) {
			t.Errorf("%d flags of two bytes: %v, %v", n, got, p.err)
		}
	}
}

// After an error everything is zero, and the first error stays.
func TestParserAfterError(t *testing.T) {
	p := &parser{b: bytes.Repeat([]byte{0xff}, 100)}
	p.damaged("the first")
	first := p.err
	if p.byte() != 0 || p.uint16() != 0 || p.uint32() != 0 || p.uint64() != 0 || p.number() != 0 || p.size() != 0 ||
		p.count("things", 1) != 0 || p.index(5, "thing") != 0 || p.next(idSize) != idEnd ||
		p.bits(0) != nil || p.bits(9) != nil || p.defined(9) != nil || p.take(0) != nil {
		t.Error("something is left after an error")
	}
	p.notExternal()
	if p.unsupported("the second"); p.err != first {
		t.Errorf("the error became %v", p.err)
	}
}
