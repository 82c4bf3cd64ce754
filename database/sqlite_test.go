package database_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/database"
)

// sqlite3 runs commands on a database file, and returns what is printed.
func sqlite3(t *testing.T, path string, commands ...string) string {
	t.Helper()
	args := append([]string{"-init", os.DevNull, "-bail", "-batch", "-cmd", ".timeout 20000", path}, commands...)
	out, err := exec.CommandContext(t.Context(), sqliteProgram(t), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s %q: %v: %s", path, commands, err, out)
	}
	return strings.TrimSpace(string(out))
}

func sqliteProgram(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Fatalf("%v: run `make tools` (Debian package sqlite3)", err)
	}
	return path
}

// everything makes a database with about all that SQLite has.
const everything = `
	PRAGMA user_version = 7; PRAGMA application_id = 4711;
	CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, real REAL, data BLOB,
		twice INTEGER GENERATED ALWAYS AS (id * 2) STORED, CHECK (id < 1000000));
	CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
	CREATE TABLE s (n INTEGER NOT NULL REFERENCES t (id)) STRICT;
	CREATE INDEX i ON t (lower(name)) WHERE real IS NOT NULL;
	CREATE VIEW v AS SELECT name, length(data) FROM t;
	CREATE TRIGGER g AFTER INSERT ON w BEGIN INSERT INTO s VALUES (1); END;
	CREATE VIRTUAL TABLE f USING fts5 (body);
	WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500)
		INSERT INTO t (name, real, data) SELECT 'n' || i || ' – Ünïcode 数', i / 3.0, randomblob(i) FROM c;
	INSERT INTO w VALUES ('it''s', NULL), ('k', x'00ff'); INSERT INTO f VALUES ('words to find');
	DELETE FROM t WHERE id BETWEEN 50 AND 90;`

func sqliteNew(t *testing.T, path, mode string) {
	t.Helper()
	sqlite3(t, path, "PRAGMA auto_vacuum = FULL", "PRAGMA journal_mode = "+mode, everything)
}

