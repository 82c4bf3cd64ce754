// Package atomicfile writes a file that takes its name only when it is complete and durable.
package atomicfile

import (
	"errors"
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

// Create begins one for path, with mode 0600.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return nil, err
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
	return syncDir(filepath.Dir(f.path))
}

// Close removes what was not committed.
func (f *File) Close() error {
	if f.committed {
		return nil
	}
	_ = f.File.Close()
	return os.Remove(f.Name())
}

// syncDir makes a rename durable. Windows has no such call, and does not need it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
