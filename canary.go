package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
)

// canary finds, before the first backup, keys that encrypt what they cannot decrypt. Keys that can only encrypt, on purpose,
// are left alone.
func (b *Backup) canary(ctx context.Context, op *operation) error {
	if !b.encrypts() {
		return nil
	}
	select {
	case b.canaryTurn <- struct{}{}:
		defer func() { <-b.canaryTurn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if b.canaryOK {
		return nil
	}
	err := b.tryKey(ctx)
	noKey := (*crypto.KeyError)(nil)
	if errors.As(err, &noKey) {
		if len(noKey.Have) > 0 {
			op.warn(fmt.Errorf("the keys at hand cannot read what is written now, only others can: %w", err))
		}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("the key failed its test, nothing was written: %w", err)
	}
	b.canaryOK = true
	return nil
}

// tryKey encrypts and decrypts a little. It is a *crypto.KeyError if this Backup can only encrypt.
func (b *Backup) tryKey(ctx context.Context) error {
	now := b.now()
	id := crypto.Identity{Name: "canary", ID: layout.NewID(now), Ext: ".txt", Time: now}
	const text = "Is this still here?"
	var stored bytes.Buffer
	e := b.opts.Encryptor
	encryption, err := e.Encrypt(ctx, &stored, id)
	if err != nil {
		return err
	}
	_, err = io.Copy(encryption, strings.NewReader(text))
	if closed := encryption.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if late, ok := encryption.(crypto.LateHead); ok {
		head, err := late.Head()
		if err != nil {
			return err
		}
		copy(stored.Bytes(), head)
	}
	digest := sha256.Sum256([]byte(text))
	seal, err := encryption.Seal([]byte(text), digest[:])
	if err != nil {
		return err
	}
	key, err := e.Open(ctx, crypto.Envelope{Header: encryption.Header(), Want: id})
	if err != nil {
		return err
	}
	secret, err := key.Unseal([]byte(text), seal)
	if err != nil {
		return err
	}
	plain, err := key.Decrypt(ctx, bytes.NewReader(stored.Bytes()))
	if err != nil {
		return err
	}
	defer plain.Close()
	got, err := io.ReadAll(io.LimitReader(plain, 1<<10))
	if err != nil {
		return err
	}
	if string(got) != text || !bytes.Equal(secret, digest[:]) {
		return fmt.Errorf("%w: what was decrypted is not what was encrypted", ErrDamaged)
	}
	return nil
}
