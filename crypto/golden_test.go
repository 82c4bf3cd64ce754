package crypto

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

// Golden streams must stay readable for ever. `go test -run Golden -update` writes new ones, which is right only
// for a new format version, in new files.
var update = flag.Bool("update", false, "write new golden files")

// The key of the AES256 files is the bytes 0x07 to 0x26; a wrap for the key 0x09 to 0x28 goes with them.
const (
	goldenKey    = "base64:BwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSY="
	goldenNewKey = "base64:CQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJyg="
	goldenAge    = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
	goldenPlain  = "Golden streams must stay readable for ever.\n"
	goldenBody   = `{"format":1}`
	goldenSecret = "the plain stream's digest"
)

func goldenKeyring(t *testing.T, text string) *Keyring {
	t.Helper()
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return NewKeyring(k)
}

func golden(t *testing.T, name string, fresh func() []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, fresh(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenAES256(t *testing.T) {
	old, renewed := AES256(goldenKeyring(t, goldenKey)), AES256(goldenKeyring(t, goldenNewKey))
	made, enc := encrypt(t, old, testIdentity, []byte(goldenPlain))
	stream := golden(t, "aes256-v1.aes", func() []byte { return made })
	seal := golden(t, "aes256-v1.seal", func() []byte { return goldenSeal(t, enc) })
	size, err := headerSize(stream)
	if err != nil {
		t.Fatal(err)
	}
	env := Envelope{Header: stream[:size], Want: testIdentity}
	env.Wraps = [][]byte{golden(t, "aes256-v1.wrap", func() []byte {
		old, _ := ParseKey(goldenKey)
		renewed, _ := ParseKey(goldenNewKey)
		_, wrap, err := AES256(NewKeyring(renewed, old)).(Rewrapper).Rewrap(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		return wrap
	})}
	checkGolden(t, old, env, stream, seal)
	checkGolden(t, renewed, env, stream, seal)
}

func TestGoldenAge(t *testing.T) {
	e := ageFor(t, goldenAge)
	made, enc := encrypt(t, e, testIdentity, []byte(goldenPlain))
	stream := golden(t, "age-v1.age", func() []byte { return made })
	seal := golden(t, "age-v1.seal", func() []byte { return goldenSeal(t, enc) })
	header, err := age.ExtractHeader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, e, Envelope{Header: header}, stream, seal)
}

func goldenSeal(t *testing.T, enc Encryption) []byte {
	t.Helper()
	seal, err := enc.Seal([]byte(goldenBody), []byte(goldenSecret))
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

func checkGolden(t *testing.T, e Encryptor, env Envelope, stream, seal []byte) {
	t.Helper()
	for _, env := range []Envelope{env, {Wraps: env.Wraps}} {
		got, err := decrypt(t, e, env, sourceOf(stream))
		if err != nil || string(got) != goldenPlain {
			t.Errorf("golden stream: %q, %v", got, err)
		}
	}
	d, err := e.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := d.Unseal([]byte(goldenBody), seal)
	if err != nil || string(secret) != goldenSecret {
		t.Errorf("golden seal: %q, %v", secret, err)
	}
}
