package backup

import (
	"context"
	"fmt"
	"io"

	"github.com/databasement/backup/internal/atomicfile"
)

// Restore writes the snapshot to w. Every chunk is verified before a byte of it is decoded, and
// the whole stream's size and SHA-256 before Restore returns nil; w may have got a part of it when it returns an
// error. RestoreFile leaves no such part behind.
func (b *Backup) Restore(ctx context.Context, ref string, w io.Writer) error {
	return b.restore(ctx, "restore", ref, func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// RestoreFunc lets use read the snapshot. r gives io.EOF only after the whole stream was verified; until then
// what it gave is a prefix that the manifest vouches for. Whatever use acts on before that, it must be able to
// take back when r fails. What use leaves unread is verified after it has returned nil. r must not be used after use
// has returned.
func (b *Backup) RestoreFunc(ctx context.Context, ref string, use func(ctx context.Context, r io.Reader) error) error {
	return b.restore(ctx, "restore", ref, use)
}

func (b *Backup) restore(ctx context.Context, what, ref string, use func(ctx context.Context, r io.Reader) error) error {
	op := b.begin(what, ref)
	o, err := b.open(ctx, op, ref)
	if err != nil {
		return op.end(err)
	}
	op.identify(o.m.Name+"/"+o.m.ID, o.m.PlainSize)
	return op.end(o.read(ctx, op, func(r io.Reader) error { return use(ctx, r) }))
}

// RestoreFile writes the snapshot to a file: to a temporary file beside it, that takes its name, durably, only after everything was
// verified. An older file of that name stays as it is until then. The mode is 0600. A path that is a directory, a device or anything
// else but a regular file is refused; a symbolic link is followed.
func (b *Backup) RestoreFile(ctx context.Context, ref, path string) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return wrap("restore", ref, err)
	}
	defer f.Close()
	if err := b.Restore(ctx, ref, f); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return wrap("restore", ref, fmt.Errorf("to %q: %w", path, err))
	}
	return nil
}

// VerifyOptions say how much is verified; nil is all.
type VerifyOptions struct {
	// Stored verifies only what is stored against the manifest's digests, which takes no key. It finds
	// damage, but not tampering.
	Stored bool
}

// Verify reads the whole snapshot, and returns what its manifest says if all of it is as it was written.
func (b *Backup) Verify(ctx context.Context, ref string, opts *VerifyOptions) (*Snapshot, error) {
	op := b.begin("verify", ref)
	snap, err := b.verify(ctx, op, ref, opts != nil && opts.Stored)
	return snap, op.end(err)
}

func (b *Backup) verify(ctx context.Context, op *operation, ref string, storedOnly bool) (*Snapshot, error) {
	m, err := b.load(ctx, op, ref)
	if err != nil {
		return nil, err
	}
	if storedOnly {
		op.identify(m.Name+"/"+m.ID, m.StoredSize)
		return b.verifyStored(ctx, op, m)
	}
	o, err := b.unlock(ctx, m)
	if err != nil {
		return nil, err
	}
	op.identify(m.Name+"/"+m.ID, m.PlainSize)
	if err := o.read(ctx, op, func(io.Reader) error { return nil }); err != nil {
		return nil, err
	}
	return o.snapshot(), nil
}
