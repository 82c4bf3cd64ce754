package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
)

const (
	keyVar     = "BACKUP_ENCRYPTION_KEY"
	oldKeysVar = "BACKUP_ENCRYPTION_OLD_KEYS"
)

const encryption7z = "7z"

// encryptors returns everything that keys were given for, what new snapshots are encrypted with first.
func (a *app) encryptors(write bool) ([]crypto.Encryptor, error) {
	keys, passwords, err := a.secrets()
	if err != nil {
		return nil, err
	}
	ageKeys, err := a.ageKeys()
	if err != nil {
		return nil, err
	}
	first, err := a.encryption(write, !keys[0].IsZero(), a.env(keyVar) != "", len(ageKeys.Recipients) > 0)
	if err != nil {
		return nil, err
	}
	all := map[string]crypto.Encryptor{
		"none": crypto.None, "aes256": crypto.AES256(crypto.NewKeyring(keys[0], keys[1:]...)), "age": crypto.Age(ageKeys),
	}
	if len(passwords) > 0 {
		if all[encryption7z], err = a.archives(write, passwords); err != nil {
			return nil, err
		}
	} else if first == encryption7z {
		first = "aes256" // which can read nothing either
	}
	encryptors := []crypto.Encryptor{all[first]}
	for _, name := range []string{"aes256", "age", encryption7z} {
		if e := all[name]; e != nil && name != first {
			encryptors = append(encryptors, e)
		}
	}
	return encryptors, nil
}

// encryption says how new snapshots are encrypted.
func (a *app) encryption(write, hasKey, hasPassword, hasRecipients bool) (string, error) {
	first := a.settings.encryption
	if first == "" && !hasKey && hasRecipients {
		first = "age"
	}
	if first == "" {
		// A reader without any key gets an empty keyring rather than None: what nothing seals could be
		// anybody's, and --allow-unsealed or --encryption none say that it is wanted all the same.
		first = "aes256"
		if write && !hasKey {
			return "", usagef("nothing says how to encrypt: set %s (dbbackup keygen makes one), or --encryption age with --age-recipients, "+
				"or --encryption none to store in the clear", keyVar)
		}
	}
	switch {
	case !slices.Contains([]string{"none", "aes256", "age", encryption7z}, first):
		return "", usagef("there is no encryption %q: want none, aes256, age or 7z", first)
	case write && first == "aes256" && !hasKey:
		return "", usagef("encryption aes256 needs a key in %s: dbbackup keygen makes one", keyVar)
	case write && first == "age" && !hasRecipients:
		return "", usagef("encryption age needs recipients: set --age-recipients or BACKUP_AGE_RECIPIENTS_FILE")
	case write && first == encryption7z && !hasPassword:
		return "", usagef("encryption 7z needs a key or password in %s: dbbackup keygen makes a key", keyVar)
	}
	return first, nil
}

// secrets are the key of the environment, and the old ones; the zero Key is first if there is none. All are passwords for 7z, too.
func (a *app) secrets() (keys []crypto.Key, passwords []sevenzip.Password, err error) {
	keys = []crypto.Key{{}}
	if s := a.env(keyVar); s != "" {
		key, password, err := a.secret(s)
		if err != nil {
			return nil, nil, usagef("%s: %v", keyVar, err)
		}
		keys[0], passwords = key, append(passwords, password)
	}
	for i, s := range slices.DeleteFunc(strings.Split(a.env(oldKeysVar), ","), isBlank) {
		key, password, err := a.secret(strings.TrimSpace(s))
		if err != nil {
			return nil, nil, usagef("%s, key %d: %v", oldKeysVar, i+1, err)
		}
		keys, passwords = append(keys, key), append(passwords, password)
	}
	return keys, passwords, nil
}

// secret reads a key; for 7z also a password, of which there is no key. Otherwise what is no key is one that was mistyped.
func (a *app) secret(s string) (key crypto.Key, password sevenzip.Password, err error) {
	if a.settings.encryption != encryption7z || strings.HasPrefix(strings.TrimSpace(s), "base64:") {
		key, err = crypto.ParseKey(s)
		if err != nil && a.settings.encryption != encryption7z {
			err = fmt.Errorf("%w (only --encryption 7z takes passwords that are no keys)", err)
		}
		if err != nil {
			return key, password, err
		}
		return key, sevenzip.FromKey(key), nil
	}
	password, err = sevenzip.NewPassword(s)
	return key, password, err
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

const keygenText = `make a key for --encryption aes256 or 7z
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
