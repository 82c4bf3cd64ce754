package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
)

const (
	keyVariable        = "BACKUP_ENCRYPTION_KEY"
	appKeyVariable     = "APP_KEY"
	oldKeysVariable    = "BACKUP_ENCRYPTION_OLD_KEYS"
	recipientsVariable = "BACKUP_AGE_RECIPIENTS_FILE"
	identitiesVariable = "BACKUP_AGE_IDENTITIES_FILE"
)

// keys reads all secrets, and decides how new snapshots are encrypted if nothing says so.
func (r *reader) keys() {
	r.value(recipientsVariable, toEncrypt, "", func(v string) (err error) { r.age.Recipients, err = readKeys(v, crypto.ParseRecipients); return err })
	r.value(identitiesVariable, always, "", func(v string) (err error) { r.age.Identities, err = readKeys(v, crypto.ParseIdentities); return err })
	if key, _ := r.lookup(keyVariable); key == "" && r.encryption == "" && len(r.age.Recipients) > 0 {
		r.encryption = encryptionAge
	}
	hasKey := r.activeKey()
	r.earlierKeys()
	// A reader without any key gets an empty keyring rather than none: what nothing seals could be anybody's.
	if r.encryption == "" {
		r.encryption = encryptionAES256
		if !hasKey {
			r.wrong("BACKUP_ENCRYPTION", toEncrypt, "nothing says how to encrypt: set %s, or BACKUP_ENCRYPTION=age with %s, or BACKUP_ENCRYPTION=none to store in the clear",
				keyVariable, recipientsVariable)
		}
		return
	}
	switch {
	case r.encryption == encryptionAge && len(r.age.Recipients) == 0:
		r.wrong(recipientsVariable, toEncrypt, "is not set, and encryption age needs recipients")
	case (r.encryption == encryptionAES256 || r.encryption == encryption7z) && !hasKey:
		r.wrong(keyVariable, toEncrypt, "is not set, and encryption %s needs a key", r.encryption)
	}
}

// activeKey reads the key for new snapshots, and reports whether there is one, be it wrong.
func (r *reader) activeKey() bool {
	variable := keyVariable
	value, origin := r.lookup(variable)
	kind := always
	if value == "" {
		if app, from := r.lookup(appKeyVariable); app != "" {
			variable, value, origin, kind = appKeyVariable, app, from+", "+appKeyVariable, toEncrypt
		}
	}
	text := hidden
	if value != "" {
		key, password, err := r.parseSecret(value)
		switch {
		case err != nil && variable == appKeyVariable && (r.encryption == encryptionNone || r.encryption == encryptionAge):
			value = "" // an application's own key is nobody else's concern
		case err != nil:
			r.wrong(variable, kind, "%w", err)
		case !key.IsZero():
			text = "set, key id " + key.ID()
			fallthrough
		default:
			r.key, r.passwords = key, append(r.passwords, password)
		}
	}
	r.secret(keyVariable, value, origin, text)
	return value != ""
}

// maxOldKeys bounds how many there are.
const maxOldKeys = 100

func (r *reader) earlierKeys() {
	value, origin := r.lookup(oldKeysVariable)
	var shown []string
	for i, text := range strings.Split(value, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if len(shown) == maxOldKeys {
			r.wrong(oldKeysVariable, always, "has more than %d keys", maxOldKeys)
			break
		}
		key, password, err := r.parseSecret(text)
		if err != nil {
			r.wrong(oldKeysVariable, always, "key %d: %w", i+1, err)
			continue
		}
		r.passwords = append(r.passwords, password)
		if key.IsZero() {
			shown = append(shown, "a password")
			continue
		}
		r.oldKeys = append(r.oldKeys, key)
		shown = append(shown, key.ID())
	}
	r.secret(oldKeysVariable, value, origin, "set, key ids "+strings.Join(shown, ", "))
}

// parseSecret reads a key; for 7z also a password, of which there is no key. Otherwise what is no key is one that was mistyped.
func (r *reader) parseSecret(s string) (key crypto.Key, password sevenzip.Password, err error) {
	if r.encryption != encryption7z || strings.HasPrefix(strings.TrimSpace(s), "base64:") {
		key, err = crypto.ParseKey(s)
		if err != nil && r.encryption != encryption7z {
			err = fmt.Errorf("%w (only BACKUP_ENCRYPTION=7z takes a password that is no key)", err)
		}
		if err != nil {
			return crypto.Key{}, password, err
		}
		return key, sevenzip.FromKey(key), nil
	}
	password, err = sevenzip.NewPassword(s)
	return key, password, err
}

// maxKeysFile bounds a file of age keys, in bytes.
const maxKeysFile = 1 << 20

func readKeys[T any](path string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys, err := parse(io.LimitReader(f, maxKeysFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// encryptors are everything that there are keys for, what new snapshots are encrypted with first.
func (c *Config) encryptors(file string) ([]crypto.Encryptor, error) {
	all := map[string]crypto.Encryptor{
		encryptionNone: crypto.None, encryptionAES256: crypto.AES256(crypto.NewKeyring(c.key, c.oldKeys...)), encryptionAge: crypto.Age(&c.age),
	}
	first := c.encryption
	switch {
	case len(c.passwords) > 0:
		o := &sevenzip.Options{ReadWith: c.passwords[1:], File: file}
		if first == encryption7z {
			o.Method, o.Level = c.method, c.level
		}
		archives, err := sevenzip.New(c.passwords[0], o)
		if err != nil && first == encryption7z { // a bad level is no reason not to read
			archives, err = sevenzip.New(c.passwords[0], &sevenzip.Options{ReadWith: c.passwords[1:], File: file})
		}
		if err != nil {
			return nil, err
		}
		all[encryption7z] = archives
	case first == encryption7z:
		first = encryptionAES256 // which can read nothing either
	}
	encryptors := []crypto.Encryptor{all[first]}
	for _, name := range []string{encryptionAES256, encryptionAge, encryption7z} {
		if e := all[name]; e != nil && name != first {
			encryptors = append(encryptors, e)
		}
	}
	if encryptors[0] == nil {
		return nil, errors.New("nothing says how to encrypt")
	}
	return encryptors, nil
}