// sqliteContent is all of it as SQL, a line each, in an order that VACUUM does not change.
func sqliteContent(t *testing.T, path string) string {
	t.Helper()
	lines := strings.Split(sqlite3(t, path, ".dump"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func sqliteOpen(t *testing.T, path string, o *database.SQLiteOptions) database.Database {
	t.Helper()
	db, err := database.SQLite(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func sqliteDump(t *testing.T, db database.Database) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := db.Dump(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// names lists a directory, sorted.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// holds requires that a directory has these names and no other.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestSQLiteRoundTrip(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		for _, name := range []string{"plain.db", `it's "quoted".db`, "-readonly", "a b%41c?mode=memory#x", "file:x.db", "..db", "数\n.db", "\xff.db"} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				from, to := t.TempDir(), t.TempDir()
				sqliteNew(t, filepath.Join(from, "made"), mode)
				want := sqliteContent(t, filepath.Join(from, "made"))
				if err := os.Rename(filepath.Join(from, "made"), filepath.Join(from, name)); err != nil {
					t.Fatal(err)
				}
				dump := sqliteDump(t, sqliteOpen(t, filepath.Join(from, name), nil))
				holds(t, from, name)
				for range 2 { // to where nothing is, and to where it is
					if err := sqliteOpen(t, filepath.Join(to, name), nil).Load(t.Context(), bytes.NewReader(dump)); err != nil {
						t.Fatal(err)
					}
					holds(t, to, name)
				}
				if err := os.Rename(filepath.Join(to, name), filepath.Join(to, "loaded")); err != nil {
					t.Fatal(err)
				}
				if got := sqliteContent(t, filepath.Join(to, "loaded")); got != want || len(want) < 100_000 {
					t.Errorf("what was loaded differs: %d bytes of SQL, want %d", len(got), len(want))
				}
				got := sqlite3(t, filepath.Join(to, "loaded"), "PRAGMA user_version; PRAGMA application_id; PRAGMA auto_vacuum; PRAGMA integrity_check")
				if got != "7\n4711\n1\nok" {
					t.Errorf("version, application, vacuum and check are %q", got)
				}
			})
		}
	}
}

func TestSQLiteRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	sqliteNew(t, "app.db", "WAL")
	db, err := database.Open("sqlite:app.db", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // the path was meant from where it was given
	if dump := sqliteDump(t, db); len(dump) < 100_000 {
		t.Errorf("a dump of %d bytes", len(dump))
	}
	for _, bad := range []string{"", "a\x00b"} {
		if _, err := database.SQLite(bad, nil); err == nil {
			t.Errorf("the path %q is taken", bad)
		}
	}
}

// A database without a table, and a file without a byte, which is one too.
func TestSQLiteEmpty(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dump := sqliteDump(t, sqliteOpen(t, path, nil))
	sqliteNew(t, filepath.Join(dir, "full.db"), "WAL")
	if err := sqliteOpen(t, filepath.Join(dir, "full.db"), nil).Load(t.Context(), bytes.NewReader(dump)); err != nil {
		t.Fatal(err)
	}
	if got := sqlite3(t, filepath.Join(dir, "full.db"), "SELECT count(*) FROM sqlite_schema"); got != "0" {
		t.Errorf("%s tables are left", got)
	}
}

// What the user has set for his own use of sqlite3 does not matter.
func TestSQLiteUserSettings(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".sqliterc"), []byte(".mode box\n.headers on\nSELECT 'noise';\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	path := filepath.Join(t.TempDir(), "app.db")
	sqliteNew(t, path, "WAL")
	db := sqliteOpen(t, path, nil)
	if dump := sqliteDump(t, db); !bytes.HasPrefix(dump, []byte("SQLite format 3\x00")) {
		t.Errorf("the dump begins with %q", dump[:16])
	}
	info, err := db.(database.Describer).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := info.Labels
	if info.Source != "sqlite:"+path || !strings.HasPrefix(l["tool"], "sqlite3 3.") || l["page_size"] != "4096" || l["journal_mode"] != "wal" || l["page_count"] < "1" {
		t.Errorf("Describe says %+v", info)
	}
}

// sqliteLock holds an exclusive lock on a database until the test ends, or release is called.
func sqliteLock(t *testing.T, path string) (release func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sqliteProgram(t), "-init", os.DevNull, "-batch", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(release)
	fmt.Fprintln(in, "BEGIN EXCLUSIVE; SELECT 'locked';")
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("no lock: %q, %v", line, err)
	}
	return release
}

func TestSQLiteDumpFails(t *testing.T) {
	broken := errors.New("the volume is broken")
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) // makes dir/app.db
		o    *database.SQLiteOptions
		w    io.Writer
		want string
		is   error
	}{
		{name: "missing", make: func(*testing.T, string) {}, want: "no such file", is: fs.ErrNotExist},
		{name: "a directory", make: func(t *testing.T, dir string) { _ = os.Mkdir(dir+"/app.db", 0o700) }, want: "not a regular file"},
		{name: "not SQLite", make: func(t *testing.T, dir string) { sqliteJunk(t, dir+"/app.db") }, want: "file is not a database"},
		{name: "locked", make: func(t *testing.T, dir string) { sqliteNew(t, dir+"/app.db", "DELETE"); sqliteLock(t, dir+"/app.db") },
			o: &database.SQLiteOptions{BusyTimeout: 50 * time.Millisecond}, want: "database is locked"},
		{name: "damaged", make: func(t *testing.T, dir string) { sqliteDamaged(t, dir+"/app.db") }, want: "malformed"},
		{name: "no such place", make: func(t *testing.T, dir string) { sqliteNew(t, dir+"/app.db", "WAL") },
			o: &database.SQLiteOptions{TempDir: "/nowhere"}, want: "TempDir", is: fs.ErrNotExist},
		{name: "writer", make: func(t *testing.T, dir string) { sqliteNew(t, dir+"/app.db", "WAL") }, w: failing{broken}, want: "the volume", is: broken},
		{name: "null", make: func(t *testing.T, dir string) { sqliteUnsound(t, dir+"/app.db") }, want: "NULL value in t.a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.make(t, dir)
			before := names(t, dir)
			if c.w == nil {
				c.w = io.Discard
			}
			err := sqliteOpen(t, dir+"/app.db", c.o).Dump(t.Context(), c.w)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v, want %q", err, c.want)
			}
			holds(t, dir, before...)
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func sqliteJunk(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sqliteDamaged has a page of its largest table overwritten.
func sqliteDamaged(t *testing.T, path string) {
	t.Helper()
	sqliteNew(t, path, "DELETE")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := range int64(4) {
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xA5}, 4096), (8+page)*4096); err != nil {
			t.Fatal(err)
		}
	}
}

