//go:build !linux && !darwin && !windows

package localfs

import (
	"errors"
	"os"
)

// renameNew does not exist here, and a look before a rename would be a race.
func renameNew(*os.Root, string, string) error { return errors.ErrUnsupported }
