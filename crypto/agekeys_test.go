package crypto

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
)

func TestParseAgeKeys(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	pq, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	identities, err := ParseIdentities(strings.NewReader("# created: today\r\n" + x.String() + "\r\n\n  " + pq.String() + "  \n"))
	if err != nil || len(identities) != 2 {
		t.Fatalf("ParseIdentities = %d, %v", len(identities), err)
	}
	for i, recipient := range []string{x.Recipient().String(), pq.Recipient().String()} {
		recipients, err := ParseRecipients(strings.NewReader("\n# me\n" + recipient))
		if err != nil || len(recipients) != 1 {
			t.Fatalf("ParseRecipients = %d, %v", len(recipients), err)
		}
		e := Age(&AgeOptions{Recipients: recipients, Identities: identities[i : i+1]})
		sum := sha256.Sum256([]byte(recipient))
		if want := hex.EncodeToString(sum[:8]); len(e.KeyIDs()) != 1 || e.KeyIDs()[0] != want || identityID(identities[i]) != want {
			t.Errorf("KeyIDs = %v, identity %s, want %s", e.KeyIDs(), identityID(identities[i]), want)
		}
		stored, enc := encrypt(t, e, testIdentity, []byte("plain"))
		if got, err := decrypt(t, e, Envelope{Header: enc.Header()}, sourceOf(stored)); err != nil || string(got) != "plain" {
			t.Errorf("%.10s: %q, %v", recipient, got, err)
		}
	}
}

// TestParseAgeKeysErrors: errors name the line and repeat nothing of it.
func TestParseAgeKeysErrors(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	secret, public := x.String(), x.Recipient().String()
	for _, tt := range []struct {
		in, recipients, identities string // what the errors contain
	}{
		{"", "there is none", "there is none"},
		{"# nothing\n\n", "there is none", "there is none"},
		{"#\n" + secret[:30], "line 2: is an identity", "line 2: identity is malformed"},
		{"#\n" + secret[:len(secret)-1] + "x", "line 2: is an identity", "line 2: identity is malformed"},
		{strings.ToLower(secret), "line 1: is no recipient", "line 1: is no identity"},
		{"AGE-SECRET-KEY-PQ-1QQQQ", "line 1: is an identity", "line 1: identity is malformed"},
		{public[:40], "line 1: recipient is malformed", "line 1: is a recipient"},
		{"age1yubikey1qwerty", "line 1: recipient is malformed", "line 1: is a recipient"},
		{"age1pq1qqqq", "line 1: recipient is malformed", "line 1: is a recipient"},
		{"hunter2hunter2", "line 1: is no recipient", "line 1: is no identity"},
		{"\n-----BEGIN X-----\nsecretsecret\n", "line 2: is an identity", "line 2: key has no -----END line"},
		{"\n-----BEGIN AGE ENCRYPTED FILE-----\nsecretsecret\n-----END AGE ENCRYPTED FILE-----", "line 2: is an identity", "line 2: is an encrypted age file"},
		{strings.Repeat("#\n", maxKeyFile/2) + "#", "longer than", "longer than"},
		{strings.Repeat("x", maxKeyFile+1), "longer than", "longer than"},
	} {
		_, rErr := ParseRecipients(strings.NewReader(tt.in))
		_, iErr := ParseIdentities(strings.NewReader(tt.in))
		for err, want := range map[error]string{rErr: tt.recipients, iErr: tt.identities} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.40q: %v; want %q", tt.in, err, want)
			} else if i := strings.LastIndex(tt.in, "1"); i > 0 && len(tt.in) > i+5 && strings.Contains(err.Error(), tt.in[i+1:i+5]) {
				t.Errorf("error repeats the key: %v", err)
			} else if strings.Contains(err.Error(), "secretsecret") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error repeats the line: %v", err)
			}
		}
	}
	if _, err := ParseRecipients(iotest.ErrReader(iotest.ErrTimeout)); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("unreadable file: %v", err)
	}
}

// FuzzParseAgeKeys: no panic, and no key without a line for it.
func FuzzParseAgeKeys(f *testing.F) {
	f.Add("# comment\nage1qqqq\nssh-ed25519 AAAA\n")
	f.Add("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, s string) {
		lines := strings.Count(s, "\n") + 1
		if r, err := ParseRecipients(strings.NewReader(s)); err == nil && (len(r) == 0 || len(r) > lines) {
			t.Errorf("%d recipients in %d lines", len(r), lines)
		}
		if i, err := ParseIdentities(strings.NewReader(s)); err == nil && (len(i) == 0 || len(i) > lines) {
			t.Errorf("%d identities in %d lines", len(i), lines)
		}
	})
}
