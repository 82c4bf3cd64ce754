package database

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// sqliteCopy is a copy of a database that exists while it is streamed.
type sqliteCopy struct {
	dir  string                                      // in which it gets a directory of its own
	make func(ctx context.Context, dir string) error // makes copyName in dir
}

func (c *sqliteCopy) dump(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp(c.dir, ".sqlite-copy-*") // mode 0700
	if err != nil {
		return fmt.Errorf("a directory for the copy: %w (SQLiteOptions.TempDir names another place)", err)
	}
	defer os.RemoveAll(dir)
	if err := c.make(ctx, dir); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("copy it to %s, which takes the room of a second one there (or in SQLiteOptions.TempDir): %w", c.dir, err)
	}
	f, err := os.Open(filepath.Join(dir, copyName))
	if err != nil {
		return err
	}
	defer f.Close()
	_ = os.RemoveAll(dir) // so that a kill leaves nothing behind, where open files can be removed
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, &contextReader{ctx, f}, make([]byte, 256<<10))
	return err
}
