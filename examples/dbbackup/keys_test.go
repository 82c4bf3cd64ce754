package main

import (
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/databasement/backup/crypto"
)

func TestWrongKeyNamesTheKeyNeeded(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("data", "backup", "--name=shop", "--ext=.sql"))
	other := crypto.NewKey()
	for key, have := range map[string]string{other.Encode(): "have " + other.ID(), "": "have none"} {
		s.env[keyVar] = key
		for _, args := range [][]string{{"restore", ref}, {"restore", "--verify-first", ref}, {"verify", ref}} {
			s.fails(exitFailure, args, "needs "+s.key.ID(), have, keyVar)
		}
		s.fails(exitFailure, []string{"open", ref + ".sql.zst.aes"}, s.key.ID())
	}
}

// What takes no key works without one.
func TestWithoutKey(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("data", "backup", "--name=shop"))
	delete(s.env, keyVar)
	for _, args := range [][]string{{"names"}, {"list"}, {"verify", "--stored", ref}, {"sweep"}} {
		if got := s.ok("", args...); got == "" {
			t.Errorf("%q printed nothing", args)
		}
	}
	if got := s.ok("", "show", ref); !strings.Contains(got, "not checked") || !strings.Contains(got, s.key.ID()) {
		t.Errorf("show: %s", got)
	}
	s.ok("", "delete", ref)
	if got := s.files(); len(got) != 1 || got[0] != restoreTextName {
		t.Errorf("left %q", got)
	}
}

func TestOldKeys(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("data", "backup", "--name=shop"))
	s.env[keyVar] = crypto.NewKey().Encode()
	s.env[oldKeysVar] = crypto.NewKey().Encode() + "," + s.key.Encode() + ","
	if got := s.ok("", "restore", ref); got != "data" {
		t.Errorf("restored %q", got)
	}
	delete(s.env, keyVar)
	if got := s.ok("", "restore", ref); got != "data" {
		t.Errorf("restored with old keys alone: %q", got)
	}
}

// A malformed key is an error that does not repeat it.
func TestMalformedKeys(t *testing.T) {
	for _, name := range []string{keyVar, oldKeysVar} {
		s := newShell(t)
		s.env[name] = strings.TrimPrefix(s.key.Encode(), "base64:") + "x"
		s.fails(exitUsage, []string{"list"}, name)
	}
}

// Every configured key reads, whatever new snapshots are encrypted with.
func TestAge(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients := write(t, "recipients", identity.Recipient().String()+"\n")
	identities := write(t, "identities", "# secret\n"+identity.String()+"\n")
	s := newShell(t)
	aes := last(s.ok("aes", "backup", "--name=shop"))
	sealed := last(s.ok("age", "backup", "--name=shop", "--ext=.sql", "--encryption=age", "--age-recipients", recipients))
	s.fails(exitFailure, []string{"restore", sealed}, "age", "--age-identities")
	s.env["BACKUP_AGE_IDENTITIES_FILE"] = identities
	for _, encryption := range []string{"", "aes256", "age", "none"} {
		s.env["BACKUP_ENCRYPTION"] = encryption
		for ref, want := range map[string]string{aes: "aes", sealed: "age"} {
			if got := s.ok("", "restore", ref); got != want {
				t.Errorf("with BACKUP_ENCRYPTION=%q: restored %q, want %q", encryption, got, want)
			}
		}
		if got := s.ok("", "open", sealed+".sql.zst.age"); got != "age" {
			t.Errorf("open: %q", got)
		}
	}
	delete(s.env, keyVar)
	delete(s.env, "BACKUP_ENCRYPTION")
	if got := s.ok("", "show", last(s.ok("x", "backup", "--name=only", "--age-recipients", recipients))); !strings.Contains(got, "age") {
		t.Errorf("with recipients alone: %s", got)
	}
	s.env["BACKUP_ENCRYPTION"] = "age"
	s.fails(exitUsage, []string{"backup", "--name=shop"}, "--age-recipients")
	// An identity is a secret: it is refused where recipients are wanted, and not repeated.
	r := s.run("", "backup", "--name=shop", "--age-recipients", identities)
	if r.status != exitUsage || strings.Contains(r.err, identity.String()[:25]) {
		t.Errorf("%+v", r)
	}
}
