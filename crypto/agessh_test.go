package crypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshKey is a private key in OpenSSH's format and its public line.
func sshKey(t *testing.T, private any, public any, passphrase string) (secret, line string) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "me@here")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "me@here", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub))) + " me@here"
}

func TestAgeSSH(t *testing.T) {
	edPub, ed, _ := ed25519.GenerateKey(rand.Reader)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	edSecret, edLine := sshKey(t, ed, edPub, "")
	rsaSecret, rsaLine := sshKey(t, rsaKey, &rsaKey.PublicKey, "")
	for _, k := range []struct{ secret, line string }{{edSecret, edLine}, {rsaSecret, rsaLine}} {
		recipients, err := ParseRecipients(strings.NewReader(edLine + "\n" + rsaLine + "\n"))
		if err != nil || len(recipients) != 2 {
			t.Fatalf("ParseRecipients: %v", err)
		}
		identities, err := ParseIdentities(strings.NewReader("# key\n" + k.secret))
		if err != nil || len(identities) != 1 {
			t.Fatalf("ParseIdentities: %v", err)
		}
		e := Age(&AgeOptions{Recipients: recipients, Identities: identities})
		if id := identityID(identities[0]); len(e.KeyIDs()) != 2 || !strings.Contains(strings.Join(e.KeyIDs(), " "), id) {
			t.Errorf("KeyIDs = %v, identity %s", e.KeyIDs(), id)
		}
		plain := pattern(100_000)
		stored, enc := encrypt(t, e, testIdentity, plain)
		if got, err := decrypt(t, e, Envelope{Header: enc.Header()}, sourceOf(stored)); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%.12s: %d bytes, %v", k.line, len(got), err)
		}
		file := filepath.Join(t.TempDir(), "id")
		if err := os.WriteFile(file, []byte(k.secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := stock(t, stored, "age", "--decrypt", "-i", file); !bytes.Equal(got, plain) {
			t.Errorf("%.12s: age reads %d bytes", k.line, len(got))
		}
		stored = stock(t, plain, "age", "--encrypt", "-r", k.line)
		if got, err := decrypt(t, e, Envelope{}, sourceOf(stored)); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%.12s: we read %d bytes of age's, %v", k.line, len(got), err)
		}
	}
}

func TestAgeSSHErrors(t *testing.T) {
	edPub, ed, _ := ed25519.GenerateKey(rand.Reader)
	locked, _ := sshKey(t, ed, edPub, "hunter2")
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecSecret, ecLine := sshKey(t, ec, &ec.PublicKey, "")
	for in, want := range map[string]string{
		locked:                               "has a passphrase",
		ecSecret:                             "must be ed25519 or RSA",
		strings.Replace(locked, "b", "c", 1): "malformed",
	} {
		_, err := ParseIdentities(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%v; want %q", err, want)
		}
	}
	for in, want := range map[string]string{
		ecLine:             "is no recipient",
		"ssh-ed25519 AAAA": "malformed",
		"ssh-dss AAAA":     "malformed",
	} {
		if _, err := ParseRecipients(strings.NewReader(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v; want %q", in, err, want)
		}
	}
}
