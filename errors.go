package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/manifest"
)

// Sentinels, for errors.Is. A missing or wrong key is a *crypto.KeyError; a failed volume a *storage.Error.
var (
	// ErrNotExist: there is no such snapshot. It is fs.ErrNotExist.
	ErrNotExist = fs.ErrNotExist
	// ErrDamaged: what is stored is not what was written.
	ErrDamaged = crypto.ErrDamaged
	// ErrUnsealed: the snapshot is not encrypted, so that anybody may have made it, and the Backup encrypts.
	ErrUnsealed = errors.New("the snapshot is not encrypted, so nothing proves who made it: set AllowUnsealed to read it all the same")
	// ErrNewerFormat: a newer version of this library wrote the snapshot.
	ErrNewerFormat = manifest.ErrNewer
	// ErrOutcomeUnknown: the volume never said whether the manifest was stored. The snapshot may exist now,
	// or later; it is whole if it does. List, or make another.
	ErrOutcomeUnknown = errors.New("the outcome is unknown: the snapshot may exist, and is whole if it does")
	// ErrTooSmall: the stream is shorter than CreateOptions.MinSize.
	ErrTooSmall = errors.New("the stream is shorter than its minimum")
	// ErrVeto: nothing is pruned, because something is wrong with the snapshots.
	ErrVeto = errors.New("nothing is removed")
	// ErrStale: the newest snapshot is older than Latest allows.
	ErrStale = errors.New("the newest snapshot is too old")
)

// Error is what an operation on a snapshot returns: which, on what, and why it failed.
type Error struct {
	Op       string // create, restore, verify, …
	Snapshot string // name/id, or the name alone where there is no id yet
	Err      error
}

func (e *Error) Error() string {
	if e.Snapshot == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s %q: %v", e.Op, e.Snapshot, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// wrap adds what was being done, once.
func wrap(op, snapshot string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) && e.Op == op {
		return err
	}
	return &Error{op, snapshot, err}
}

// firstCause picks what made the others fail: the cause of a done ctx, unless err says that and more.
func firstCause(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil || err != nil && errors.Is(err, cause) {
		return err
	}
	return cause
}
