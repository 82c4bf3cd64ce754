// Package spool lets a volume that cannot store an object's first bytes last do so after all, through a
// temporary file.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/databasement/backup/storage"
)

// Volume is v with a storage.HeadPutter that holds the object in a file of dir meanwhile. The file is the
// process's own, and is gone when PutHead returns.
func Volume(v storage.Volume, dir string) storage.Volume { return &volume{v, dir} }

type volume struct {
	storage.Volume
	dir string
}

func (v *volume) Unwrap() storage.Volume { return v.Volume }

func (v *volume) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (object storage.Object, err error) {
	f, err := os.CreateTemp(v.dir, "backup-spool-*")
	if err != nil {
		return object, fmt.Errorf("spooling: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	n, err := io.Copy(f, r)
	if err != nil {
		return object, fmt.Errorf("spooling: %w", err)
	}
	if n < int64(size) {
		return object, io.ErrUnexpectedEOF
	}
	first, err := head()
	if err != nil {
		return object, err
	}
	if len(first) != size {
		return object, fmt.Errorf("late head of %d bytes, %d were announced", len(first), size)
	}
	if _, err := f.WriteAt(first, 0); err != nil {
		return object, fmt.Errorf("spooling: %w", err)
	}
	return v.Put(ctx, name, io.NewSectionReader(f, 0, n))
}
