package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/storage"
)

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statements string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, db *sql.DB, query string) (s string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

func dumper(t *testing.T, db *sql.DB, o *database.SQLiteOptions) database.Database {
	t.Helper()
	d, err := database.SQLiteDB(db, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// holds requires that a directory has these names, sorted, and no other but what SQLite keeps beside a database, which outlives
// db.Close where a connection that was cut off is still being closed.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "-shm") && !strings.HasSuffix(e.Name(), "-wal") {
			got = append(got, e.Name())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

const bank = `CREATE TABLE a (id INTEGER PRIMARY KEY, n, pad); CREATE TABLE log (n INTEGER PRIMARY KEY); CREATE INDEX i ON a (n, pad);
	WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) INSERT INTO a SELECT i, 1000, randomblob(200) FROM c;
	CREATE TABLE b AS SELECT * FROM a;`

// Each dump of a database that this process writes to is whole, and one moment of it: transactions move money between two tables.
func TestLive(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "bank ?%'.db")
			db := open(t, "file:"+strings.NewReplacer("?", "%3F", "%", "%25").Replace(path)+"?_pragma=busy_timeout(20000)&_txlock=immediate&_pragma=journal_mode("+mode+")")
			exec(t, db, bank)
			d := dumper(t, db, nil)
			stop := writers(t, db, 2)
			seen := []int64{-1} // transactions
			for i := range 6 {
				var b bytes.Buffer
				if err := d.Dump(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
				seen = append(seen, audit(t, b.Bytes(), seen[i]))
			}
			stop()
			if seen[6] == seen[1] {
				t.Error("nothing was written meanwhile")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, filepath.Base(path))
		})
	}
}

// audit requires that a dump is whole, and returns how many transactions it has seen.
func audit(t *testing.T, dump []byte, before int64) (transactions int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copied.db")
	if err := os.WriteFile(path, dump, 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, path)
	defer db.Close()
	if got := text(t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Fatal(got)
	}
	var sum, gap int64
	err := db.QueryRowContext(t.Context(), "SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b), ifnull(max(n), 0) - count(*), count(*) FROM log").Scan(&sum, &gap, &transactions)
	if err != nil || sum != 2_000_000 || gap != 0 || transactions < before {
		t.Fatalf("sum %d, gap %d, %d transactions after %d: %v", sum, gap, transactions, before, err)
	}
	return transactions
}

