package crypto

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

const (
	firstSegment = segmentSize - streamHeaderSize - tagSize // plain bytes
	nextSegment  = segmentSize - tagSize
)

func TestAES256RoundTrip(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	for _, size := range []int{
		0, 1, 15, 16, 4096,
		firstSegment - 1, firstSegment, firstSegment + 1,
		firstSegment + nextSegment - 1, firstSegment + nextSegment, firstSegment + nextSegment + 1,
		4*segmentSize + 77,
	} {
		plain := pattern(size)
		stored, enc := encrypt(t, e, testIdentity, plain)
		if !bytes.HasPrefix(stored, enc.Header()) {
			t.Fatalf("%d bytes: stream does not begin with Header()", size)
		}
		for what, env := range map[string]Envelope{
			"with a manifest": {Header: enc.Header(), Want: testIdentity},
			"bare":            {},
			"bare, wanted":    {Want: testIdentity},
		} {
			got, err := decrypt(t, e, env, sourceOf(stored))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: got %d bytes, %v", size, what, len(got), err)
			}
		}
	}
}

// TestAES256Identity covers the identities that fit a header, and those that do not.
func TestAES256Identity(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	long := strings.Repeat("x", 255)
	for _, id := range []Identity{{}, {Name: long, ID: long}, {Name: "ü"}, {ID: "only"}} {
		stored, enc := encrypt(t, e, id, []byte("plain"))
		got, err := decrypt(t, e, Envelope{Header: enc.Header(), Want: id}, sourceOf(stored))
		if err != nil || string(got) != "plain" {
			t.Errorf("%.20q: %q, %v", id.Name, got, err)
		}
		for _, other := range []Identity{{Name: id.Name + "x", ID: id.ID}, {Name: id.Name, ID: id.ID + "x"}, {Name: "other", ID: "other"}} {
			for _, header := range [][]byte{enc.Header(), nil} {
				_, err := decrypt(t, e, Envelope{Header: header, Want: other}, sourceOf(stored))
				wantErr(t, "other identity", err, ErrDamaged)
				if err != nil && !strings.Contains(err.Error(), other.Name) {
					t.Errorf("error does not say what was asked for: %v", err)
				}
			}
		}
	}
	for _, id := range []Identity{{Name: long + "x"}, {ID: long + "x"}} {
		if _, err := e.Encrypt(t.Context(), io.Discard, id); err == nil {
			t.Error("an identity of 256 bytes was accepted")
		}
	}
}

func TestAES256MissingKey(t *testing.T) {
	writer, other := testKey(1), []Key{testKey(2), testKey(3)}
	stored, enc := encrypt(t, AES256(NewKeyring(writer)), testIdentity, []byte("plain"))
	reader := AES256(NewKeyring(other[0], other[1]))
	var src unread
	_, openErr := reader.Open(t.Context(), Envelope{Header: enc.Header()})
	_, bareErr := decrypt(t, reader, Envelope{}, sourceOf(stored))
	_, _, rewrapErr := reader.(Rewrapper).Rewrap(t.Context(), Envelope{Header: enc.Header()})
	_, noneErr := AES256(nil).Open(t.Context(), Envelope{Header: enc.Header()})
	for what, err := range map[string]error{"Open": openErr, "bare": bareErr, "Rewrap": rewrapErr, "no keys": noneErr} {
		var k *KeyError
		if !errors.As(err, &k) || k.Format != "aes256" || !slices.Equal(k.Need, []string{writer.ID()}) {
			t.Errorf("%s: %v (%+v)", what, err, k)
		} else if have := []string{other[0].ID(), other[1].ID()}; what != "no keys" && !slices.Equal(k.Have, have) {
			t.Errorf("%s: have %v, want %v", what, k.Have, have)
		}
	}
	if src.reads != 0 {
		t.Error("data was read without a key")
	}
	if ids := AES256(nil).KeyIDs(); len(ids) != 0 {
		t.Errorf("KeyIDs without keys = %q", ids)
	}
	if _, err := AES256(nil).Encrypt(t.Context(), io.Discard, testIdentity); err == nil || !strings.Contains(err.Error(), "no active key") {
		t.Errorf("Encrypt without keys: %v", err)
	}
	if _, err := reader.Open(t.Context(), Envelope{Header: []byte("junk")}); !errors.Is(err, ErrDamaged) {
		t.Errorf("junk header: %v", err)
	}
}

