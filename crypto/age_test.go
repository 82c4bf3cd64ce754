package crypto

import (
	"testing"

	"filippo.io/age"
)

// testAge encrypts to one fixed identity.
func testAge(t testing.TB) Encryptor {
	t.Helper()
	i, err := age.ParseX25519Identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		t.Fatal(err)
	}
	return Age(&AgeOptions{Recipients: []age.Recipient{i.Recipient()}, Identities: []age.Identity{i}})
}

func TestAgeSeal(t *testing.T) {
	e := testAge(t)
	_, enc := encrypt(t, e, testIdentity, nil)
	for _, env := range []Envelope{{}, {Header: enc.Header()}} {
		d, err := e.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		checkSeal(t, e, enc, d)
	}
}
