package crypto

import (
	"bytes"
	"io"
	"testing"
)

func TestNone(t *testing.T) {
	plain := pattern(100_000)
	stored, enc := encrypt(t, None, testIdentity, plain)
	if !bytes.Equal(stored, plain) || enc.Header() != nil || None.Extension() != "" || len(None.KeyIDs()) != 0 {
		t.Error("None adds something")
	}
	got, err := decrypt(t, None, Envelope{Want: testIdentity}, sourceOf(stored))
	if err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := enc.Seal(nil, nil); err == nil {
		t.Error("None seals")
	}
	d, err := None.Open(t.Context(), Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Unseal(nil, nil); err == nil {
		t.Error("None unseals")
	}
	if _, err := None.Open(t.Context(), Envelope{Header: []byte(magic)}); err == nil {
		t.Error("None opens a stream that is encrypted")
	}
	_, err = decrypt(t, None, Envelope{}, iotestSource{bytes.NewReader(plain), int64(len(plain) + 1)})
	wantErr(t, "shorter than its size", err, io.ErrUnexpectedEOF)
	_, err = decrypt(t, None, Envelope{}, iotestSource{bytes.NewReader(plain), int64(len(plain) - 1)})
	wantErr(t, "longer than its size", err, ErrDamaged)
}
