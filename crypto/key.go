package crypto

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is the length of a [Key] in bytes.
const KeySize = 32

// keyPrefix says how the text form of a key is encoded.
const keyPrefix = "base64:"

// Key is a secret of 32 random bytes. Printing, logging and marshalling it shows only its id. The zero
// Key is no key: a [Keyring] ignores it as an old key and refuses it as the active one.
type Key struct {
	// A pointer to a pointer, because fmt does not call the methods of a Key in somebody else's unexported
	// field: an array would show the key there, and with a wrong verb a pointer to an array too.
	b **[KeySize]byte
}

func keyOf(b *[KeySize]byte) Key { return Key{&b} }

// raw is the secret itself, not a copy; k is not the zero Key.
func (k Key) raw() []byte { return (*k.b)[:] }

// NewKey makes a random key.
func NewKey() Key {
	k := keyOf(new([KeySize]byte))
	rand.Read(k.raw()) // never fails
	return k
}

// ParseKey reads what [Key.Encode] writes: "base64:" and 32 bytes in standard base64, padded or not.
// White space around it is ignored. Errors never repeat what was given.
func ParseKey(s string) (Key, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), keyPrefix)
	if !ok {
		return Key{}, errors.New(`encryption key: must begin with "base64:", followed by 32 bytes in base64`)
	}
	b, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return Key{}, errors.New(`encryption key: what follows "base64:" is not standard base64`)
	}
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("encryption key: is %d bytes long, must be %d", len(b), KeySize)
	}
	k := keyOf((*[KeySize]byte)(b))
	if k.Equal(keyOf(new([KeySize]byte))) {
		return Key{}, errors.New("encryption key: is all zero bytes, which is no secret")
	}
	return k, nil
}

// IsZero says whether k is the zero Key, which is no key.
func (k Key) IsZero() bool { return k.b == nil }

// Equal compares in constant time.
func (k Key) Equal(other Key) bool {
	if k.b == nil || other.b == nil {
		return k.b == other.b
	}
	return subtle.ConstantTimeCompare(k.raw(), other.raw()) == 1
}

// Bytes is a copy of the secret itself, nil for the zero Key.
func (k Key) Bytes() []byte {
	if k.b == nil {
		return nil
	}
	return bytes.Clone(k.raw())
}

// Encode is the secret as text, for [ParseKey]; empty for the zero Key.
func (k Key) Encode() string {
	if k.b == nil {
		return ""
	}
	return keyPrefix + base64.StdEncoding.EncodeToString(k.raw())
}

// ID names the key and reveals nothing of it: the lower-case hex of the first 8 bytes of
// HKDF-SHA256 of the key, with no salt and the info "key id". It is empty for the zero Key.
func (k Key) ID() string {
	if k.b == nil {
		return ""
	}
	return hex.EncodeToString(derive(k.raw(), "key id")[:8])
}

// String shows the key's id only.
func (k Key) String() string {
	if k.b == nil {
		return "Key(none)"
	}
	return "Key(" + k.ID() + ")"
}

// GoString shows the key's id only.
func (k Key) GoString() string { return k.String() }

// Format shows the key's id only, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

// MarshalText shows the key's id only, so that JSON of a configuration leaks nothing.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue shows the key's id only.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// derive makes an independent 32-byte key from a secret for one use, which info names.
func derive(secret []byte, info string) []byte {
	k, err := hkdf.Key(sha256.New, secret, nil, info, KeySize)
	if err != nil {
		panic(err) // only for outputs longer than 255 hashes
	}
	return k
}
