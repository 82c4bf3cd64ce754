package localfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// renameNew renames within one directory and replaces nothing: fs.ErrExist.
func renameNew(root *os.Root, oldname, newname string) error {
	return at(root, newname, "renameat2", func(dir int, base string) error {
		return unix.Renameat2(dir, path.Base(oldname), dir, base, unix.RENAME_NOREPLACE)
	})
}

// startFlush lets the kernel begin to write n bytes from off and does not wait.
// An error of the disk stays for fsync to report, as only waiting takes it away.
func startFlush(f file, off, n int64) {
	if f, ok := f.(*os.File); ok {
		unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
	}
}
