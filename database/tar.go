package database

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// TarOptions are for Tar and TarFS; nil is the defaults.
type TarOptions struct {
	// Exclude leaves out what it is true for, a directory with all that is in it. path is relative, with slashes.
	Exclude func(path string) bool
}

// Tar is a directory. A dump is an archive that tar restores (PAX): files, directories and symbolic links in a fixed order, with their
// modes, times and owners. Hard links become files of their own, and holes zeros. Sockets, named pipes and devices are left out, as they hold no
// data. A file that vanishes or becomes shorter while it is read is an error; one that grows is cut to the size that it had when it
// was opened. Files are read one after the other: what is written to meanwhile may not fit together. Running databases are for the
// other functions here; to open and close a file of SQLite, as this does, even drops the locks that a driver in this process has on it.
//
// Load makes the directory, or replaces an empty one; anything else is refused. Everything is made, durably, in a temporary directory
// beside it, which takes the name at the end, so a Load that fails leaves nothing. Nothing outside of that is written to, whatever names
// and links the archive has. All of it belongs to who loads it; of modes only the permissions are set, and links have no times. The
// directory has mode 0700 if the archive does not have it. Hard links are made; anything else that Dump does not write is refused.
func Tar(dir string, o *TarOptions) Database { return &tarDir{dir: dir, exclude: exclude(o)} }

// TarFS is a file system, dumped as Tar says. Symbolic links take an fs.ReadLinkFS. Load is an error.
func TarFS(fsys fs.FS, o *TarOptions) Database { return &tarFS{fsys: fsys, exclude: exclude(o)} }

const tarExt = ".tar"

func exclude(o *TarOptions) func(string) bool {
	if o == nil || o.Exclude == nil {
		return func(string) bool { return false }
	}
	return o.Exclude
}

type tarFS struct {
	fsys    fs.FS
	exclude func(string) bool
}

func (t *tarFS) Ext() string { return tarExt }

func (t *tarFS) Load(context.Context, io.Reader) error {
	return errors.New("load files: there is only a file system to read from: restore to a directory with database.Tar, or with tar")
}

func (t *tarFS) Dump(ctx context.Context, w io.Writer) error {
	if err := archive(ctx, t.fsys, t.exclude, w); err != nil {
		return fmt.Errorf("dump files: %w", err)
	}
	return nil
}

type tarDir struct {
	dir     string
	exclude func(string) bool
}

func (t *tarDir) Ext() string { return tarExt }

func (t *tarDir) Dump(ctx context.Context, w io.Writer) error {
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return fmt.Errorf("dump files: %w", err)
	}
	defer root.Close()
	if err := archive(ctx, rootFS{root}, t.exclude, w); err != nil {
		return fmt.Errorf("dump the files of %s: %w", t.dir, err)
	}
	return nil
}

// rootFS is a directory with all of its names: root.FS has only those that are UTF-8.
type rootFS struct{ root *os.Root }

func (r rootFS) Open(name string) (fs.File, error)      { return r.root.Open(name) }
func (r rootFS) Lstat(name string) (fs.FileInfo, error) { return r.root.Lstat(name) }
func (r rootFS) ReadLink(name string) (string, error)   { return r.root.Readlink(name) }

// archive writes everything below fsys as tar.
func archive(ctx context.Context, fsys fs.FS, exclude func(string) bool, w io.Writer) error {
	a := &archiver{ctx: ctx, fsys: fsys, tw: tar.NewWriter(w), buf: make([]byte, 256<<10)}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case name == "." || !exclude(name):
			return a.add(name, d)
		case d.IsDir():
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.tw.Close()
}

type archiver struct {
	ctx  context.Context
	fsys fs.FS
	tw   *tar.Writer
	buf  []byte
}

func (a *archiver) add(name string, d fs.DirEntry) error {
	switch d.Type() {
	case 0:
		return a.addFile(name)
	case fs.ModeDir:
		return a.addOther(name, name+"/", "", fs.ModeDir)
	case fs.ModeSymlink:
		target, err := fs.ReadLink(a.fsys, name)
		if err != nil {
			return err
		}
		return a.addOther(name, name, target, fs.ModeSymlink)
	case fs.ModeSocket, fs.ModeNamedPipe, fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		return nil
	}
	return fmt.Errorf("%s: %v is a kind of file that tar does not know", name, d.Type())
}

// addOther adds what has no content. d.Info, for which a directory is a path, is not asked.
func (a *archiver) addOther(name, stored, link string, kind fs.FileMode) error {
	info, err := fs.Lstat(a.fsys, name)
	if err != nil {
		return err
	}
	if err := still(name, info, kind); err != nil {
		return err
	}
	return a.header(stored, info, link)
}

// still reports an error if what was listed as one kind of file is another one by now.
func still(name string, info fs.FileInfo, kind fs.FileMode) error {
	if got := info.Mode().Type(); got != kind {
		return fmt.Errorf("%s: it was replaced while it was read: its type was %v, and is %v", name, kind, got)
	}
	return nil
}

func (a *archiver) header(name string, info fs.FileInfo, link string) error {
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	h.Name, h.Format = name, tar.FormatPAX
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{} // reading changes them
	if err := a.tw.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// addFile takes size and content from one open file, as its name may by now be another one's.
func (a *archiver) addFile(name string) error {
	f, err := a.fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := still(name, info, 0); err != nil {
		return err
	}
	if err := a.header(name, info, ""); err != nil {
		return err
	}
	n, err := io.CopyBuffer(a.tw, io.LimitReader(&contextReader{a.ctx, f}, info.Size()), a.buf)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if n < info.Size() {
		return fmt.Errorf("%s: it became shorter while it was read: %d bytes, and %d when it was opened", name, n, info.Size())
	}
	return nil
}
