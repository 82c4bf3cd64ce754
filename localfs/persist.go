package localfs

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"time"
)

// busyErrors are those that pass by themselves. On Windows a virus scanner or
// an indexer opens each new file for a moment, and meanwhile renaming and
// deleting it is ERROR_ACCESS_DENIED or ERROR_SHARING_VIOLATION.
var busyErrors = func() []error {
	if runtime.GOOS == "windows" {
		return []error{syscall.Errno(5), syscall.Errno(32)}
	}
	return nil
}()

// The delays between tries double from first to last: 8 tries in 1.3 s.
const firstDelay, lastDelay = 10 * time.Millisecond, 640 * time.Millisecond

// persist calls op again while it fails with one of busyErrors.
func (v *Volume) persist(ctx context.Context, op func() error) error {
	for delay := firstDelay; ; delay *= 2 {
		err := op()
		if !v.isBusy(err) || delay > lastDelay {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(delay):
		}
	}
}

func (v *Volume) isBusy(err error) bool {
	for _, busy := range v.busy {
		if errors.Is(err, busy) {
			return true
		}
	}
	return false
}
