package database

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SQLiteDB is a database that this program has open, by whatever driver of SQLite. Dump is that of SQLite, without a program: it takes
// one connection of db while the copy is made, waits for one if all are in use, and leaves it as it was. A driver that encrypts gives an
// encrypted copy.
//
// Load is an error: connections would see the file change below them. Close db, and load with SQLite.
func SQLiteDB(db *sql.DB, o *SQLiteOptions) (Database, error) {
	if db == nil {
		return nil, errors.New("SQLite: the *sql.DB is nil")
	}
	return &sqliteDB{db: db, o: sqliteDefaults(o)}, nil
}

type sqliteDB struct {
	db *sql.DB
	o  SQLiteOptions
}

func (s *sqliteDB) Ext() string { return sqliteExt }

func (s *sqliteDB) Load(context.Context, io.Reader) error {
	return errors.New("load the SQLite database: it is open in this program: close it, and load by its path (database.SQLite)")
}

func (s *sqliteDB) Dump(ctx context.Context, w io.Writer) error {
	if err := s.dump(ctx, w); err != nil {
		return fmt.Errorf("dump the SQLite database: %w", err)
	}
	return nil
}

func (s *sqliteDB) dump(ctx context.Context, w io.Writer) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	path, err := mainFile(ctx, conn)
	if err != nil {
		return err
	}
	c := &sqliteCopy{dir: s.o.TempDir, make: func(ctx context.Context, dir string) error {
		err := s.copy(ctx, conn, filepath.Join(dir, copyName))
		return errors.Join(err, conn.Close()) // given back before the copy is streamed
	}}
	if c.dir == "" && path != "" {
		c.dir = filepath.Dir(path)
	}
	c.dir = cmp.Or(c.dir, os.TempDir())
	return c.dump(ctx, w)
}

// mainFile is the path of the database, empty if it is in memory.
func mainFile(ctx context.Context, conn *sql.Conn) (path string, err error) {
	err = conn.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path)
	if err != nil {
		return "", fmt.Errorf("ask for its path, as SQLite says it: %w", err)
	}
	return path, nil
}

// copy leaves the connection as it was, or, if it cannot, closes it.
func (s *sqliteDB) copy(ctx context.Context, conn *sql.Conn, path string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	var before int64
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&before); err != nil {
		return err
	}
	var now int64
	timeout := fmt.Sprintf("PRAGMA busy_timeout = %d", s.o.BusyTimeout.Milliseconds())
	if err := conn.QueryRowContext(ctx, timeout).Scan(&now); err != nil {
		return err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if e := conn.QueryRowContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", before)).Scan(&now); e != nil {
			err = errors.Join(err, discard(conn))
		}
	}()
	if _, err := conn.ExecContext(ctx, "VACUUM main INTO ?", path); err != nil {
		return err
	}
	if s.o.NoCheck {
		return nil
	}
	return check(ctx, conn, path)
}

// check looks for damage in the copy.
func check(ctx context.Context, conn *sql.Conn, path string) (err error) {
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS databasement_copy", path); err != nil {
		return err
	}
	defer func() {
		if _, e := conn.ExecContext(context.WithoutCancel(ctx), "DETACH databasement_copy"); e != nil {
			err = errors.Join(err, discard(conn))
		}
	}()
	rows, err := conn.QueryContext(ctx, "PRAGMA databasement_copy.quick_check(10)")
	if err != nil {
		return err
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		found = append(found, line)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return sound(strings.Join(found, "\n"))
}

// discard takes a connection out of the pool.
func discard(conn *sql.Conn) error {
	err := conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}

func (s *sqliteDB) Describe(ctx context.Context) (*Info, error) {
	info, err := s.describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the SQLite database: %w", err)
	}
	return info, nil
}

func (s *sqliteDB) describe(ctx context.Context) (*Info, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	path, err := mainFile(ctx, conn)
	if err != nil {
		return nil, err
	}
	var version, pageSize, pages, mode string
	for query, to := range map[string]*string{
		"SELECT sqlite_version()": &version, "PRAGMA page_size": &pageSize, "PRAGMA page_count": &pages, "PRAGMA journal_mode": &mode,
	} {
		if err := conn.QueryRowContext(ctx, query).Scan(to); err != nil {
			return nil, fmt.Errorf("%s: %w", query, err)
		}
	}
	return sqliteInfo(cmp.Or(path, ":memory:"), "SQLite "+version, pageSize, pages, mode), nil
}