// TestAES256SameIDOtherKey: a key store that has another key of the id that is needed.
func TestAES256SameIDOtherKey(t *testing.T) {
	a := fakeKMS{id: "kms.key-1", ring: NewKeyring(testKey(1))}
	b := fakeKMS{id: "kms.key-1", ring: NewKeyring(testKey(2))}
	stored, enc := encrypt(t, AES256(a), testIdentity, []byte("plain"))
	if got, err := decrypt(t, AES256(a), Envelope{Header: enc.Header()}, sourceOf(stored)); err != nil || string(got) != "plain" {
		t.Fatalf("KMS round trip: %q, %v", got, err)
	}
	_, err := AES256(b).Open(t.Context(), Envelope{Header: enc.Header()})
	wantErr(t, "other key of the same id", err, ErrDamaged)
}

// fakeKMS is a key service with one key, whose answers can be altered.
type fakeKMS struct {
	id     string
	ring   *Keyring
	wrap   func([]byte) ([]byte, error)
	unwrap func([]byte) ([]byte, error)
}

func (f fakeKMS) KeyID() string { return f.id }

func (f fakeKMS) WrapKey(ctx context.Context, dataKey, aad []byte) ([]byte, error) {
	if f.wrap != nil {
		return f.wrap(dataKey)
	}
	return f.ring.WrapKey(ctx, dataKey, aad)
}

func (f fakeKMS) UnwrapKey(ctx context.Context, id string, wrapped, aad []byte) ([]byte, error) {
	if f.unwrap != nil {
		return f.unwrap(wrapped)
	}
	if id != f.id {
		return nil, ErrKeyNotFound
	}
	return f.ring.UnwrapKey(ctx, f.ring.KeyID(), wrapped, aad)
}

func TestAES256HostileWrapper(t *testing.T) {
	boom := errors.New("service unavailable")
	ring := NewKeyring(testKey(1))
	give := func(n int, err error) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return make([]byte, n), err }
	}
	for what, w := range map[string]fakeKMS{
		"wrap fails":     {id: "k", wrap: give(0, boom)},
		"wraps nothing":  {id: "k", wrap: give(0, nil)},
		"wraps too much": {id: "k", wrap: give(MaxWrapped+1, nil)},
		"bad id":         {id: "Key", ring: ring},
		"long id":        {id: strings.Repeat("k", 65), ring: ring},
		"odd id":         {id: "-k", ring: ring},
		"spaced id":      {id: "k k", ring: ring},
	} {
		if _, err := AES256(w).Encrypt(t.Context(), io.Discard, testIdentity); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	_, enc := encrypt(t, AES256(fakeKMS{id: "k", wrap: give(MaxWrapped, nil)}), testIdentity, nil)
	env := Envelope{Header: enc.Header()}
	_, err := AES256(fakeKMS{id: "k", unwrap: give(32, boom)}).Open(t.Context(), env)
	wantErr(t, "unwrap fails", err, boom)
	_, err = AES256(fakeKMS{id: "k", unwrap: give(31, nil)}).Open(t.Context(), env)
	wantErr(t, "short data key", err, ErrDamaged)
	_, err = AES256(fakeKMS{id: "k", unwrap: give(0, ErrKeyNotFound)}).Open(t.Context(), env)
	var k *KeyError
	if !errors.As(err, &k) || !slices.Equal(k.Need, []string{"k"}) || !slices.Equal(k.Have, []string{"k"}) {
		t.Errorf("key not found: %v", err)
	}
}

