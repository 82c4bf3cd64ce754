package localfs

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// rmdir does not exist here: RemoveDirectory goes by a path, which may lead
// elsewhere by now. Empty directories stay.
func rmdir(*os.Root, string) error { return errors.ErrUnsupported }

// renameNew renames within one directory and replaces nothing: fs.ErrExist. It
// goes by paths, which is safe: the file systems without hard links, for which
// it is there (FAT, exFAT), have no symbolic links either.
func renameNew(root *os.Root, oldname, newname string) error {
	from, err := windows.UTF16PtrFromString(filepath.Join(root.Name(), filepath.FromSlash(oldname)))
	if err != nil {
		return err
	}
	to, err := windows.UTF16PtrFromString(filepath.Join(root.Name(), filepath.FromSlash(newname)))
	if err != nil {
		return err
	}
	return os.NewSyscallError("MoveFileEx", windows.MoveFileEx(from, to, windows.MOVEFILE_WRITE_THROUGH))
}

// startFlush does not exist here; fsync does it all.
func startFlush(file, int64, int64) {}
