package localfs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/databasement/backup/storage"
)

// Put implements [storage.Volume].
func (v *Volume) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	obj, err := v.put(ctx, name, v.replace, func(f file) (int64, error) {
		return fill(ctx, f, r)
	})
	return obj, v.wrap("put", name, err)
}

// PutHead implements [storage.HeadPutter]: the head goes into the temporary file.
func (v *Volume) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (storage.Object, error) {
	obj, err := v.put(ctx, name, v.replace, func(f file) (int64, error) {
		if size < 1 || size > storage.MaxHead {
			return 0, fmt.Errorf("late head of %d bytes: it must have 1 to %d", size, storage.MaxHead)
		}
		n, err := fill(ctx, f, r)
		if err != nil {
			return n, err
		}
		if n < int64(size) {
			return n, fmt.Errorf("stream of %d bytes is shorter than its late head of %d: %w", n, size, io.ErrUnexpectedEOF)
		}
		b, err := head()
		if err != nil {
			return n, fmt.Errorf("late head: %w", err)
		}
		if len(b) != size {
			return n, fmt.Errorf("late head has %d bytes, %d were announced", len(b), size)
		}
		_, err = f.WriteAt(b, 0)
		return n, err
	})
	return obj, v.wrap("put", name, err)
}

// PutIfAbsent implements [storage.ExclusivePutter]. It is exclusive among all
// processes that share the directory. Where the file system has no hard links
// it needs a rename that does not replace, which Linux, macOS and Windows have;
// elsewhere it is errors.ErrUnsupported.
func (v *Volume) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	err := v.mayCreate(ctx, name, data)
	if err != nil {
		return storage.Object{}, v.wrap("put", name, notStored(err))
	}
	obj, err := v.put(ctx, name, v.createNew, func(f file) (int64, error) {
		return fill(ctx, f, bytes.NewReader(data))
	})
	return obj, v.wrap("put", name, err)
}

// mayCreate saves the writing where createNew would refuse.
func (v *Volume) mayCreate(ctx context.Context, name string, data []byte) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	if len(data) > storage.MaxExclusive {
		return fmt.Errorf("%w: %d bytes, at most %d", storage.ErrTooLarge, len(data), storage.MaxExclusive)
	}
	if _, err := v.lstat(name); !errors.Is(err, storage.ErrNotExist) {
		return cmp.Or(err, storage.ErrExist)
	}
	return nil
}

// put is the way of every object into the volume: write fills a temporary file
// and returns its size, publish moves the complete file into place.
func (v *Volume) put(ctx context.Context, name string, publish func(ctx context.Context, tmp, name string) error, write func(file) (int64, error)) (obj storage.Object, err error) {
	if err := v.admit(ctx, name); err != nil {
		return obj, notStored(err)
	}
	tmp, f, err := v.createTemp(name)
	if err != nil {
		return obj, notStored(err)
	}
	published := false
	defer func() { // deferred, because the caller's reader may panic
		if !published {
			f.Close() // again, perhaps, which is harmless
			if v.discard(tmp, name) && err != nil {
				err = notStored(err)
			}
		}
	}()
	if obj, err = v.writeTemp(ctx, tmp, name, f, write); err != nil {
		return storage.Object{}, notStored(err)
	}
	if err := publish(ctx, tmp, name); err != nil {
		return storage.Object{}, err
	}
	published = true
	if err := v.fs.SyncDir(path.Dir(name)); err != nil {
		return storage.Object{}, fmt.Errorf("stored, but perhaps not for good: flush directory: %w", err)
	}
	return obj, nil
}

// discard removes a temporary file that was not published and reports whether
// it is certain that it neither is nor will be, whatever an error of rename
// said: it was still there, cannot be moved any more, and name is no link to it.
func (v *Volume) discard(tmp, name string) bool {
	info, err := v.fs.Lstat(tmp)
	if err == nil {
		err = v.persist(context.Background(), func() error { return v.fs.Remove(tmp) })
	}
	there, err2 := v.fs.Lstat(name)
	absent := isMissing(err2) || err2 == nil && !os.SameFile(info, there)
	v.prune(name)
	return err == nil && absent
}

