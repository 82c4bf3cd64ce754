package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseKey(t *testing.T) {
	k := testKey(7)
	text := k.Encode()
	raw := func(n int) string { return "base64:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), n)) }
	for _, tt := range []struct {
		in, wantErr string
	}{
		{text, ""},
		{strings.TrimRight(text, "="), ""},
		{" \t" + text + "\r\n", ""},
		{"", `must begin with "base64:"`},
		{strings.TrimPrefix(text, "base64:"), `must begin with "base64:"`},
		{"BASE64:" + text[7:], `must begin with "base64:"`},
		{"base64:", "is 0 bytes long, must be 32"},
		{raw(16), "is 16 bytes long, must be 32"},
		{raw(31), "is 31 bytes long, must be 32"},
		{raw(33), "is 33 bytes long, must be 32"},
		{raw(64), "is 64 bytes long, must be 32"},
		{text[:len(text)-2] + "Z=", "is not standard base64"}, // bits after the last byte
		{"base64:secret!secret", "is not standard base64"},
		{raw(32)[:20] + "-_" + raw(32)[22:], "is not standard base64"},
		{"base64:" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "all zero"},
	} {
		got, err := ParseKey(tt.in)
		if tt.wantErr == "" {
			if err != nil || !got.Equal(k) {
				t.Errorf("ParseKey(%q) = %v, %v", tt.in, got, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.wantErr) || !got.IsZero() {
			t.Errorf("ParseKey(%q) = %v, %v; want error %q", tt.in, got, err, tt.wantErr)
		}
		if _, text, _ := strings.Cut(tt.in, ":"); len(text) > 4 && strings.Contains(err.Error(), text[:5]) {
			t.Errorf("error repeats the key: %v", err)
		}
	}
}

// TestKeyID compares with values from Python's hmac module: HKDF-Extract with 32 zero bytes of salt, one
// block of HKDF-Expand with "key id".
func TestKeyID(t *testing.T) {
	for n, want := range map[byte]string{0: "9618c5c6d9427bcf", 7: "c0b768ea9c752e40"} {
		if got := testKey(n).ID(); got != want {
			t.Errorf("ID of testKey(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestNewKey(t *testing.T) {
	a, b := NewKey(), NewKey()
	if a.Equal(b) || a.IsZero() || len(a.Bytes()) != KeySize {
		t.Fatalf("two new keys: equal %v, zero %v", a.Equal(b), a.IsZero())
	}
	again, err := ParseKey(a.Encode())
	if err != nil || !again.Equal(a) {
		t.Errorf("ParseKey(Encode()) = %v, %v", again, err)
	}
	clear(a.Bytes())
	if !again.Equal(a) {
		t.Error("Bytes is no copy")
	}
	var zero Key
	if zero.Equal(a) || !zero.Equal(Key{}) || zero.ID() != "" || zero.Encode() != "" || zero.Bytes() != nil {
		t.Error("the zero Key behaves as a key")
	}
}

// TestKeyIsNeverPrinted looks for the key's bytes in every common encoding.
func TestKeyIsNeverPrinted(t *testing.T) {
	k := testKey(7)
	ring := NewKeyring(k, testKey(9))
	type config struct {
		Key    Key
		hidden Key // fmt does not call its methods
		ptr    *Key
		ring   *Keyring
		enc    Encryptor
	}
	c := config{k, k, &k, ring, AES256(ring)}
	values := map[string]any{
		"key": k, "pointer": &k, "struct": c, "struct pointer": &c, "slice": []Key{k}, "map": map[string]Key{"k": k},
		"ring": ring, "ring value": *ring, "encryptor": c.enc, "bad error": fmt.Errorf("%w: %v", ErrDamaged, k),
	}
	for what, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%b", "%o", "%U", "%08v"} {
			notLeaking(t, what+" "+verb, fmt.Sprintf(verb, v))
		}
		text, _ := json.Marshal(v)
		notLeaking(t, what+" json", string(text))
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		notLeaking(t, what+" slog", log.String())
	}
	if got, want := fmt.Sprintf("%x", k), "Key("+k.ID()+")"; got != want {
		t.Errorf("%%x = %s, want %s", got, want)
	}
}

func notLeaking(t *testing.T, what, s string) {
	t.Helper()
	for _, n := range []byte{7, 9} {
		b := testKey(n).Bytes()[8:16]
		for _, secret := range []string{
			string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), strings.Trim(fmt.Sprint(b), "[]"),
			strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"), strings.Trim(fmt.Sprintf("%b", b), "[]"), strings.Trim(fmt.Sprintf("%o", b), "[]"),
			strings.Trim(fmt.Sprintf("%U", b), "[]"), testKey(n).Encode()[12:24],
		} {
			if strings.Contains(s, secret) {
				t.Errorf("%s shows the key: %.300s", what, s)
				return
			}
		}
	}
}

func TestKeyring(t *testing.T) {
	ctx := t.Context()
	a, b := testKey(1), testKey(2)
	ring := NewKeyring(a, b, a, Key{})
	if got, want := strings.Join(ring.KeyIDs(), " "), a.ID()+" "+b.ID(); got != want {
		t.Errorf("KeyIDs = %s, want %s", got, want)
	}
	wrapped, err := NewKeyring(b).WrapKey(ctx, []byte("data key"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ring.UnwrapKey(ctx, b.ID(), wrapped, []byte("aad"))
	if err != nil || string(got) != "data key" {
		t.Errorf("UnwrapKey = %q, %v", got, err)
	}
	for what, call := range map[string]func() ([]byte, error){
		"other aad": func() ([]byte, error) { return ring.UnwrapKey(ctx, b.ID(), wrapped, []byte("aae")) },
		"other key": func() ([]byte, error) { return ring.UnwrapKey(ctx, a.ID(), wrapped, []byte("aad")) },
		"short":     func() ([]byte, error) { return ring.UnwrapKey(ctx, b.ID(), wrapped[:27], []byte("aad")) },
		"empty":     func() ([]byte, error) { return ring.UnwrapKey(ctx, b.ID(), nil, []byte("aad")) },
	} {
		_, err := call()
		wantErr(t, what, err, ErrDamaged)
	}
	if _, err := ring.UnwrapKey(ctx, "unknown", wrapped, nil); !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := NewKeyring(Key{}, b).WrapKey(ctx, nil, nil); err == nil {
		t.Error("a keyring without an active key wraps")
	}
	if _, err := NewKeyring(Key{}).UnwrapKey(ctx, "", wrapped, nil); !errors.Is(err, ErrKeyNotFound) {
		t.Errorf("no keys at all, empty id: %v", err)
	}
}
