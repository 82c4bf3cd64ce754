package database_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/databasement/backup/database"
)

// smallDisk is a directory of 1 MiB; ok is false where there can be none.
func smallDisk(t *testing.T) (dir string, ok bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("only root can mount a small disk")
		return "", false
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

func TestSQLiteFullDisk(t *testing.T) {
	full, ok := smallDisk(t)
	if !ok {
		return
	}
	path := filepath.Join(t.TempDir(), "app.db")
	sqlite3(t, path, "CREATE TABLE t (b); INSERT INTO t VALUES (randomblob(2000000))")
	err := sqliteOpen(t, path, &database.SQLiteOptions{TempDir: full}).Dump(t.Context(), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), full) {
		t.Errorf("Dump: %v", err)
	}
	holds(t, full)

	dump := sqliteDump(t, sqliteOpen(t, path, nil))
	sqlite3(t, full+"/app.db", "CREATE TABLE old (a); INSERT INTO old VALUES ('precious')")
	err = sqliteOpen(t, full+"/app.db", nil).Load(t.Context(), bytes.NewReader(dump))
	if err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), full) {
		t.Errorf("Load: %v", err)
	}
	holds(t, full, "app.db")
	if got := sqlite3(t, full+"/app.db", "SELECT a FROM old"); got != "precious" {
		t.Errorf("the old database has %q", got)
	}
}

func TestTarFullDisk(t *testing.T) {
	full, ok := smallDisk(t)
	if !ok {
		return
	}
	archive := tarDump(t, database.TarFS(manyFiles(200, 10_000), nil))
	err := database.Tar(full+"/to", nil).Load(t.Context(), bytes.NewReader(archive))
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("Load: %v", err)
	}
	holds(t, full)
}
