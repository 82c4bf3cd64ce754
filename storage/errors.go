package storage

import (
	"errors"
	"fmt"
	"io/fs"
)

// Sentinels of every Volume, for errors.Is. Those that io/fs has are the same
// values, so code that knows only io/fs understands them.
var (
	ErrNotExist   = fs.ErrNotExist   // there is no object of that name
	ErrExist      = fs.ErrExist      // there is one already
	ErrPermission = fs.ErrPermission // refused; never read as "absent"

	ErrInvalidName  = fmt.Errorf("invalid object name: %w", fs.ErrInvalid)
	ErrInvalidRange = fmt.Errorf("range outside the object: %w", fs.ErrInvalid)
	ErrTooLarge     = errors.New("object too large")

	// ErrNotApplied marks a failed Put, PutHead or PutIfAbsent of which it is
	// certain that nothing was stored and nothing will appear later.
	ErrNotApplied = errors.New("nothing was stored")
)

// Error is what every Volume returns: what was being done, to what, and why it
// failed. It never contains a secret.
type Error struct {
	Op     string // put, open, read, stat, list, delete, …
	Volume string // the volume for a reader, such as file:///srv/backup or s3://bucket/prefix; empty from helpers that know only the interface
	Name   string // the object's name, or the prefix of a listing
	Err    error
}

func (e *Error) Error() string {
	s := e.Op
	if e.Name != "" {
		s = fmt.Sprintf("%s %q", s, e.Name)
	}
	if e.Volume != "" {
		s += " on " + e.Volume
	}
	return fmt.Sprintf("%s: %v", s, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }
