package crypto

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// sourceOf is what tests give to Decrypt.
func sourceOf(b []byte) Source { return bytes.NewReader(b) }

var testIdentity = Identity{Name: "shop/eu", ID: "20261122t175500123z-7f3a9c2e", Ext: ".sql"}

// testKey is a fixed key, a different one for each n.
func testKey(n byte) Key {
	k := keyOf(new([KeySize]byte))
	for i := range k.raw() {
		k.raw()[i] = n + byte(i)
	}
	return k
}

// encrypt gives the stored stream and the Encryption for plain.
func encrypt(t testing.TB, e Encryptor, id Identity, plain []byte) ([]byte, Encryption) {
	t.Helper()
	var out bytes.Buffer
	enc, err := e.Encrypt(t.Context(), &out, id)
	if err != nil {
		t.Fatalf("Encrypt: %v", err)
	}
	if n, err := enc.Write(plain); n != len(plain) || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if err := enc.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	return out.Bytes(), enc
}

// decrypt gives what could be read before the first error, which may come from any step.
func decrypt(t testing.TB, e Encryptor, env Envelope, src Source) ([]byte, error) {
	t.Helper()
	d, err := e.Open(t.Context(), env)
	if err != nil {
		return nil, err
	}
	r, err := d.Decrypt(t.Context(), src)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	plain, err := io.ReadAll(r)
	if err != nil {
		if _, again := r.Read(make([]byte, 1)); !errors.Is(again, err) {
			t.Errorf("error is not sticky: %v, then %v", err, again)
		}
	}
	return plain, err
}

// pattern is n bytes that differ everywhere.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// wantErr checks that err is all of targets.
func wantErr(t testing.TB, what string, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%s: error %v is not %v", what, err, target)
		}
	}
}
