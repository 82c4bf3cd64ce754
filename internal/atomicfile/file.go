// Package atomicfile writes a file that takes its name only when it is complete and durable.
package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// File is a temporary file beside its target.
type File struct {
	*os.File
	path      string
	committed bool
}

// Create begins one for path, with mode 0600. What is there already must be a regular file, or a link to one, which is
// followed: a device would be replaced.
func Create(path string) (*File, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file, and would be replaced: name another", path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return nil, fmt.Errorf("a temporary file in %s: %w", dir, errors.Unwrap(err))
	}
	return &File{File: f, path: path}, nil
}

// Commit makes the content durable, and then gives it the name, replacing an older file.
func (f *File) Commit() error {
	if err := errors.Join(f.Sync(), f.File.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.committed = true
	return SyncDir(filepath.Dir(f.path))
}

// Close removes what was not committed.
func (f *File) Close() error {
	if f.committed {
		return nil
	}
	_ = f.File.Close()
	return os.Remove(f.Name())
}

// SyncDir makes a rename in dir durable. Windows has no such call, and does not need it.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
