package localfs

import (
	"context"
	"errors"
	"path"
	"time"
)

// Delete implements [storage.Volume].
func (v *Volume) Delete(ctx context.Context, name string) error {
	return v.wrap("delete", name, v.delete(ctx, name))
}

func (v *Volume) delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	_, err := v.lstat(name) // Remove would take an empty directory too
	if err == nil {
		err = v.persist(ctx, func() error { return v.fs.Remove(name) })
	}
	if err != nil && !isMissing(err) {
		return err
	}
	// Also if it was missing: an earlier Delete may have failed just here.
	for dir := range parents(name) {
		if err = v.fs.SyncDir(dir); !isMissing(err) {
			break
		}
	}
	v.prune(name)
	return err
}

// prune removes the directories above name that are empty, so that "a" can be
// put where "a/b" was. It cannot harm a Put: see createTemp. It need not be
// durable, as an empty directory is no object.
func (v *Volume) prune(name string) {
	for dir := range parents(name) {
		if dir == "." || v.fs.Rmdir(dir) != nil {
			return
		}
	}
}

// SweepUnfinished implements [storage.Sweeper]. It removes temporary files of
// any process that used the directory. A file of a Put that is still running
// counts from its last write; should before lie after that, that Put fails.
func (v *Volume) SweepUnfinished(ctx context.Context, before time.Time) (removed int, err error) {
	removed, err = v.sweep(ctx, "", before)
	return removed, v.wrap("sweep", "", err)
}

func (v *Volume) sweep(ctx context.Context, dir string, before time.Time) (removed int, err error) {
	entries, err := v.readDir(ctx, dir)
	var errs []error
	for _, e := range entries {
		if err := done(ctx); err != nil {
			return removed, err
		}
		if e.IsDir() {
			n, err := v.sweep(ctx, dir+sortName(e), before)
			removed += n
			errs = append(errs, err)
			continue
		}
		if !e.Type().IsRegular() || !isTemp(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err == nil && info.ModTime().Before(before) {
			if err = v.persist(ctx, func() error { return v.fs.Remove(dir + e.Name()) }); err == nil {
				removed++
				v.prune(path.Join(dir, e.Name()))
			}
		}
		if !isMissing(err) {
			errs = append(errs, err)
		}
	}
	return removed, errors.Join(append(errs, err)...)
}
