package localfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// renameNew renames within one directory and replaces nothing: fs.ErrExist.
func renameNew(root *os.Root, oldname, newname string) error {
	return at(root, newname, "renameatx_np", func(dir int, base string) error {
		return unix.RenameatxNp(dir, path.Base(oldname), dir, base, unix.RENAME_EXCL)
	})
}

// startFlush does not exist here; fsync does it all.
func startFlush(file, int64, int64) {}
