package sevenzip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/header"
)

// New makes an Encryptor of archives: the pipeline's stored stream is one .7z with the snapshot's plain stream as its only file, called
// after the snapshot's name and extension, such as shop.sql. New archives are encrypted with password, and compressed as o says; it reads
// those of password and of o.ReadWith. It compresses by itself, and its first bytes are written last: see [crypto.Compressing] and [crypto.LateHeader].
//
// A seal authenticates the manifest, and by it the archive, which as such is not authenticated. It is, all integers big-endian:
//
//	8   magic: "DBBK7ZS" and the format's version, 0x01
//	1   1: the password stands for a key, 2: it is another
//	16  salt, random
//	8   what tells a wrong password
//	    then a random nonce of 12 bytes and the secret in AES-256-GCM, with the body of the manifest as additional
//	    authenticated data
//
// The key of that and the 8 bytes are the first 32 and the last 8 bytes of HKDF-SHA256, with the salt and the info "7z manifest", of the
// key that the password stands for (1), or of PBKDF2-SHA256 of the password's UTF-8 with the same salt, 600,000 rounds and 32 bytes (2).
// With a password that stands for no key, sealing and unsealing take about 0.1 s each.
func New(password Password, o *Options) (crypto.Encryptor, error) {
	if password.IsZero() {
		return nil, errors.New("7z: the password is none: make one with ParsePassword, FromKey or NewPassword")
	}
	s, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	e := &encryptor{settings: s, passwords: []Password{password}}
	if o != nil {
		e.file = o.File
		for _, p := range o.ReadWith {
			if !p.IsZero() && !p.Equal(password) {
				e.passwords = append(e.passwords, p)
			}
		}
	}
	return e, nil
}

type encryptor struct {
	settings  settings
	passwords []Password // the first one writes
	file      string
}

func (e *encryptor) Name() string      { return "7z" }
func (e *encryptor) Extension() string { return ".7z" }

// HeadSize implements [crypto.LateHeader].
func (e *encryptor) HeadSize() int { return header.StartSize }

// Params implements [crypto.Compressing].
func (e *encryptor) Params() map[string]string { return e.settings.params() }

// KeyIDs is the id of the key that the password stands for. Other passwords have none: it would help to guess them.
// It is no [crypto.KeyHolder] for the same reason: what has no id would seem not to be there.
func (e *encryptor) KeyIDs() []string {
	if id := e.passwords[0].keyID(); id != "" {
		return []string{id}
	}
	return nil
}

func (e *encryptor) Encrypt(ctx context.Context, dst io.Writer, id crypto.Identity) (crypto.Encryption, error) {
	file := FileHeader{Name: path.Base(id.Name) + id.Ext, Modified: id.Time}
	a, err := newArchive(ctx, dst, file, e.passwords[0], e.settings)
	if err != nil {
		return nil, err
	}
	return &encryption{a, e.passwords[0]}, nil
}

// encryption is an archive as a crypto.LateHead.
type encryption struct {
	*archive
	password Password
}

// Header is nil: a reader tells its key from the seal, or by trying.
func (e *encryption) Header() []byte { return nil }

func (e *encryption) Head() ([]byte, error) { return e.head() }

func (e *encryption) Seal(body, secret []byte) ([]byte, error) { return seal(e.password, body, secret) }

// Open never fails: only a seal or an archive tells whether there is a password for it.
func (e *encryptor) Open(ctx context.Context, _ crypto.Envelope) (crypto.Decryption, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("7z: %w", err)
	}
	return &decryption{e: e, passwords: e.passwords}, nil
}

type decryption struct {
	e         *encryptor
	passwords []Password // to try
}

func (d *decryption) Unseal(body, sealed []byte) ([]byte, error) {
	p, secret, err := unseal(d.passwords, body, sealed)
	if err == nil {
		d.passwords = []Password{p}
	}
	return secret, err
}

func (d *decryption) Decrypt(ctx context.Context, src crypto.Source) (io.ReadCloser, error) {
	r, err := NewReader(ctx, src, src.Size(), d.passwords...)
	if err != nil {
		return nil, err
	}
	name := d.e.file
	if name == "" {
		if name, err = r.only(); err != nil {
			return nil, err
		}
	}
	return r.Open(ctx, name)
}
