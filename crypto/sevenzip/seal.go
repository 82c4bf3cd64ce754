package sevenzip

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/databasement/backup/crypto"
)

// The format of a seal is described at [New].
const (
	sealMagic    = "DBBK7ZS\x01"
	sealKey      = 1
	sealPassword = 2
	sealSalt     = 16
	sealCheck    = 8
	sealRounds   = 600_000
	sealNonce    = 12
	sealTag      = 16
	sealPrefix   = len(sealMagic) + 1 + sealSalt + sealCheck
	sealKeySize  = 32
)

// sealKind says what a seal's key is derived from.
func sealKind(p Password) byte {
	if p.keyID() != "" {
		return sealKey
	}
	return sealPassword
}

// sealer derives a seal's key, and what tells a wrong password.
func sealer(p Password, salt []byte) (aead cipher.AEAD, check []byte, err error) {
	master := (*p.s).key.Bytes()
	if sealKind(p) == sealPassword {
		if master, err = pbkdf2.Key(sha256.New, p.Reveal(), salt, sealRounds, sealKeySize); err != nil {
			return nil, nil, err
		}
	}
	k, err := hkdf.Key(sha256.New, master, salt, "7z manifest", sealKeySize+sealCheck)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(k[:sealKeySize])
	if err != nil {
		return nil, nil, err
	}
	aead, err = cipher.NewGCM(block)
	return aead, k[sealKeySize:], err
}

func seal(p Password, body, secret []byte) ([]byte, error) {
	salt := random(sealSalt)
	aead, check, err := sealer(p, salt)
	if err != nil {
		return nil, fmt.Errorf("7z: sealing: %w", err)
	}
	out := append([]byte(sealMagic), sealKind(p))
	out = append(append(out, salt...), check...)
	nonce := random(sealNonce)
	return aead.Seal(append(out, nonce...), nonce, secret, body), nil
}

// unseal finds the password of a seal; without one the error is a *crypto.KeyError.
func unseal(passwords []Password, body, sealed []byte) (Password, []byte, error) {
	if len(sealed) < sealPrefix+sealNonce+sealTag || len(sealed) > crypto.MaxSeal || !bytes.HasPrefix(sealed, []byte(sealMagic)) {
		return Password{}, nil, fmt.Errorf("7z: seal of %d bytes: %w", len(sealed), crypto.ErrDamaged)
	}
	kind, rest := sealed[len(sealMagic)], sealed[len(sealMagic)+1:]
	salt, want, rest := rest[:sealSalt], rest[sealSalt:sealSalt+sealCheck], rest[sealSalt+sealCheck:]
	for _, p := range passwords {
		if sealKind(p) != kind {
			continue
		}
		aead, check, err := sealer(p, salt)
		if err != nil {
			return Password{}, nil, fmt.Errorf("7z: unsealing: %w", err)
		}
		if subtle.ConstantTimeCompare(check, want) != 1 {
			continue
		}
		secret, err := aead.Open(nil, rest[:sealNonce], rest[sealNonce:], body)
		if err != nil {
			return Password{}, nil, fmt.Errorf("7z: the seal does not fit the manifest: %w", crypto.ErrDamaged)
		}
		return p, secret, nil
	}
	if kind == sealKey {
		return Password{}, nil, keyError(passwords) // the manifest names the key
	}
	return Password{}, nil, keyError(passwords, "another password")
}

// keyError says that none of the passwords is the one that is needed.
func keyError(passwords []Password, need ...string) error {
	e := &crypto.KeyError{Format: "7z", Need: need}
	for _, p := range passwords {
		if id := p.keyID(); id != "" {
			e.Have = append(e.Have, id)
		} else {
			e.Have = append(e.Have, "a password")
		}
	}
	return e
}
