//go:build !linux && !darwin && !windows

package localfs

import (
	"errors"
	"os"
)

// renameNew does not exist here, and a look before a rename would be a race.
func renameNew(*os.Root, string, string) error { return errors.ErrUnsupported }

// startFlush does not exist here; fsync does it all.
func startFlush(file, int64, int64) {}
