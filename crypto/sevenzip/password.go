package sevenzip

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/databasement/backup/crypto"
)

// MaxPassword is the longest password, in bytes of UTF-8.
const MaxPassword = 1 << 10

// Password is what an archive is encrypted with. Printing, logging and marshalling it shows at most the id of the key that it
// stands for. The zero Password is none.
type Password struct {
	// A pointer to a pointer, because fmt does not call the methods of a Password in somebody else's unexported field.
	s **secret
}

type secret struct {
	text string
	key  crypto.Key // which text is the hex of; the zero Key for other passwords

	mu      sync.Mutex
	derived []derivedKey // the latest, since the key of an archive is needed more than once
}

// derivedKey is what a derivation made.
type derivedKey struct {
	kdf   kdf
	block cipher.Block
}

// maxDerived is how many keys a Password remembers.
const maxDerived = 8

// ParsePassword reads a secret as Databasement's settings have it: a key, "base64:" and 32 bytes in base64, as [FromKey] takes it, or
// else a password, as [NewPassword] does. Errors never repeat what was given.
func ParsePassword(s string) (Password, error) {
	if !strings.HasPrefix(strings.TrimSpace(s), "base64:") {
		return NewPassword(s)
	}
	key, err := crypto.ParseKey(s)
	if err != nil {
		return Password{}, err
	}
	return FromKey(key), nil
}

// FromKey is the password that stands for a key: the lower-case hex of its 32 bytes, which Databasement gives to 7z, and which stock
// 7-Zip takes. FromKey of the zero Key is the zero Password.
func FromKey(k crypto.Key) Password {
	if k.IsZero() {
		return Password{}
	}
	s := &secret{text: hex.EncodeToString(k.Bytes()), key: k}
	return Password{&s}
}

// NewPassword takes a password as it is: 1 to [MaxPassword] bytes of UTF-8. The hex of a key, 64 lower-case digits, is the same as that key.
func NewPassword(text string) (Password, error) {
	switch {
	case text == "":
		return Password{}, errors.New("7z password: is empty")
	case len(text) > MaxPassword:
		return Password{}, fmt.Errorf("7z password: is %d bytes long, at most %d are allowed", len(text), MaxPassword)
	case !utf8.ValidString(text):
		return Password{}, errors.New("7z password: is not valid UTF-8")
	}
	if b, err := hex.DecodeString(text); err == nil && len(b) == crypto.KeySize && text == strings.ToLower(text) {
		if key, err := crypto.ParseKey("base64:" + base64.StdEncoding.EncodeToString(b)); err == nil {
			return FromKey(key), nil
		}
	}
	s := &secret{text: text}
	return Password{&s}, nil
}

// IsZero says whether p is the zero Password, which is none.
func (p Password) IsZero() bool { return p.s == nil }

// Reveal is the password itself, as stock 7-Zip asks for it. On a command line (7zz -p…) all users of that machine can see it.
func (p Password) Reveal() string {
	if p.s == nil {
		return ""
	}
	return (*p.s).text
}

// Equal compares in constant time.
func (p Password) Equal(other Password) bool {
	return subtle.ConstantTimeCompare([]byte(p.Reveal()), []byte(other.Reveal())) == 1
}

// keyID names the key that p stands for; empty for others, of which any name would help to guess them.
func (p Password) keyID() string {
	if p.s == nil {
		return ""
	}
	return (*p.s).key.ID()
}

// String shows at most the id of the key that p stands for.
func (p Password) String() string {
	switch id := p.keyID(); {
	case p.IsZero():
		return "Password(none)"
	case id != "":
		return "Password(key " + id + ")"
	}
	return "Password(hidden)"
}

// GoString is String.
func (p Password) GoString() string { return p.String() }

// Format is String, whatever the verb.
func (p Password) Format(s fmt.State, _ rune) { io.WriteString(s, p.String()) }

// MarshalText is String, so that JSON of a configuration leaks nothing.
func (p Password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue is String.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// kdf says how a password becomes an AES key: SHA-256 over 2^power repetitions of salt, password in UTF-16LE, and a counter of 8 bytes,
// little-endian. Power 63 takes salt and password as they are.
type kdf struct {
	power byte
	salt  string
}

const (
	kdfPower    = 19 // what 7-Zip writes
	kdfMaxPower = 24 // what 7-Zip reads
	kdfPlain    = 63
	saltSize    = 16 // the most that the format has
)

// cipher is AES with the key that k makes of p. Deriving takes about 0.1 s, and is done once for several uses.
func (p Password) cipher(ctx context.Context, k kdf) (cipher.Block, error) {
	s := *p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.derived {
		if d.kdf == k {
			return d.block, nil
		}
	}
	key, err := k.derive(ctx, s.text)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if len(s.derived) == maxDerived {
		s.derived = append(s.derived[:0], s.derived[1:]...)
	}
	s.derived = append(s.derived, derivedKey{k, block})
	return block, nil
}

// derive takes about 0.1 s at power 19. ctx ends it early.
func (k kdf) derive(ctx context.Context, password string) ([]byte, error) {
	round := []byte(k.salt)
	for _, u := range utf16.Encode([]rune(password)) {
		round = binary.LittleEndian.AppendUint16(round, u)
	}
	if k.power == kdfPlain {
		key := make([]byte, sha256.Size)
		copy(key, round)
		return key, nil
	}
	size := len(round) + 8
	const together = 64 // rounds in one Write
	batch := make([]byte, 0, together*size)
	h := sha256.New()
	for i := uint64(0); i < 1<<k.power; i += together {
		if i%(1<<14) == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		batch = batch[:0]
		for j := i; j < min(i+together, 1<<k.power); j++ {
			batch = binary.LittleEndian.AppendUint64(append(batch, round...), j)
		}
		h.Write(batch)
	}
	return h.Sum(nil), nil
}
