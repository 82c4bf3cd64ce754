package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/databasement/backup/database"
)

// A Load that fails leaves the old database as it was, and nothing beside it.
func TestSQLiteLoadFails(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made.db")
	sqliteNew(t, made, "WAL")
	dump := sqliteDump(t, sqliteOpen(t, made, nil))
	sqliteDamaged(t, made+"2")
	damaged, err := os.ReadFile(made + "2")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the snapshot is damaged")
	for _, c := range []struct {
		name string
		r    io.Reader
		want string
	}{
		{"nothing", bytes.NewReader(nil), "not a database file of SQLite"},
		{"short", bytes.NewReader(dump[:99]), "not a database file of SQLite"},
		{"SQL", strings.NewReader(strings.Repeat("CREATE TABLE t (a);\n", 1000)), "not a database file of SQLite"},
		{"cut off", bytes.NewReader(dump[:len(dump)-1]), "was cut off"},
		{"one page", bytes.NewReader(dump[:4096]), "was cut off"},
		{"damaged", bytes.NewReader(damaged), "quick_check"},
		{"fails at once", iotest.ErrReader(broken), broken.Error()},
		{"fails early", io.MultiReader(bytes.NewReader(dump[:50]), iotest.ErrReader(broken)), broken.Error()},
		{"fails in the midst", io.MultiReader(bytes.NewReader(dump[:5000]), iotest.ErrReader(broken)), broken.Error()},
		{"fails at its end", io.MultiReader(bytes.NewReader(dump), iotest.ErrReader(broken)), broken.Error()},
		{"times out", iotest.TimeoutReader(iotest.HalfReader(bytes.NewReader(dump))), iotest.ErrTimeout.Error()},
		{"ends early", io.MultiReader(bytes.NewReader(dump), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sqlite3(t, dir+"/app.db", "CREATE TABLE old (a); INSERT INTO old VALUES ('precious')")
			before, err := os.ReadFile(dir + "/app.db")
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(c.r)
			for _, name := range []string{"app.db", "new.db"} {
				r := io.MultiReader(bytes.NewReader(content), iotest.ErrReader(cmpErr(err, io.EOF)))
				loaded := sqliteOpen(t, filepath.Join(dir, name), nil).Load(t.Context(), r)
				if loaded == nil || !strings.Contains(loaded.Error(), c.want) || !strings.Contains(loaded.Error(), name) || err != nil && !errors.Is(loaded, err) {
					t.Errorf("%s: %v, want %q", name, loaded, c.want)
				}
			}
			holds(t, dir, "app.db")
			if after, err := os.ReadFile(dir + "/app.db"); !bytes.Equal(after, before) {
				t.Errorf("the old database has changed: %v", err)
			}
		})
	}
}

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// What stands in the way of a Load is left as it is.
func TestSQLiteLoadRefused(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made.db")
	sqliteNew(t, made, "DELETE")
	dump := sqliteDump(t, sqliteOpen(t, made, nil))
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("of another"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"stale wal", func(t *testing.T, path string) { write(t, path+"-wal") }, "app.db-wal of an older database"},
		{"stale journal", func(t *testing.T, path string) { write(t, path+"-journal") }, "app.db-journal of an older database"},
		{"dangling link", func(t *testing.T, path string) { _ = os.Symlink("none", path) }, "a symbolic link to nothing"},
		{"directory", func(t *testing.T, path string) { _ = os.Mkdir(path, 0o700) }, "not a regular file"},
		{"not SQLite", func(t *testing.T, path string) { sqliteJunk(t, path) }, "must be moved away"},
		{"locked", func(t *testing.T, path string) { sqliteNew(t, path, "DELETE"); sqliteLock(t, path) }, "database is busy"},
		{"locked, WAL", func(t *testing.T, path string) { sqliteNew(t, path, "WAL"); sqliteLock(t, path) }, "database is busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "app.db")
			c.make(t, path)
			before, listed := files(inventory(t, dir)), names(t, dir)
			o := &database.SQLiteOptions{BusyTimeout: 50 * time.Millisecond}
			if err := sqliteOpen(t, path, o).Load(t.Context(), bytes.NewReader(dump)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			holds(t, dir, listed...)
			if after := files(inventory(t, dir)); after != before {
				t.Errorf("before\n%safter\n%s", before, after)
			}
		})
	}
}

// files is an inventory but for the directory itself.
func files(inventory string) string {
	_, rest, _ := strings.Cut(inventory, "\n")
	return rest
}

// Programs that have the database open, with changes in its -wal, see the loaded one, and go on writing to it.
func TestSQLiteLoadWhileOpen(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made.db")
	sqliteNew(t, made, "WAL")
	dump := sqliteDump(t, sqliteOpen(t, made, nil))
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			sqlite3(t, path, "PRAGMA journal_mode = "+mode, "CREATE TABLE old (a)")
			p := sqliteSession(t, path)
			p.ask("PRAGMA wal_autocheckpoint = 0; INSERT INTO old VALUES (1), (2); SELECT count(*) FROM old;", "2")
			if err := sqliteOpen(t, path, nil).Load(t.Context(), bytes.NewReader(dump)); err != nil {
				t.Fatal(err)
			}
			p.ask("SELECT count(*) FROM sqlite_schema WHERE name = 'old';", "0")
			p.ask("DELETE FROM f; INSERT INTO f VALUES ('after'); SELECT count(*) FROM t;", "459")
			p.end()
			if got := sqlite3(t, path, "SELECT body FROM f; PRAGMA integrity_check"); got != "after\nok" {
				t.Errorf("then %q", got)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("the mode is %v: %v", info.Mode(), err)
			}
		})
	}
}

// Killed anywhere while the content is replaced, SQLite's own journal leaves the old one or the new one, whole.
func TestSQLiteLoadCancelled(t *testing.T) {
	dir := t.TempDir()
	fill := func(name string) string {
		path := filepath.Join(dir, name)
		sqlite3(t, path, "CREATE TABLE who (name); INSERT INTO who VALUES ('"+name+"'); CREATE TABLE t (b); "+
			"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) INSERT INTO t SELECT randomblob(3000) FROM c")
		return path
	}
	target := fill("old")
	dump := sqliteDump(t, sqliteOpen(t, fill("new"), nil))
	for killed := 0; killed < 5; {
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { // until SQLite has begun to write
			for ctx.Err() == nil {
				if _, err := os.Stat(target + "-journal"); err == nil {
					time.Sleep(rand.N(20 * time.Millisecond))
					cancel()
				}
				time.Sleep(time.Millisecond)
			}
		})
		err := sqliteOpen(t, target, nil).Load(ctx, bytes.NewReader(dump))
		cancel()
		watching.Wait()
		if _, hot := os.Stat(target + "-journal"); hot == nil {
			killed++
		}
		got := sqlite3(t, target, "SELECT name FROM who; PRAGMA integrity_check; SELECT count(*) FROM t")
		if got != "old\nok\n3000" && got != "new\nok\n3000" || err == nil && !strings.HasPrefix(got, "new") {
			t.Fatalf("Load: %v; then %q", err, got)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		sqlite3(t, target, "UPDATE who SET name = 'old'")
	}
	sqlite3(t, target, "PRAGMA user_version = 1") // takes the last journal away
	holds(t, dir, "new", "old")
}