// sqliteUnsound has a row that its schema forbids, which VACUUM copies.
func sqliteUnsound(t *testing.T, path string) {
	t.Helper()
	sqlite3(t, path, "CREATE TABLE t (a); INSERT INTO t VALUES (NULL); PRAGMA writable_schema = ON; "+
		"UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a NOT NULL)' WHERE name = 't'")
}

func TestSQLiteNoCheck(t *testing.T) {
	dir := t.TempDir()
	sqliteUnsound(t, dir+"/app.db")
	o := &database.SQLiteOptions{NoCheck: true}
	dump := sqliteDump(t, sqliteOpen(t, dir+"/app.db", o))
	if err := sqliteOpen(t, dir+"/to.db", nil).Load(t.Context(), bytes.NewReader(dump)); err == nil || !strings.Contains(err.Error(), "NoCheck") {
		t.Errorf("%v, want advice", err)
	}
	if err := sqliteOpen(t, dir+"/to.db", o).Load(t.Context(), bytes.NewReader(dump)); err != nil {
		t.Error(err)
	}
}

func TestSQLiteToolMissing(t *testing.T) {
	dir := t.TempDir()
	sqliteNew(t, dir+"/app.db", "WAL")
	dump := sqliteDump(t, sqliteOpen(t, dir+"/app.db", nil))
	t.Setenv("PATH", "")
	if err := sqliteOpen(t, dir+"/app.db", nil).Dump(t.Context(), io.Discard); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Dump: %v", err)
	}
	if err := sqliteOpen(t, dir+"/app.db", nil).Load(t.Context(), bytes.NewReader(dump)); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Load: %v", err)
	}
	if err := sqliteOpen(t, dir+"/new.db", nil).Load(t.Context(), bytes.NewReader(dump)); err != nil { // it takes none
		t.Errorf("Load to where nothing is: %v", err)
	}
	holds(t, dir, "app.db", "new.db")
}

// While the copy waits for a lock, and while it is streamed.
func TestSQLiteCancel(t *testing.T) {
	gone := errors.New("the caller has gone")
	dir := t.TempDir()
	sqliteNew(t, dir+"/app.db", "DELETE")
	release := sqliteLock(t, dir+"/app.db")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(300*time.Millisecond, func() {
		if n := len(names(t, dir)); n != 2 {
			t.Errorf("%d names while it is copied, want the database and the copy's directory", n)
		}
		cancel(gone)
	})
	begun := time.Now()
	if err := sqliteOpen(t, dir+"/app.db", nil).Dump(ctx, io.Discard); !errors.Is(err, gone) || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	holds(t, dir, "app.db")
	release()

	ctx, cancel = context.WithCancelCause(t.Context())
	err := sqliteOpen(t, dir+"/app.db", nil).Dump(ctx, writerFunc(func(b []byte) (int, error) {
		holds(t, dir, "app.db") // a kill would leave nothing behind
		cancel(gone)
		return len(b), nil
	}))
	if !errors.Is(err, gone) {
		t.Errorf("while it is streamed: %v", err)
	}
	holds(t, dir, "app.db")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
