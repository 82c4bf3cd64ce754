package sevenzip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/databasement/backup/crypto"
)

func TestPasswords(t *testing.T) {
	const hexKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	key, err := crypto.ParseKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct{ reveal, id string }{
		testKey:                   {hexKey, key.ID()},
		" " + testKey + "\n":      {hexKey, key.ID()}, // as a file of environment variables may have it
		hexKey:                    {hexKey, key.ID()}, // what stock 7-Zip was given
		strings.ToUpper(hexKey):   {strings.ToUpper(hexKey), ""},
		hexKey + "00":             {hexKey + "00", ""},
		" spaces stay ":           {" spaces stay ", ""},
		"Größe €, 𝄞":              {"Größe €, 𝄞", ""},
		strings.Repeat("0", 64):   {strings.Repeat("0", 64), ""}, // no key is all zeros
		strings.Repeat("x", 1024): {strings.Repeat("x", 1024), ""},
	} {
		p, err := ParsePassword(text)
		if err != nil || p.Reveal() != want.reveal || p.keyID() != want.id {
			t.Errorf("%q: %q of key %q, %v", text, p.Reveal(), p.keyID(), err)
		}
	}
	if p := FromKey(crypto.Key{}); !p.IsZero() || p.Reveal() != "" {
		t.Error("the zero Key makes a password")
	}
	for _, text := range []string{"", "a\xff", strings.Repeat("x", 1025), "base64:c2hvcnQ="} {
		if p, err := ParsePassword(text); err == nil || !p.IsZero() || len(text) > 3 && strings.Contains(err.Error(), text[7:]) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if !password(t, testKey).Equal(password(t, hexKey)) || password(t, "a").Equal(password(t, "b")) || (Password{}).Equal(password(t, "b")) {
		t.Error("Equal is wrong")
	}
}

// However a password is printed, it is not shown.
func TestPasswordIsHidden(t *testing.T) {
	type config struct {
		Public Password
		hidden Password
	}
	for _, text := range []string{"correct horse", testKey} {
		p := password(t, text)
		c := config{p, p}
		j, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "password", p, "config", c)
		shown := string(j) + log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			shown += fmt.Sprintf(verb+verb+verb, p, c, &c)
		}
		for _, secret := range []string{"correct", "636f7272656374", "0001020304", fmt.Sprint([]byte("correct")[:4]), "AAECAw"} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is shown in %s", secret, shown)
			}
		}
	}
}

// The key that 7-Zip derives, by archives of 7-Zip, is tested with them; here are the special cases of its format.
func TestDerive(t *testing.T) {
	key, err := kdf{power: kdfPlain, salt: "salt"}.derive(t.Context(), "pä")
	if err != nil || string(key) != "salt"+"p\x00\xe4\x00"+strings.Repeat("\x00", 24) {
		t.Errorf("power 63: %q, %v", key, err)
	}
	one, err := kdf{}.derive(t.Context(), "") // one round, fewer than go into one Write
	if err != nil || fmt.Sprintf("%x", one) != "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc" {
		t.Errorf("power 0: %x, %v", one, err)
	}
}

func TestDeriveMindsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := password(t, "a").cipher(ctx, kdf{power: kdfMaxPower}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

// A key is derived once; of many only the latest are kept.
func TestDeriveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := password(t, "a")
		first, err := p.cipher(t.Context(), kdf{power: 1})
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := p.cipher(t.Context(), kdf{power: 1}); again != first {
			t.Error("it was derived again")
		}
		for i := range 2 * maxDerived {
			if _, err := p.cipher(t.Context(), kdf{power: 1, salt: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len((*p.s).derived); n != maxDerived {
			t.Errorf("%d keys are kept", n)
		}
	})
}
