package localfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// fileSystem is all that a Volume asks of the operating system, below one
// directory. Tests put a recorder or a simulated disk in its place.
type fileSystem interface {
	OpenFile(name string, flag int, perm fs.FileMode) (file, error)
	ReadDir(name string) ([]fs.DirEntry, error) // in any order
	Lstat(name string) (fs.FileInfo, error)
	Mkdir(name string, perm fs.FileMode) error
	Remove(name string) error
	Rmdir(name string) error                 // an empty directory, and nothing that has taken its place
	Rename(oldname, newname string) error    // replaces newname
	Link(oldname, newname string) error      // fs.ErrExist if there is a newname
	RenameNew(oldname, newname string) error // the same, for lack of links
	SyncDir(name string) error
	Close() error
}

type file interface {
	io.ReadWriteSeeker
	io.WriterAt
	io.Closer
	Sync() error
}

// rootFS is the real one.
type rootFS struct{ *os.Root }

func (r rootFS) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := r.Root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File is no nil file
	}
	return f, nil
}

func (r rootFS) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func (r rootFS) Rmdir(name string) error { return rmdir(r.Root, name) }

func (r rootFS) RenameNew(oldname, newname string) error { return renameNew(r.Root, oldname, newname) }

// SyncDir flushes a directory's entries. Windows has no such call.
func (r rootFS) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := r.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(flushDir(d), d.Close())
}

// flushDir takes it for done where the file system knows no flush of a
// directory: its refusal says nothing about the data.
func flushDir(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// makeDirs is a durable os.MkdirAll: each directory that it makes is flushed
// into the one above.
func makeDirs(dir string, perm fs.FileMode) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory: %w", dir, syscall.ENOTDIR)
		}
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeDirs(above, perm); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	root, err := os.OpenRoot(above)
	if err != nil {
		return err
	}
	return errors.Join(rootFS{root}.SyncDir("."), root.Close())
}
