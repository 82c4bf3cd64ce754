// Package retry repeats a request that may succeed the next time.
package retry

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/databasement/backup/storage"
)

const (
	tries = 4
	first = 100 * time.Millisecond // the longest first pause; each is twice as long
)

// Stop marks an error that no repetition mends. Do removes the mark.
func Stop(err error) error { return &stop{err} }

type stop struct{ error }

// Do calls f until it returns nil, an error that no repetition mends, or for the fourth
// time. Before each repetition it calls again, if not nil, and pauses for a random part of 100, 200, 400 ms.
// It returns f's last error.
func Do(ctx context.Context, f func() error, again func(err error)) error {
	for try, pause := 1, first; ; try, pause = try+1, pause*2 {
		err := f()
		if s, ok := err.(*stop); ok {
			return s.error
		}
		if err == nil || try == tries || !Worth(err) || ctx.Err() != nil {
			return err
		}
		if again != nil {
			again(err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// ErrExhausted marks an error of something that has repeated its requests often enough already.
var ErrExhausted = errors.New("repeated often enough")

// Worth reports whether another try could end otherwise. A time-out of one request, which net makes a
// context.DeadlineExceeded, could; that of the caller's ctx is seen by Do.
func Worth(err error) bool {
	for _, final := range []error{
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, storage.ErrTooLarge, errors.ErrUnsupported, ErrExhausted,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}
