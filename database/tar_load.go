package database

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/databasement/backup/internal/atomicfile"
)

func (t *tarDir) Load(ctx context.Context, r io.Reader) error {
	if err := t.load(ctx, r); err != nil {
		return fmt.Errorf("load files to %s: %w", t.dir, err)
	}
	return nil
}

func (t *tarDir) load(ctx context.Context, r io.Reader) error {
	target, err := filepath.Abs(t.dir)
	if err != nil {
		return err
	}
	there, err := emptyOrAbsent(target)
	if err != nil {
		return err
	}
	parent := filepath.Dir(target)
	temp, err := os.MkdirTemp(parent, ".tar-load-*")
	if err != nil {
		return fmt.Errorf("a temporary directory beside it: %w", err)
	}
	defer removeTree(temp)
	if err := extractTo(temp, &contextReader{ctx, r}); err != nil {
		return err
	}
	if there { // os.Rename does not replace it; Remove does nothing if it is no longer empty
		if err := os.Remove(target); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, target); err != nil {
		return err
	}
	return atomicfile.SyncDir(parent)
}

// emptyOrAbsent reports whether dir is there, which is an error if it is anything but an empty directory.
func emptyOrAbsent(dir string) (there bool, err error) {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, errors.New("it is there, and not a directory: name another one")
	}
	d, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer d.Close()
	if _, err := d.Readdirnames(1); err != io.EOF {
		return false, errors.Join(err, errors.New("the directory is not empty, and nothing is overwritten: empty it, or name another one"))
	}
	return true, nil
}

// removeTree removes directories without permissions, too.
func removeTree(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

func extractTo(dir string, r io.Reader) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	end := &endReader{r: r}
	x := &extractor{root: root, tr: tar.NewReader(end), buf: make([]byte, 256<<10)}
	for {
		end.zeros = 0
		h, err := x.tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := x.extract(h); err != nil {
			return fmt.Errorf("%q: %w", shorten(h.Name), err)
		}
	}
	if err := end.check(); err != nil {
		return err
	}
	return x.leave("")
}

// shorten is for names in errors.
func shorten(name string) string { return name[:min(len(name), 300)] }

// endReader sees how an archive ends: with 1 KiB of zeros at least. archive/tar takes less.
type endReader struct {
	r     io.Reader
	zeros int64 // bytes since the last that was not zero
}

const tarEnd = 1 << 10

func (e *endReader) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.zeros += int64(n)
	for i := n - 1; i >= 0; i-- {
		if b[i] != 0 {
			e.zeros = int64(n - 1 - i)
			break
		}
	}
	return n, err
}

// check reads what follows, so that the stream is verified to its end.
func (e *endReader) check() error {
	if e.zeros < tarEnd {
		return fmt.Errorf("the archive was cut off: it has no end: %w", io.ErrUnexpectedEOF)
	}
	before := e.zeros
	n, err := io.Copy(io.Discard, e)
	if err != nil {
		return err
	}
	if e.zeros != before+n {
		return errors.New("something follows the end of the archive")
	}
	return nil
}

// extractor makes what an archive holds.
type extractor struct {
	root *os.Root
	tr   *tar.Reader
	buf  []byte
	open []directory // each in the one before
}

// directory gets mode and time when nothing more comes into it.
type directory struct {
	name string
	mode fs.FileMode
	time time.Time
}

// maxTarName bounds names, in bytes, and with them how many directories are open.
const maxTarName = 4096

func (x *extractor) extract(h *tar.Header) error {
	name := filepath.FromSlash(path.Clean(h.Name))
	switch {
	case h.Typeflag == tar.TypeXGlobalHeader: // comments
		return nil
	case len(h.Name) > maxTarName:
		return fmt.Errorf("the name is longer than %d bytes: restore with tar instead", maxTarName)
	case h.Name == "" || !filepath.IsLocal(name):
		return errors.New("the name leads out of the directory, or is none")
	}
	if err := x.leave(name); err != nil {
		return err
	}
	if err := x.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return x.file(name, h)
	case tar.TypeDir:
		x.open = append(x.open, directory{name, h.FileInfo().Mode().Perm(), h.ModTime})
		return x.root.MkdirAll(name, 0o700)
	case tar.TypeSymlink:
		return x.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return x.root.Link(filepath.FromSlash(path.Clean(h.Linkname)), name)
	}
	return fmt.Errorf("it is of type %q, neither file, directory nor link: restore with tar instead", h.Typeflag)
}

func (x *extractor) file(name string, h *tar.Header) error {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") { // a few bytes could fill any disk
			return errors.New("it is stored as a sparse file: restore with tar instead")
		}
	}
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, x.tr, x.buf); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(h.FileInfo().Mode().Perm()), f.Sync(), f.Close()); err != nil {
		return err
	}
	return x.root.Chtimes(name, time.Time{}, h.ModTime)
}

// leave finishes the directories that name is not in; all of them for an empty name.
func (x *extractor) leave(name string) error {
	for n := len(x.open) - 1; n >= 0 && !within(name, x.open[n].name); n-- {
		d := x.open[n]
		x.open = x.open[:n]
		if err := x.finish(d); err != nil {
			return fmt.Errorf("%q: %w", shorten(d.name), err)
		}
	}
	return nil
}

func within(name, dir string) bool {
	return name != "" && name != dir && (dir == "." || strings.HasPrefix(name, dir+string(filepath.Separator)))
}

// finish gives a directory its mode and time, and makes it durable.
func (x *extractor) finish(d directory) error {
	f, err := x.root.Open(d.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := errors.Join(f.Chmod(d.mode), x.root.Chtimes(d.name, time.Time{}, d.time)); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // which has no such call, and does not need it
		return nil
	}
	return f.Sync()
}
