package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/databasement/backup/crypto"
)

const (
	keyVar     = "BACKUP_ENCRYPTION_KEY"
	oldKeysVar = "BACKUP_ENCRYPTION_OLD_KEYS"
)

// encryptors returns everything that keys were given for, what new snapshots are encrypted with first.
func (a *app) encryptors(write bool) ([]crypto.Encryptor, error) {
	ring, hasKey, err := a.keyring()
	if err != nil {
		return nil, err
	}
	ageKeys, err := a.ageKeys()
	if err != nil {
		return nil, err
	}
	all := map[string]crypto.Encryptor{"none": crypto.None, "aes256": crypto.AES256(ring), "age": crypto.Age(ageKeys)}
	first := a.settings.encryption
	if first == "" && !hasKey && len(ageKeys.Recipients) > 0 {
		first = "age"
	}
	if first == "" {
		// A reader without any key gets an empty keyring rather than None: what nothing seals could be
		// anybody's, and --allow-unsealed or --encryption none say that it is wanted all the same.
		first = "aes256"
		if write && !hasKey {
			return nil, usagef("nothing says how to encrypt: set %s (dbbackup keygen makes one), or --encryption age with --age-recipients, "+
				"or --encryption none to store in the clear", keyVar)
		}
	}
	switch {
	case all[first] == nil:
		return nil, usagef("there is no encryption %q: want none, aes256 or age", first)
	case write && first == "aes256" && !hasKey:
		return nil, usagef("encryption aes256 needs a key in %s: dbbackup keygen makes one", keyVar)
	case write && first == "age" && len(ageKeys.Recipients) == 0:
		return nil, usagef("encryption age needs recipients: set --age-recipients or BACKUP_AGE_RECIPIENTS_FILE")
	}
	encryptors := []crypto.Encryptor{all[first]}
	for _, name := range []string{"aes256", "age"} {
		if name != first {
			encryptors = append(encryptors, all[name])
		}
	}
	return encryptors, nil
}

// keyring holds the key of the environment, and the old ones.
func (a *app) keyring() (ring *crypto.Keyring, hasKey bool, err error) {
	var active crypto.Key
	if s := a.env(keyVar); s != "" {
		if active, err = crypto.ParseKey(s); err != nil {
			return nil, false, usagef("%s: %v", keyVar, err)
		}
	}
	var old []crypto.Key
	for i, s := range slices.DeleteFunc(strings.Split(a.env(oldKeysVar), ","), isBlank) {
		k, err := crypto.ParseKey(s)
		if err != nil {
			return nil, false, usagef("%s, key %d: %v", oldKeysVar, i+1, err)
		}
		old = append(old, k)
	}
	return crypto.NewKeyring(active, old...), !active.IsZero(), nil
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// ageKeys reads the files of recipients and identities.
func (a *app) ageKeys() (*crypto.AgeOptions, error) {
	recipients, err := readKeys(a.settings.ageRecipients, crypto.ParseRecipients)
	if err != nil {
		return nil, err
	}
	identities, err := readKeys(a.settings.ageIdentities, crypto.ParseIdentities)
	if err != nil {
		return nil, err
	}
	return &crypto.AgeOptions{Recipients: recipients, Identities: identities}, nil
}

func readKeys[T any](path string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, usagef("age keys: %v", err)
	}
	defer f.Close()
	keys, err := parse(f)
	if err != nil {
		return nil, usagef("%s: %v", path, err)
	}
	return keys, nil
}

const keygenText = `make a key for --encryption aes256
Standard output gets the line BACKUP_ENCRYPTION_KEY=base64:…, fit for a file of environment variables.
Standard error gets the key's id, which reveals nothing, and advice.`

func keygenCommand(_ context.Context, a *app, _ []string) error {
	key := crypto.NewKey()
	if _, err := fmt.Fprintf(a.stdout, "%s=%s\n", keyVar, key.Encode()); err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	a.report.note("key id " + key.ID() + ", which snapshots are marked with and errors name")
	a.report.note("to store it for nobody else to read, and over no other key: (umask 077; set -C; dbbackup keygen > FILE)")
	a.report.note("keep a copy of the key away from the backups: without it nobody can read them, and with it anybody can")
	a.report.note("to change keys, move the old one to " + oldKeysVar + ": it goes on reading older snapshots")
	return nil
}