func TestAES256Rewrap(t *testing.T) {
	ctx := t.Context()
	oldKey, newKey, stranger := testKey(1), testKey(2), testKey(3)
	stored, enc := encrypt(t, AES256(NewKeyring(oldKey)), testIdentity, []byte("plain"))
	seal, err := enc.Seal([]byte("body"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	env := Envelope{Header: enc.Header(), Want: testIdentity}
	id, wrap, err := AES256(NewKeyring(newKey, oldKey)).(Rewrapper).Rewrap(ctx, env)
	if err != nil || id != newKey.ID() {
		t.Fatalf("Rewrap = %s, %v", id, err)
	}
	env.Wraps = [][]byte{[]byte("junk"), wrap[:len(wrap)-1], wrap}
	for what, key := range map[string]Key{"new key": newKey, "old key": oldKey} {
		e := AES256(NewKeyring(key))
		got, err := decrypt(t, e, env, sourceOf(stored))
		if err != nil || string(got) != "plain" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		d, err := e.Open(ctx, env)
		if err != nil {
			t.Fatal(err)
		}
		if secret, err := d.Unseal([]byte("body"), seal); err != nil || string(secret) != "secret" {
			t.Errorf("%s: Unseal = %q, %v", what, secret, err)
		}
	}
	bare := Envelope{Wraps: [][]byte{wrap}}
	if got, err := decrypt(t, AES256(NewKeyring(newKey)), bare, sourceOf(stored)); err != nil || string(got) != "plain" {
		t.Errorf("bare with a wrap: %q, %v", got, err)
	}
	_, err = AES256(NewKeyring(stranger)).Open(ctx, env)
	var k *KeyError
	if !errors.As(err, &k) || !slices.Equal(k.Need, []string{oldKey.ID(), newKey.ID()}) {
		t.Errorf("stranger: %v", err)
	}
	_, other := encrypt(t, AES256(NewKeyring(newKey)), Identity{Name: "other", ID: "x"}, nil)
	env.Wraps = [][]byte{other.Header()}
	if _, err := AES256(NewKeyring(newKey)).Open(ctx, env); !errors.As(err, &k) {
		t.Errorf("wrap of another snapshot: %v", err)
	}
	if _, _, err := AES256(NewKeyring(newKey)).(Rewrapper).Rewrap(ctx, Envelope{}); err == nil {
		t.Error("Rewrap without a header succeeded")
	}
}

// TestAES256ForeignWrap: a wrap of the same identity with another data key opens, but nothing authenticates.
func TestAES256ForeignWrap(t *testing.T) {
	stored, enc := encrypt(t, AES256(NewKeyring(testKey(1))), testIdentity, []byte("plain"))
	_, forged := encrypt(t, AES256(NewKeyring(testKey(2))), testIdentity, nil)
	got, err := decrypt(t, AES256(NewKeyring(testKey(2))), Envelope{Header: enc.Header(), Wraps: [][]byte{forged.Header()}}, sourceOf(stored))
	wantErr(t, "foreign wrap", err, ErrDamaged)
	if len(got) > 0 {
		t.Errorf("released %d bytes", len(got))
	}
}

func TestAES256Seal(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	_, enc := encrypt(t, e, testIdentity, nil)
	_, enc2 := encrypt(t, e, testIdentity, nil)
	d, err := e.Open(t.Context(), Envelope{Header: enc.Header()})
	if err != nil {
		t.Fatal(err)
	}
	checkSeal(t, e, enc, d)
	seal2, err := enc2.Seal([]byte("body"), []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Unseal([]byte("body"), seal2)
	wantErr(t, "seal of another snapshot", err, ErrDamaged)
	bare, err := e.Open(t.Context(), Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bare.Unseal([]byte("body"), seal2); !errors.Is(err, errNoHeader) {
		t.Errorf("Unseal without a header: %v", err)
	}
}

// TestAES256NeverRepeats: two encryptions of the same have nothing in common but the clear text.
func TestAES256NeverRepeats(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	a, enc := encrypt(t, e, testIdentity, make([]byte, 100))
	b, _ := encrypt(t, e, testIdentity, make([]byte, 100))
	clearText := len(enc.Header()) - nonceSize - KeySize - tagSize
	if !bytes.Equal(a[:clearText], b[:clearText]) {
		t.Error("clear text of the headers differs")
	}
	for i := clearText; i+8 <= len(a); i++ {
		if bytes.Equal(a[i:i+8], b[i:i+8]) {
			t.Fatalf("the same 8 bytes at %d", i)
		}
	}
}
