// Package localfs is a storage.Volume on a directory of a local or mounted
// file system.
//
// An object is a regular file whose path below the directory is the object's
// name, so that anything that reads files reads a volume. It is written to a
// temporary file ".tmp-…" beside its place, flushed to the disk and renamed
// there, and the directories on the way are flushed too: what Put has returned
// survives a loss of power, and what it has not is never seen in part. Several
// volumes and processes may use one directory at once.
//
// No name and no symbolic link leads out of the directory (see [os.Root]).
// Symbolic links and other irregular files are not objects. A directory is
// removed with the last object in it.
//
// # File systems
//
// The promises are as good as the file system's own: fsync must reach the disk,
// and rename must be atomic. On Windows directories cannot be flushed, which
// NTFS makes up for with its journal, and empty directories stay. A file system that refuses to flush a
// directory (some network and FUSE mounts) is taken as it is.
//
// Names are kept as they are. On a case-insensitive file system (Windows and
// macOS by default, some mounts) "Shop" and "shop" are one object, listed as
// it was first written. Windows moreover refuses names with any of <>:"|?* in
// them, device names such as "con" or "nul.txt", and drops dots and spaces at
// the end of a component. Names made by the backup package have none of this.
//
// What belongs here is the file system: what holds for every volume is in
// package storage.
package localfs

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/databasement/backup/storage"
)

// Options adjust a Volume. The zero value, and nil, are the defaults.
type Options struct {
	// DirPerm and FilePerm are the permissions of new directories and files,
	// before the umask; 0 is 0o700 and 0o600. They leave what exists alone.
	// The owner needs all three bits of DirPerm.
	DirPerm, FilePerm fs.FileMode
}

// Volume is a directory as a [storage.Volume]. Its methods may be called
// concurrently.
type Volume struct {
	fs       fileSystem
	busy     []error // worth another try
	dir      string  // absolute
	dirPerm  fs.FileMode
	filePerm fs.FileMode
}

var (
	_ storage.Volume          = (*Volume)(nil)
	_ storage.ExclusivePutter = (*Volume)(nil)
	_ storage.HeadPutter      = (*Volume)(nil)
	_ storage.Sweeper         = (*Volume)(nil)
)

// Open returns the volume on the directory dir and makes dir, durably, if it
// is missing. A relative dir is resolved now and once. The volume holds on to
// the directory itself: it stays the same one when its path is renamed or
// something else is mounted there.
func Open(dir string, opts *Options) (*Volume, error) {
	if opts == nil {
		opts = &Options{}
	}
	v := &Volume{busy: busyErrors, dirPerm: opts.DirPerm, filePerm: opts.FilePerm}
	if v.dirPerm == 0 {
		v.dirPerm = 0o700
	}
	if v.filePerm == 0 {
		v.filePerm = 0o600
	}
	var err error
	if dir == "" { // filepath.Abs would take it as the working directory
		err = errors.New("no directory given")
	} else if v.dir, err = filepath.Abs(dir); err == nil {
		err = makeDirs(v.dir, v.dirPerm)
	}
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(v.dir)
	}
	if err != nil {
		return nil, &storage.Error{Op: "open volume", Volume: v.String(), Err: err}
	}
	v.fs = rootFS{root}
	return v, nil
}

// Close lets go of the directory. Readers that are open stay usable, other
// calls fail.
func (v *Volume) Close() error { return v.fs.Close() }

// String returns the volume's URL, such as file:///srv/backup.
func (v *Volume) String() string {
	p := filepath.ToSlash(v.dir)
	if !strings.HasPrefix(p, "/") { // C:/backup
		p = "/" + p
	}
	u := url.URL{Scheme: "file", Path: p}
	return u.String()
}

// wrap makes err, if there is one, the volume's error about name.
func (v *Volume) wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &storage.Error{Op: op, Volume: v.String(), Name: name, Err: err}
}

// lstat describes the object, which is a regular file and nothing else.
func (v *Volume) lstat(name string) (fs.FileInfo, error) {
	info, err := v.fs.Lstat(name)
	switch {
	case isMissing(err):
		return nil, storage.ErrNotExist
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: there is a %s of that name", storage.ErrNotExist, kind(info))
	}
	return info, nil
}

// isMissing reports whether err says that there is no such file, be it that a
// directory on the way to it is one.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func kind(info fs.FileInfo) string {
	switch {
	case info.IsDir():
		return "directory"
	case info.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}

func object(name string, info fs.FileInfo) storage.Object {
	return storage.Object{Name: name, Size: info.Size(), ModTime: info.ModTime()}
}

// parents yields the directories above name from its own up to the volume's,
// which is "." and has none above it.
func parents(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name != "." {
			if name = path.Dir(name); !yield(name) {
				return
			}
		}
	}
}
