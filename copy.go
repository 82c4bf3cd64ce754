package backup

import (
	"context"
	"errors"
	"fmt"
	"io"

	"bytes"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
)

// CopyOptions change what a copy is; nil is the zero value.
type CopyOptions struct {
	Name string // of the copy; empty: as the original
}

// Copy makes a snapshot of a snapshot, in to: another volume, other keys, another compressor, or all of these. The copy
// keeps the original's time, so that retention treats both alike, and says in its details where it came from. It
// exists only after all of the original was verified.
//
// To cure a leaked key, Copy and then Delete the original: Rekey does not.
func (b *Backup) Copy(ctx context.Context, ref string, to *Backup, opts *CopyOptions) (*Snapshot, error) {
	var copied *Snapshot
	op := b.begin("copy", ref)
	if to == nil {
		return nil, op.end(errors.New("the Backup to copy to is nil"))
	}
	o, err := b.open(ctx, op, ref)
	if err != nil {
		return nil, op.end(err)
	}
	op.identify(o.m.Name+"/"+o.m.ID, o.m.PlainSize)
	at, _ := layout.IDTime(o.m.ID)
	name := o.m.Name
	if opts != nil && opts.Name != "" {
		name = opts.Name
	}
	create := &CreateOptions{
		Ext: o.m.Ext, Source: o.m.Source, OriginalName: o.m.OriginalName, Labels: o.m.Labels,
		copiedFrom: o.m.Name + "/" + o.m.ID, at: at,
	}
	err = o.read(ctx, op, func(r io.Reader) (err error) {
		copied, err = to.Create(ctx, name, r, create)
		return err
	})
	if copied != nil && ctx.Err() != nil { // it came too late: the copy was made, of a verified stream
		err = nil
	}
	return copied, op.end(err)
}

// Rekey gives the active key access to a snapshot, by adding a small object with the data key wrapped by it; the
// stored stream stays as it is. It returns that key's id. The old key still opens the snapshot, so a key that has leaked is not
// cured by this, but by Copy and Delete.
func (b *Backup) Rekey(ctx context.Context, ref string) (keyID string, err error) {
	op := b.begin("rekey", ref)
	keyID, err = b.rekey(ctx, op, ref)
	return keyID, op.end(err)
}

func (b *Backup) rekey(ctx context.Context, op *operation, ref string) (string, error) {
	o, err := b.open(ctx, op, ref)
	if err != nil {
		return "", err
	}
	if !o.m.Encrypted() {
		return "", errors.New("the snapshot is not encrypted: Copy it to encrypt it")
	}
	rewrapper, ok := b.opts.Encryptor.(crypto.Rewrapper)
	if !ok || b.opts.Encryptor.Name() != o.m.Encryption.Name {
		return "", fmt.Errorf("a snapshot encrypted with %s cannot get another key from %s: Copy it instead", o.m.Encryption.Name, b.opts.Encryptor.Name())
	}
	envelope := crypto.Envelope{Header: o.m.Encryption.Header, Want: identityOf(o.m.Manifest)}
	keyID, wrap, err := rewrapper.Rewrap(ctx, envelope)
	if isKeyError(err) { // an earlier Rekey's key may open it
		if envelope.Wraps, err = b.wraps(ctx, o.m.Name, o.m.ID); err == nil {
			keyID, wrap, err = rewrapper.Rewrap(ctx, envelope)
		}
	}
	if err != nil {
		return "", err
	}
	if err := layout.CheckKeyID(keyID); err != nil {
		return "", err
	}
	_, err = b.vol.Put(ctx, layout.Wrap(o.m.Name, o.m.ID, keyID), bytes.NewReader(wrap))
	return keyID, err
}
