//go:build unix

package localfs

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// rmdir removes an empty directory. os.Root.Remove would take a file too.
func rmdir(root *os.Root, name string) error {
	return at(root, name, "rmdir", func(dir int, base string) error {
		return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
	})
}

// at calls f, a system call of that name, with the directory of name. It is for
// what os.Root does not have.
func at(root *os.Root, name, call string, f func(dir int, base string) error) error {
	d, err := root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return os.NewSyscallError(call, f(int(d.Fd()), path.Base(name)))
}