// writers write transactions until they are stopped.
func writers(t *testing.T, db *sql.DB, n int) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			for i := 1; ctx.Err() == nil; i++ {
				if err := move(ctx, db, i%50, i*7919%1000+1); err != nil && ctx.Err() == nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func move(ctx context.Context, db *sql.DB, amount, id int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, s := range []string{"UPDATE a SET n = n - ?1, pad = randomblob(200) WHERE id = ?2", "INSERT INTO log SELECT count(*) + 1 FROM log WHERE ?1 >= 0 AND ?2 > 0",
		"UPDATE b SET n = n + ?1 WHERE id = 1001 - ?2"} {
		if _, err := tx.ExecContext(ctx, s, amount, id); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// A pool of one connection, and a database in memory, which ends with its connection: the dump leaves that as it was.
func TestConnectionStays(t *testing.T) {
	for name, path := range map[string]string{"memory": ":memory:", "file": filepath.Join(t.TempDir(), "app.db")} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			db := open(t, path)
			db.SetMaxOpenConns(1)
			exec(t, db, bank+"; CREATE TEMP TABLE mine (a); PRAGMA busy_timeout = 123")
			d := dumper(t, db, nil)
			var b bytes.Buffer
			if err := d.Dump(t.Context(), writerFunc(func(p []byte) (int, error) {
				_ = text(t, db, "SELECT count(*) FROM a") // the connection is free while the copy is streamed
				holds(t, temp)
				return b.Write(p)
			})); err != nil {
				t.Fatal(err)
			}
			audit(t, b.Bytes(), 0)
			for query, want := range map[string]string{
				"PRAGMA busy_timeout": "123", "SELECT count(*) FROM mine": "0", "SELECT count(*) FROM pragma_database_list WHERE name NOT IN ('main', 'temp')": "0",
			} {
				if got := text(t, db, query); got != want {
					t.Errorf("%s: %s, want %s", query, got, want)
				}
			}
			info, err := d.(database.Describer).Describe(t.Context())
			if err != nil || !strings.HasPrefix(info.Labels["tool"], "SQLite 3.") || info.Source != "sqlite:"+path || info.Labels["page_size"] != "4096" {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestFails(t *testing.T) {
	full := t.TempDir()
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount a small tmpfs, which takes root: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(full, unix.MNT_DETACH) })
	broken := errors.New("the volume is broken")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		o     *database.SQLiteOptions
		w     io.Writer
		setup string
		want  string
	}{
		{"full disk", t.Context(), &database.SQLiteOptions{TempDir: full}, io.Discard, "", "to " + full},
		{"no such place", t.Context(), &database.SQLiteOptions{TempDir: full + "/none"}, io.Discard, "", "TempDir"},
		{"writer", t.Context(), nil, writerFunc(func([]byte) (int, error) { return 0, broken }), "", broken.Error()},
		{"cancelled", cancelled, nil, io.Discard, "", context.Canceled.Error()},
		{"unsound", t.Context(), nil, io.Discard, "CREATE TABLE t (a); INSERT INTO t VALUES (NULL); PRAGMA writable_schema = ON; " +
			"UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a NOT NULL)' WHERE name = 't'; PRAGMA writable_schema = RESET", "NULL value in t.a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, filepath.Join(dir, "app.db"))
			db.SetMaxOpenConns(1)
			exec(t, db, bank+c.setup)
			if err := dumper(t, db, c.o).Dump(c.ctx, c.w); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			holds(t, dir, "app.db")
			holds(t, full)
			exec(t, db, "UPDATE log SET n = n") // the connection is as good as before
			if err := dumper(t, db, nil).Load(t.Context(), strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "close it") {
				t.Errorf("Load: %v", err)
			}
		})
	}
}

// Cancelled while the copy is made, at any moment of it.
func TestCancel(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "app.db"))
	exec(t, db, "CREATE TABLE t (b); WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) INSERT INTO t SELECT randomblob(3000) FROM c")
	gone := errors.New("the caller has gone")
	for i := range 5 {
		ctx, cancel := context.WithCancelCause(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			for ctx.Err() == nil { // until the copy is begun
				if found, _ := filepath.Glob(dir + "/.sqlite-copy-*/copy*"); len(found) > 0 {
					time.Sleep(time.Duration(i) * 3 * time.Millisecond)
					cancel(gone)
				}
			}
		})
		err := dumper(t, db, nil).Dump(ctx, io.Discard)
		cancel(nil)
		watching.Wait()
		if err != nil && !errors.Is(err, gone) {
			t.Error(err)
		}
		if i == 0 && err == nil {
			t.Error("a dump that was cancelled as it began ended well")
		}
		holds(t, dir, "app.db")
	}
	exec(t, db, "DELETE FROM t")
}

// The whole way: from a driver to a snapshot, and by path into a database.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "app.db"))
	exec(t, db, bank)
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: crypto.None})
	if err != nil {
		t.Fatal(err)
	}
	d := dumper(t, db, nil)
	info, err := d.(database.Describer).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o := &backup.CreateOptions{Ext: d.Ext(), Source: info.Source, Labels: info.Labels}
	if _, err := b.CreateFunc(t.Context(), "app", o, d.Dump); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "DROP TABLE a")
	to, err := database.Open("sqlite:"+filepath.Join(dir, "app.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.RestoreFunc(t.Context(), "app/latest", to.Load); err != nil {
		t.Fatal(err)
	}
	if got := text(t, db, "SELECT count(*) FROM a"); got != "1000" { // with the database open all the time
		t.Errorf("%s rows, want 1000", got)
	}
	if got := text(t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Error(got)
	}
}
