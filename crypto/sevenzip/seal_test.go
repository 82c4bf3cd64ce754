package sevenzip

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

func TestSeal(t *testing.T) {
	body, secret := []byte(`{"format":1}`), bytes.Repeat([]byte{7}, 32)
	for _, text := range []string{testKey, "correct horse"} {
		p, other := password(t, text), []Password{password(t, "wrong"), FromKey(crypto.NewKey())}
		sealed, err := seal(p, body, secret)
		if err != nil {
			t.Fatal(err)
		}
		again, err := seal(p, body, secret)
		if err != nil || bytes.Equal(again[9:], sealed[9:]) {
			t.Errorf("two seals are equal, or %v", err)
		}
		found, got, err := unseal(append(other, p), body, sealed)
		if err != nil || !bytes.Equal(got, secret) || !found.Equal(p) {
			t.Errorf("%v: %x, %v", found, got, err)
		}
		_, _, err = unseal(other, body, sealed)
		wantKeyError(t, err)
		if _, _, err := unseal([]Password{p}, []byte(`{"format":2}`), sealed); !errors.Is(err, crypto.ErrDamaged) {
			t.Errorf("another body: %v", err)
		}
	}
}

// Every bit of a seal counts.
func TestSealDamaged(t *testing.T) {
	p, body := password(t, testKey), []byte("body")
	sealed, err := seal(p, body, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(sealed) {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		_, got, err := unseal([]Password{p}, body, bad)
		if keyError := (*crypto.KeyError)(nil); got != nil || !errors.Is(err, crypto.ErrDamaged) && !errors.As(err, &keyError) {
			t.Fatalf("bit %d: %q, %v", i, got, err)
		}
	}
	for n := range sealed {
		if _, _, err := unseal([]Password{p}, body, sealed[:n]); !errors.Is(err, crypto.ErrDamaged) {
			t.Fatalf("%d of %d bytes: %v", n, len(sealed), err)
		}
	}
	if _, _, err := unseal([]Password{p}, body, append([]byte(sealMagic), make([]byte, crypto.MaxSeal)...)); !errors.Is(err, crypto.ErrDamaged) {
		t.Errorf("a long seal: %v", err)
	}
}

// What a seal is made with is fixed: see New. The values were computed with Python's hashlib and cryptography.
func TestSealFormat(t *testing.T) {
	for text, want := range sealGolden {
		_, secret, err := unseal([]Password{password(t, text)}, []byte("body"), []byte(want))
		if err != nil || string(secret) != "secret" {
			t.Errorf("%s: %q, %v", text, secret, err)
		}
	}
	for _, text := range []string{"correct horse", testKey} {
		sealed, err := seal(password(t, text), []byte("body"), []byte("secret"))
		if err != nil || !strings.HasPrefix(string(sealed), "DBBK7ZS\x01") || len(sealed) != 8+1+16+8+12+6+16 {
			t.Errorf("%s: %q, %v", text, sealed, err)
		}
	}
}

// sealGolden are seals of "secret" for the manifest "body", by password.
var sealGolden = map[string]string{
	testKey:         "\x44\x42\x42\x4b\x37\x5a\x53\x01\x01\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f\x70\x71\x72\x73\x93\x7f\x25\x93\x2d\x8b\x02\xdc\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x91\xa7\xc6\x0f\xcb\x45\x07\x3b\x97\x6f\x8c\x09\xae\x22\xcb\x3a\x0b\x32\x7b\xa3\xa7\x8c",
	"correct horse": "\x44\x42\x42\x4b\x37\x5a\x53\x01\x02\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f\x70\x71\x72\x73\x38\xcc\x3c\x92\xc1\x03\x17\xca\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\xdd\x20\x95\x69\x44\x50\x62\xcc\x29\x57\xd9\x3d\x38\x5f\x11\x63\x80\x4a\x2b\x46\x6b\xb6",
}
