package database

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/databasement/backup/internal/atomicfile"
)

func (s *sqliteFile) Load(ctx context.Context, r io.Reader) error {
	if err := s.load(ctx, r); err != nil {
		return fmt.Errorf("load the SQLite database %s: %w", s.path, err)
	}
	return nil
}

func (s *sqliteFile) load(ctx context.Context, r io.Reader) error {
	target, err := s.file()
	fresh := errors.Is(err, fs.ErrNotExist)
	if fresh {
		target, err = s.path, vacant(s.path)
	}
	if err != nil {
		return err
	}
	parent := filepath.Dir(target)
	dir, err := os.MkdirTemp(parent, ".sqlite-load-*")
	if err != nil {
		return fmt.Errorf("a temporary directory beside it: %w", err)
	}
	defer os.RemoveAll(dir)
	received := filepath.Join(dir, copyName)
	if err := receive(received, &contextReader{ctx, r}); err != nil {
		return err
	}
	if err := s.check(ctx, received); err != nil && !(fresh && errors.Is(err, exec.ErrNotFound)) {
		return err
	}
	if !fresh {
		return s.restore(ctx, target, dir)
	}
	if err := os.Rename(received, target); err != nil {
		return err
	}
	return atomicfile.SyncDir(parent)
}

// vacant reports what keeps a database from being put where there is none.
func vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return errors.New("it is a symbolic link to nothing: remove it, or make what it points to")
	}
	for _, end := range []string{"-wal", "-journal", "-shm"} { // SQLite would take them for the new database's
		if _, err := os.Lstat(path + end); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is a %s of an older database, which would damage this one: move it away", path+end)
		}
	}
	return nil
}

// restore lets SQLite replace the content of a database: with its locks and its journal, so that programs which have it open see
// either all or nothing of it. To put another file under the name would leave them with the old one, and their -wal with the new one.
func (s *sqliteFile) restore(ctx context.Context, target, dir string) error {
	t, err := s.tool(target, existing, ".restore "+copyName)
	if err != nil {
		return err
	}
	t.dir = dir
	if _, err := t.query(ctx); err != nil {
		return fmt.Errorf("replace the content of the database that is there: %w "+
			"(a program that keeps it locked must end; one that cannot be read must be moved away, with its -wal and -journal)", err)
	}
	return nil
}

// sqliteHeader is how long the header of a database file is, in bytes (https://www.sqlite.org/fileformat.html).
const sqliteHeader = 100

// receive writes a database to a file, durably, and holds its length to its header.
func receive(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, sqliteHeader)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if n < len(head) || !bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return errors.New("this is not a database file of SQLite, or an encrypted one, which can be put in place by hand")
	}
	if _, err := f.Write(head); err != nil {
		return err
	}
	rest, err := io.Copy(struct{ io.Writer }{f}, r)
	if err != nil {
		return err
	}
	if size, want := int64(n)+rest, lengthIn(head); size < want {
		return fmt.Errorf("the database file has %d bytes, and %d by its header: it was cut off", size, want)
	}
	return errors.Join(f.Sync(), f.Close())
}

// lengthIn is how long a database file is by its header, in bytes; 0 if it does not say.
func lengthIn(head []byte) int64 {
	if !bytes.Equal(head[24:28], head[92:96]) { // by a version that does not write it
		return 0
	}
	pageSize := int64(binary.BigEndian.Uint16(head[16:]))
	if pageSize == 1 {
		pageSize = 64 << 10
	}
	return pageSize * int64(binary.BigEndian.Uint32(head[28:]))
}
