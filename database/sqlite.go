package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// SQLiteOptions are for SQLite and SQLiteDB; nil and zero fields are the defaults.
type SQLiteOptions struct {
	// TempDir is where Dump makes its copy of the database. Default: the directory of the database, since temporary directories
	// are often small, or memory; os.TempDir for a database in memory.
	TempDir string

	// BusyTimeout is how long a lock of another connection is waited for. Default: 30 s.
	BusyTimeout time.Duration

	// NoCheck leaves out PRAGMA quick_check, for a database that fails it and is to be kept as it is.
	NoCheck bool
}

// SQLite is a database file of SQLite, reached by the program sqlite3 (3.27 or newer), which opens it as any program would: it
// recovers what a crash has left, and writes beside it.
//
// A dump is the bytes of a database file, which can be put in place by hand, too. It is one consistent state, made by VACUUM INTO while
// others read and write; who writes to a database without WAL waits until the copy is made. VACUUM does not keep WAL mode, which programs
// set when they open a database, and may change the rowids of tables without an INTEGER PRIMARY KEY. The copy is the one temporary
// file of this library, of about the size of the database, in a directory that only this user can enter. Where the system allows that it
// has no name any more while it is streamed. It is removed however Dump ends, but by a kill of this process before that. A copy that fails
// PRAGMA quick_check is an error.
//
// Load has everything in a temporary file beside the database before that is touched, where its length and PRAGMA quick_check must be
// right. Then SQLite replaces the content in one transaction (.restore): it waits for the locks of others, who go on with the new
// content, and who opens the database after a kill or crash in the midst rolls it back. One that SQLite cannot read is left as it
// is: move it away, with its -wal and -journal. A database that is not there yet appears whole, with mode 0600; only
// the check of it takes the program, and is left out without.
func SQLite(path string, o *SQLiteOptions) (Database, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, errors.New("SQLite: the path of the database is empty, or holds a zero byte: want sqlite:path")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("SQLite: %w", err)
	}
	return &sqliteFile{path: absolute, o: sqliteDefaults(o)}, nil
}

func sqliteDefaults(o *SQLiteOptions) SQLiteOptions {
	if o == nil {
		o = new(SQLiteOptions)
	}
	c := *o
	c.BusyTimeout = cmp.Or(c.BusyTimeout, 30*time.Second)
	return c
}

const sqliteExt = ".sqlite"

// copyName is what the copy is called in its directory. Programs run there, so that no path has to be quoted.
const copyName = "copy" + sqliteExt

type sqliteFile struct {
	path string // absolute
	o    SQLiteOptions
}

func (s *sqliteFile) Ext() string { return sqliteExt }

// file is the database's path without symbolic links. The file must be there, and is not opened: to close it would drop all the locks
// that a driver in this process has on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
func (s *sqliteFile) file() (string, error) {
	path, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	return path, err
}

// tool is sqlite3 on a database file, to run commands.
func (s *sqliteFile) tool(path, mode string, commands ...string) (*tool, error) {
	program, err := find("sqlite3")
	if err != nil {
		return nil, err
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") { // C:/…
		slashed = "/" + slashed
	}
	uri := &url.URL{Scheme: "file", Path: slashed, RawQuery: mode}
	wait := ".timeout " + strconv.FormatInt(s.o.BusyTimeout.Milliseconds(), 10)
	args := []string{"-init", os.DevNull, "-batch", "-bail", "-noheader", "-list", "-cmd", wait, uri.String()}
	return &tool{path: program, args: append(args, commands...)}, nil
}

// existing opens a database that is there; it is never made.
const existing = "mode=rw"

// atRest opens a file that nobody else has open, and leaves nothing beside it.
const atRest = "mode=ro&immutable=1"

func (s *sqliteFile) Dump(ctx context.Context, w io.Writer) error {
	path, err := s.file()
	if err != nil {
		return fmt.Errorf("dump the SQLite database: %w", err)
	}
	c := &sqliteCopy{dir: cmp.Or(s.o.TempDir, filepath.Dir(path)), make: func(ctx context.Context, dir string) error {
		t, err := s.tool(path, existing, "VACUUM INTO '"+copyName+"'")
		if err != nil {
			return err
		}
		t.dir, t.env = dir, []string{"SQLITE_TMPDIR=" + dir} // what it spills is on the same disk
		if _, err := t.query(ctx); err != nil {
			return err
		}
		return s.check(ctx, filepath.Join(dir, copyName))
	}}
	if err := c.dump(ctx, w); err != nil {
		return fmt.Errorf("dump the SQLite database %s: %w", path, err)
	}
	return nil
}

// check looks for damage in a database file at rest.
func (s *sqliteFile) check(ctx context.Context, path string) error {
	if s.o.NoCheck {
		return nil
	}
	t, err := s.tool(path, atRest, quickCheck)
	if err != nil {
		return err
	}
	found, err := t.query(ctx)
	if err != nil {
		return fmt.Errorf("PRAGMA quick_check of the copy: %w", err)
	}
	return sound(found)
}

const quickCheck = "PRAGMA main.quick_check(10)"

// sound takes what a check has found.
func sound(found string) error {
	if found == "ok" {
		return nil
	}
	return fmt.Errorf("PRAGMA quick_check of the copy finds: %.1000s (SQLiteOptions.NoCheck takes it as it is)",
		strings.ReplaceAll(found, "\n", "; "))
}

func (s *sqliteFile) Describe(ctx context.Context) (*Info, error) {
	path, err := s.file()
	if err != nil {
		return nil, fmt.Errorf("describe the SQLite database: %w", err)
	}
	t, err := s.tool(path, existing, "SELECT sqlite_version()", "PRAGMA page_size", "PRAGMA page_count", "PRAGMA journal_mode")
	if err != nil {
		return nil, err
	}
	out, err := t.query(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the SQLite database %s: %w", path, err)
	}
	lines := strings.Fields(out)
	if len(lines) != 4 {
		return nil, fmt.Errorf("describe the SQLite database %s: sqlite3 says %.100q, not version, page size, pages and mode", path, out)
	}
	return sqliteInfo(path, "sqlite3 "+lines[0], lines[1], lines[2], lines[3]), nil
}

func sqliteInfo(path, tool, pageSize, pages, mode string) *Info {
	return &Info{
		Source: "sqlite:" + strings.ToValidUTF8(path, "\uFFFD"), // manifests are UTF-8
		Labels: map[string]string{"tool": tool, "page_size": pageSize, "page_count": pages, "journal_mode": mode},
	}
}
