package crypto

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
)

// testAge encrypts to one fixed identity.
func testAge(t testing.TB) Encryptor {
	t.Helper()
	return ageFor(t, "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
}

// ageFor reads and writes with one native identity.
func ageFor(t testing.TB, secret string) Encryptor {
	t.Helper()
	i, err := age.ParseX25519Identity(secret)
	if err != nil {
		t.Fatal(err)
	}
	return Age(&AgeOptions{Recipients: []age.Recipient{i.Recipient()}, Identities: []age.Identity{i}})
}

const ageChunk = 64 << 10

var ageSizes = []int{0, 1, ageChunk - 1, ageChunk, ageChunk + 1, 3 * ageChunk, 1_000_003}

// ageKinds makes an encryptor of every kind of recipient that needs no SSH.
func ageKinds(t *testing.T) map[string]*AgeOptions {
	t.Helper()
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	many := &AgeOptions{Identities: []age.Identity{x}}
	for range 100 { // a header longer than MaxHeader
		other, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		many.Recipients = append(many.Recipients, other.Recipient())
	}
	many.Recipients = append(many.Recipients, x.Recipient())
	return map[string]*AgeOptions{
		"X25519":     {Recipients: []age.Recipient{x.Recipient()}, Identities: []age.Identity{x}},
		"hybrid":     {Recipients: []age.Recipient{pq.Recipient()}, Identities: []age.Identity{x, pq}},
		"many":       many,
		"passphrase": cheapPassphrase(t, "correct horse"),
	}
}

// cheapPassphrase is AgePassphrase with little work.
func cheapPassphrase(t *testing.T, s string) *AgeOptions {
	t.Helper()
	o, err := AgePassphrase(s)
	if err != nil {
		t.Fatal(err)
	}
	o.Recipients[0].(*age.ScryptRecipient).SetWorkFactor(4)
	return o
}

func TestAgeRoundTrip(t *testing.T) {
	for kind, o := range ageKinds(t) {
		e, sizes := Age(o), ageSizes
		if kind != "X25519" { // only the header differs
			sizes = sizes[:2]
		}
		for _, size := range sizes {
			plain := pattern(size)
			stored, enc := encrypt(t, e, testIdentity, plain)
			if header := enc.Header(); (header == nil) != (kind == "many") || !bytes.HasPrefix(stored, header) {
				t.Errorf("%s: header of %d bytes", kind, len(header))
			}
			for _, env := range []Envelope{{}, {Header: enc.Header(), Want: testIdentity}} {
				got, err := decrypt(t, e, env, sourceOf(stored))
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%s, %d bytes: got %d, %v", kind, size, len(got), err)
				}
			}
		}
	}
}

func TestAgeSeal(t *testing.T) {
	e := testAge(t)
	stored, enc := encrypt(t, e, testIdentity, []byte("plain"))
	for _, env := range []Envelope{{}, {Header: enc.Header()}} {
		d, err := e.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		checkSeal(t, e, enc, d)
		_, err = d.Unseal([]byte("body"), stored) // shorter than what a seal begins with
		wantErr(t, "a stream as a seal", err, ErrDamaged)
	}
}

func TestAgeMissingKey(t *testing.T) {
	stored, enc := encrypt(t, testAge(t), testIdentity, []byte("plain"))
	seal, err := enc.Seal([]byte("body"), nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	wrong := Age(&AgeOptions{Identities: []age.Identity{other}})
	d, err := wrong.Open(t.Context(), Envelope{})
	if err != nil {
		t.Fatal(err)
	}
	_, openErr := wrong.Open(t.Context(), Envelope{Header: enc.Header()})
	_, bareErr := decrypt(t, wrong, Envelope{}, sourceOf(stored))
	_, sealErr := d.Unseal([]byte("body"), seal)
	_, noneErr := Age(nil).Open(t.Context(), Envelope{Header: enc.Header()})
	_, noneBareErr := Age(nil).Open(t.Context(), Envelope{})
	for what, err := range map[string]error{"Open": openErr, "bare": bareErr, "Unseal": sealErr, "no identities": noneErr, "no identities, bare": noneBareErr} {
		var k *KeyError
		if !errors.As(err, &k) || k.Format != "age" || len(k.Need) != 1 {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if have := []string{recipientID(other.Recipient())}; !strings.HasPrefix(what, "no") && !slices.Equal(k.Have, have) {
			t.Errorf("%s: have %v, want %v", what, k.Have, have)
		}
	}
	if _, err := wrong.Encrypt(t.Context(), io.Discard, testIdentity); err == nil || !strings.Contains(err.Error(), "no recipients") {
		t.Errorf("Encrypt without recipients: %v", err)
	}
}

func TestAgePassphrase(t *testing.T) {
	stored, _ := encrypt(t, Age(cheapPassphrase(t, "correct horse")), testIdentity, []byte("plain"))
	_, err := decrypt(t, Age(cheapPassphrase(t, "battery staple")), Envelope{}, sourceOf(stored))
	var k *KeyError
	if !errors.As(err, &k) || strings.Contains(err.Error(), "battery") {
		t.Errorf("wrong passphrase: %v", err)
	}
	costly := bytes.Replace(stored, []byte(" 4\n"), []byte(" 21\n"), 1)
	_, err = decrypt(t, Age(cheapPassphrase(t, "correct horse")), Envelope{}, sourceOf(costly))
	if err == nil || !strings.Contains(err.Error(), "work factor") {
		t.Errorf("2^21 rounds: %v", err)
	}
	if _, err := AgePassphrase(""); err == nil {
		t.Error("an empty passphrase was accepted")
	}
	both := cheapPassphrase(t, "x")
	both.Recipients = append(both.Recipients, both.Recipients[0])
	if _, err := Age(both).Encrypt(t.Context(), io.Discard, testIdentity); err == nil {
		t.Error("a passphrase beside another recipient was accepted")
	}
}

// TestAgeEndlessHeader: what is not an age file is refused early.
func TestAgeEndlessHeader(t *testing.T) {
	for _, start := range []string{"", "age-encryption.org/v1\n", "age-encryption.org/v1\n-> X25519 "} {
		var n int
		zeros := readerFunc(func(p []byte) (int, error) {
			n += len(p)
			copy(p, bytes.Repeat([]byte("A"), len(p)))
			return len(p), nil
		})
		_, err := decrypt(t, testAge(t), Envelope{}, iotestSource{io.MultiReader(strings.NewReader(start), zeros), 1 << 40})
		wantErr(t, "endless header", err, ErrDamaged)
		if n > 32<<20 {
			t.Errorf("after %q: read %d bytes", start, n)
		}
	}
}

// TestStockAge: the stock tool opens what we write, and we open what it writes.
func TestStockAge(t *testing.T) {
	secret := strings.TrimSpace(lastLine(stock(t, nil, "age-keygen")))
	e := ageFor(t, secret)
	recipient := e.(*ageEncryptor).recipients[0].(*age.X25519Recipient).String()
	keyFile := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(keyFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range ageSizes {
		plain := pattern(size)
		stored, _ := encrypt(t, e, testIdentity, plain)
		if got := stock(t, stored, "age", "--decrypt", "-i", keyFile); !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: age reads %d", size, len(got))
		}
		stored = stock(t, plain, "age", "--encrypt", "-r", recipient)
		got, err := decrypt(t, e, Envelope{}, sourceOf(stored))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: we read %d of age's, %v", size, len(got), err)
		}
	}
}

// stock runs a stock tool.
func stock(t testing.TB, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is needed (run: make tools): %v", name, err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, stderr.Bytes())
	}
	return out
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}
