package crypto

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// KeyWrapper holds key-encryption keys, in memory as [Keyring] does or in a key management
// service, and wraps the data key of each snapshot with them. It is safe for concurrent use.
//
// A wrapper that can tell which keys it has also has a method KeyIDs() []string, which makes for
// better errors.
type KeyWrapper interface {
	// KeyID names the active key. It matches [a-z0-9][a-z0-9._-]{0,63} and reveals nothing.
	KeyID() string
	// WrapKey encrypts a data key of 32 bytes under the active key, bound to aad. The result is
	// 1 to [MaxWrapped] bytes.
	WrapKey(ctx context.Context, dataKey, aad []byte) (wrapped []byte, err error)
	// UnwrapKey reverses WrapKey for the key of that id. If it does not have that key the error is
	// [ErrKeyNotFound]; if wrapped or aad is not what it was, [ErrDamaged].
	UnwrapKey(ctx context.Context, keyID string, wrapped, aad []byte) (dataKey []byte, err error)
}

// MaxWrapped is the longest wrapped data key in bytes.
const MaxWrapped = 4 << 10

// ErrKeyNotFound is what a [KeyWrapper] returns for the id of a key that it does not have.
var ErrKeyNotFound = errors.New("key not found")

// Keyring is a [KeyWrapper] in memory: an active key that encrypts, and any number of old ones that still
// decrypt. A data key is wrapped with AES-256-GCM under HKDF-SHA256 of the key, with no salt and the info
// "wrap", as a random nonce of 12 bytes, the ciphertext of 32 and the tag of 16.
type Keyring struct {
	keys []ringKey // the active one first
}

type ringKey struct {
	id   string
	aead cipher.AEAD // nil for the zero Key
}

// NewKeyring makes a keyring. To rotate keys, put the new one first and keep the others.
func NewKeyring(active Key, old ...Key) *Keyring {
	r := &Keyring{keys: []ringKey{newRingKey(active)}}
	for _, k := range old {
		if !k.IsZero() && !k.Equal(active) {
			r.keys = append(r.keys, newRingKey(k))
		}
	}
	return r
}

func newRingKey(k Key) ringKey {
	if k.IsZero() {
		return ringKey{}
	}
	return ringKey{id: k.ID(), aead: newGCM(derive(k.raw(), "wrap"))}
}

// KeyID is the id of the active key, empty if that is the zero Key.
func (r *Keyring) KeyID() string { return r.keys[0].id }

// KeyIDs are the ids of all keys, the active one first.
func (r *Keyring) KeyIDs() []string {
	var ids []string
	for _, k := range r.keys {
		if k.aead != nil {
			ids = append(ids, k.id)
		}
	}
	return ids
}

// String lists the ids of the keys.
func (r *Keyring) String() string { return "Keyring(" + strings.Join(r.KeyIDs(), ", ") + ")" }

// GoString lists the ids of the keys.
func (r *Keyring) GoString() string { return r.String() }

// WrapKey implements [KeyWrapper].
func (r *Keyring) WrapKey(_ context.Context, dataKey, aad []byte) ([]byte, error) {
	if r.keys[0].aead == nil {
		return nil, errors.New("the keyring has no active key: make one with NewKey or ParseKey")
	}
	return sealGCM(r.keys[0].aead, dataKey, aad), nil
}

// UnwrapKey implements [KeyWrapper].
func (r *Keyring) UnwrapKey(_ context.Context, keyID string, wrapped, aad []byte) ([]byte, error) {
	for _, k := range r.keys {
		if k.aead == nil || k.id != keyID {
			continue
		}
		dataKey, err := openGCM(k.aead, wrapped, aad)
		if err != nil {
			return nil, fmt.Errorf("unwrapping the data key with key %s: %w", keyID, err)
		}
		return dataKey, nil
	}
	return nil, ErrKeyNotFound
}

// validKeyID says whether id matches [a-z0-9][a-z0-9._-]{0,63}.
func validKeyID(id string) bool {
	const first, all = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789._-"
	return len(id) >= 1 && len(id) <= 64 &&
		strings.ContainsRune(first, rune(id[0])) && strings.Trim(id, all) == ""
}

// newGCM is AES-256-GCM with a key of 32 bytes.
func newGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for keys of another length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for blocks of another size
	}
	return aead
}

// sealGCM is a random nonce and, under it, plain encrypted with aad authenticated.
func sealGCM(aead cipher.AEAD, plain, aad []byte) []byte {
	nonce := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, aad)
}

// openGCM reverses sealGCM; its only error is ErrDamaged.
func openGCM(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, ErrDamaged
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], aad)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}
