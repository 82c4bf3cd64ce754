package storage_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/databasement/backup/storage"
)

func put(t *testing.T, v storage.Volume, name, data string) {
	t.Helper()
	if _, err := v.Put(t.Context(), name, strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

func TestFS(t *testing.T) {
	names := []string{"a-b", "a/b", "a/c/d e", "a.b", "top%", "long/" + strings.Repeat("x", 255), "é/ü"}
	v := storage.Memory()
	for _, n := range names {
		put(t, v, n, strings.Repeat(n, 1000))
	}
	put(t, v, "empty", "")
	if err := fstest.TestFS(storage.FS(t.Context(), v), append(names, "empty")...); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(storage.FS(t.Context(), storage.Memory())); err != nil {
		t.Errorf("of an empty volume: %v", err)
	}
}

func TestFSErrors(t *testing.T) {
	v := storage.Memory()
	put(t, v, "both", "x")
	put(t, v, "both/x", "x")
	put(t, v, "file", "0123456789")
	fsys := storage.FS(t.Context(), v)
	if _, err := fs.ReadDir(fsys, "."); err == nil || !strings.Contains(err.Error(), "both an object and a directory") {
		t.Errorf("ReadDir of a name that is object and directory: %v", err)
	}
	if _, err := fs.ReadDir(fsys, "file"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of a file: %v", err)
	}
	if _, err := fs.ReadDir(fsys, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadDir of nothing: %v", err)
	}
	_, err := fs.Stat(fsys, "none")
	if pe := (*fs.PathError)(nil); !errors.As(err, &pe) || pe.Path != "none" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of nothing: %v", err)
	}
	if strings.Count(err.Error(), "none") != 1 {
		t.Errorf("Stat of nothing names it more than once: %v", err)
	}
}

// TestFSShrunk has the object replaced by a shorter one while the file is open.
func TestFSShrunk(t *testing.T) {
	v := storage.Memory()
	put(t, v, "f", "0123456789")
	f, err := storage.FS(t.Context(), v).Open("f")
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "f", "01234")
	if b, err := io.ReadAll(f); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Read = %q, %v, want io.ErrUnexpectedEOF", b, err)
	}
	if n, err := f.(io.ReaderAt).ReadAt(make([]byte, 8), 0); n != 5 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadAt = %d, %v, want 5, io.ErrUnexpectedEOF", n, err)
	}
}