// admit refuses early what cannot succeed, before a long stream is read.
func (v *Volume) admit(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	info, err := v.fs.Lstat(name)
	if err != nil || !info.IsDir() || v.fs.Rmdir(name) == nil {
		return nil // an empty directory may be left of a crash
	}
	return fmt.Errorf("there are others whose names begin with it and a slash: %w", syscall.EISDIR)
}

// createTemp makes an empty temporary file beside name, and the directories on
// the way, and makes the directories durable. The file keeps them from being
// pruned: only before it exists can they vanish, and then they are made again.
func (v *Volume) createTemp(name string) (string, file, error) {
	tmp := path.Join(path.Dir(name), tempPrefix+rand.Text())
	f, err := v.openNew(tmp)
	if err != nil {
		return "", nil, err
	}
	// Also directories that were there already: another process may have made
	// them just now and not have flushed them yet.
	for dir := range parents(path.Dir(name)) {
		if err := v.fs.SyncDir(dir); err != nil {
			f.Close()
			v.discard(tmp, name)
			return "", nil, fmt.Errorf("flush directory: %w", err)
		}
	}
	return tmp, f, nil
}

// openNew makes a file and the directories above it.
func (v *Volume) openNew(name string) (file, error) {
	for try := 0; ; try++ {
		f, err := v.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, v.filePerm)
		if !errors.Is(err, fs.ErrNotExist) || try == maxRaces {
			return f, err
		}
		if err := v.mkdirs(path.Dir(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// maxRaces bounds how often a Put makes its directory anew.
const maxRaces = 1000

// mkdirs makes dir and what is missing above it.
func (v *Volume) mkdirs(dir string) error {
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if err := v.fs.Mkdir(dir[:i], v.dirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// writeTemp fills, flushes and closes the temporary file.
func (v *Volume) writeTemp(ctx context.Context, tmp, name string, f file, write func(file) (int64, error)) (storage.Object, error) {
	n, err := write(f)
	if err != nil {
		return storage.Object{}, err
	}
	if err := f.Sync(); err != nil {
		return storage.Object{}, err
	}
	if err := f.Close(); err != nil {
		return storage.Object{}, err
	}
	info, err := v.fs.Lstat(tmp)
	if err != nil {
		return storage.Object{}, err
	}
	if info.Size() != n {
		return storage.Object{}, fmt.Errorf("%d bytes written, the file has %d: %w", n, info.Size(), io.ErrShortWrite)
	}
	return object(name, info), done(ctx)
}

// replace moves tmp to name, over an older object.
func (v *Volume) replace(ctx context.Context, tmp, name string) error {
	return v.persist(ctx, func() error { return v.fs.Rename(tmp, name) })
}

// createNew moves tmp to name if there is nothing of that name.
func (v *Volume) createNew(ctx context.Context, tmp, name string) error {
	err := v.persist(ctx, func() error { return v.fs.Link(tmp, name) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Perhaps there are no hard links here: each file system has its own error.
		linkErr := err
		if err = v.persist(ctx, func() error { return v.fs.RenameNew(tmp, name) }); err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("neither a hard link nor an exclusive rename: %w, %w", linkErr, err)
		}
	}
	if err == nil || v.same(tmp, name) { // over NFS a link may be made and reported as failed
		v.fs.Remove(tmp) // if it stays, it is swept one day
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return storage.ErrExist
	}
	return err
}

// same reports whether both names are links to one file.
func (v *Volume) same(a, b string) bool {
	x, err := v.fs.Lstat(a)
	y, err2 := v.fs.Lstat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// notStored marks err as one after which nothing is and will be stored.
func notStored(err error) error {
	if errors.Is(err, storage.ErrNotApplied) {
		return err
	}
	return fmt.Errorf("%w: %w", storage.ErrNotApplied, err)
}

// Temporary files are called tempPrefix and the 26 characters of a rand.Text.
const tempPrefix = ".tmp-"

func isTemp(base string) bool {
	text, ok := strings.CutPrefix(base, tempPrefix)
	return ok && len(text) == 26 && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
