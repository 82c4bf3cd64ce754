package crypto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// TestHeaderLayout fixes every byte of the layout that AES256 documents.
func TestHeaderLayout(t *testing.T) {
	h := header{keyID: "k1", name: "shop", id: "2026", wrapped: []byte{0xaa, 0xbb, 0xcc}}
	const want = "4442424b41455301" + "001c" + "026b31" + "0473686f70" + "0432303236" + "0003aabbcc"
	got := h.marshal()
	if hex.EncodeToString(got) != want {
		t.Errorf("marshal = %x", got)
	}
	if want := "4442424b41455301" + "026b31" + "0473686f70" + "0432303236"; hex.EncodeToString(h.wrapAAD()) != want {
		t.Errorf("wrapAAD = %x, want %s", h.wrapAAD(), want)
	}
}

func TestParseHeader(t *testing.T) {
	longest := header{keyID: strings.Repeat("k", 64), name: strings.Repeat("n", 255), id: strings.Repeat("i", 255), wrapped: make([]byte, MaxWrapped)}
	good := header{keyID: "0.a_b-c", name: "n", id: "i", wrapped: []byte{1}}
	for what, h := range map[string]header{"small": good, "longest": longest, "no identity": {keyID: "k", wrapped: []byte{1}}} {
		b := h.marshal()
		got, err := parseHeader(b)
		if err != nil || got.keyID != h.keyID || got.name != h.name || got.id != h.id || !bytes.Equal(got.wrapped, h.wrapped) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
		for n := range b {
			if _, err := parseHeader(b[:n]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: first %d of %d bytes: %v", what, n, len(b), err)
			}
		}
	}
	if n := len(longest.marshal()); n != 4685 || n > MaxHeader {
		t.Errorf("the longest header is %d bytes", n)
	}
	for what, b := range map[string][]byte{
		"nothing":          nil,
		"another magic":    []byte("age-encryption.org/v1\n-> X25519"),
		"newer version":    append([]byte("DBBKAES\x02"), good.marshal()[8:]...),
		"a byte more":      append(good.marshal(), 0),
		"a byte inside":    append([]byte(magic+"\x00\x1a"), append(good.marshal()[10:], 0)...),
		"length too small": []byte(magic + "\x00\x09"),
		"length too large": []byte(magic + "\xff\xff"),
		"no key id":        header{wrapped: []byte{1}}.marshal(),
		"bad key id":       header{keyID: "a b", wrapped: []byte{1}}.marshal(),
		"upper case":       header{keyID: "A", wrapped: []byte{1}}.marshal(),
		"dot first":        header{keyID: ".a", wrapped: []byte{1}}.marshal(),
		"non-ASCII":        header{keyID: "é", wrapped: []byte{1}}.marshal(),
		"key id too long":  header{keyID: strings.Repeat("k", 65), wrapped: []byte{1}}.marshal(),
		"no wrapped key":   header{keyID: "k"}.marshal(),
		"wrapped too long": header{keyID: "k", wrapped: make([]byte, MaxWrapped+1)}.marshal(),
	} {
		if _, err := parseHeader(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		} else if what == "newer version" && !strings.Contains(err.Error(), "version 2") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestReadHeaderLength: lengths that a bare stream must not have.
func TestReadHeaderLength(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	for _, length := range []string{"\x00\x00", "\x00\x09", "\x20\x01", "\xff\xff"} {
		stream := append([]byte(magic+length), make([]byte, 1<<17)...)
		_, err := decrypt(t, e, Envelope{}, sourceOf(stream))
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "outside") {
			t.Errorf("length %x: %v", length, err)
		}
	}
}

// FuzzParseHeader: no panic, and one encoding only.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add(header{keyID: "k", wrapped: []byte{1}}.marshal())
	f.Add(header{keyID: "k", name: "shop/eu", id: "2026", wrapped: make([]byte, 60)}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("error is not ErrDamaged: %v", err)
			}
			return
		}
		if again := h.marshal(); !bytes.Equal(again, b) {
			t.Errorf("parsed %x, encoded %x", b, again)
		}
	})
}

// FuzzAES256 changes a stream: the result must be an error, and never a changed byte.
func FuzzAES256(f *testing.F) {
	e := AES256(NewKeyring(testKey(1)))
	plain := pattern(500)
	stored, enc := encrypt(f, e, testIdentity, plain)
	f.Add(0, []byte{1}, 0)
	f.Add(len(enc.Header()), []byte{0x80, 1}, 3)
	f.Add(len(stored)-1, []byte{}, -1)
	f.Add(len(stored), []byte("more"), 0)
	f.Fuzz(func(t *testing.T, at int, xor []byte, move int) {
		changed := mutate(stored, at, xor, move)
		same := bytes.Equal(changed, stored)
		for _, header := range [][]byte{enc.Header(), nil} {
			got, err := decrypt(t, e, Envelope{Header: header, Want: testIdentity}, sourceOf(changed))
			if same != (err == nil) {
				t.Errorf("same %v, error %v", same, err)
			}
			if !same && len(got) > 0 {
				t.Errorf("released %d bytes", len(got))
			}
		}
	})
}

// mutate gives b with the bytes at at changed by xor, going past the end if that is long, and the last move bytes
// moved to the front or, for a negative move, dropped.
func mutate(b []byte, at int, xor []byte, move int) []byte {
	b = bytes.Clone(b)
	at = max(0, min(at, len(b)))
	if end := at + min(len(xor), 1<<16); end > len(b) {
		b = append(b, make([]byte, end-len(b))...)
	}
	for i, x := range xor[:min(len(xor), 1<<16)] {
		b[at+i] ^= x
	}
	switch {
	case move > 0 && move < len(b):
		cut := len(b) - move
		return append(bytes.Clone(b[cut:]), b[:cut]...)
	case move < 0 && move > -len(b):
		return b[:len(b)+move]
	}
	return b
}
