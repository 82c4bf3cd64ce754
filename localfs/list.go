package localfs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/databasement/backup/storage"
)

// List implements [storage.Volume]. It holds one directory per level at a
// time. Files that are not objects are passed over: irregular ones, temporary
// ones, and those with a name that no object can have.
func (v *Volume) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		dir, _ := path.Split(prefix) // nothing outside it can match
		if dir != "" && storage.CheckName(strings.TrimSuffix(dir, "/")) != nil {
			return // nor inside it: no object is called so
		}
		l := &lister{ctx: ctx, v: v, prefix: prefix, yield: yield}
		if err := l.walk(dir); err != nil && err != errStopped {
			yield(storage.Object{}, v.wrap("list", prefix, err))
		}
	}
}

var errStopped = errors.New("the caller has seen enough")

type lister struct {
	ctx    context.Context
	v      *Volume
	prefix string
	yield  func(storage.Object, error) bool
}

// walk lists dir, which is empty or ends in a slash.
func (l *lister) walk(dir string) error {
	entries, err := l.v.readDir(l.ctx, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := done(l.ctx); err != nil {
			return err
		}
		name := dir + sortName(e)
		if !strings.HasPrefix(name, l.prefix) {
			continue
		}
		if e.IsDir() {
			err = l.walk(name)
		} else {
			err = l.visit(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) visit(name string, e fs.DirEntry) error {
	if !e.Type().IsRegular() || storage.CheckName(name) != nil {
		return nil
	}
	info, err := e.Info()
	if isMissing(err) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	if !l.yield(object(name, info), nil) {
		return errStopped
	}
	return nil
}

// readDir returns the entries of dir in the order of the names below them. A
// missing dir has none.
func (v *Volume) readDir(ctx context.Context, dir string) ([]fs.DirEntry, error) {
	if err := done(ctx); err != nil {
		return nil, err
	}
	entries, err := v.fs.ReadDir(path.Clean(dir)) // "" is "."
	if isMissing(err) && dir != "" {
		return nil, nil
	}
	if errors.Is(err, fs.ErrPermission) && (dir == "lost+found/" || dir == "System Volume Information/") {
		return nil, nil // the system's own, where the volume is a whole disk
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return strings.Compare(sortName(a), sortName(b))
	})
	return entries, nil
}

// sortName is where an entry stands in the byte order of whole names: all
// names below a directory begin with its name and a slash.
func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}
