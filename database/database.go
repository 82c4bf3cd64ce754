// Package database dumps databases, the output of any program, and trees of files to a stream, and loads them
// from one. Dump fits Backup.CreateFunc, Load fits Backup.RestoreFunc:
//
//	db, err := database.Open("postgres://backup@db.example.com/shop", nil)
//	snap, err := b.CreateFunc(ctx, "shop", &backup.CreateOptions{Ext: db.Ext()}, db.Dump)
//	err = b.RestoreFunc(ctx, "shop/latest", db.Load)
//
// Servers are reached through their own client programs, found on PATH: pg_dump, psql and pg_restore; mariadb-dump
// and mariadb, or mysqldump and mysql; sqlite3. These know every type of every version, and what they write needs no
// program of ours to be read. Passwords go to them by the environment, or by a file that only this user can
// read, and are struck out of their messages.
//
// What belongs here is how one kind of source becomes a stream and comes back. What happens to the stream is the
// backup package's.
package database

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Database is something that is dumped to a stream and loaded from one. It is immutable, and safe for concurrent use.
type Database interface {
	// Dump writes everything to w. It returns nil only if all of it was written: a program must have ended with status
	// 0. Otherwise the error is the first cause, with what the program said. No goroutine is left when it returns,
	// and no process but one that has left the program's group and holds none of its pipes.
	Dump(ctx context.Context, w io.Writer) error

	// Load takes over what Dump wrote, until r's io.EOF. On any other error of r, and when ctx is done, the program
	// is killed before its input ends, since psql commits when it does. Whether a failed Load leaves
	// something half applied is said where the Database is made.
	Load(ctx context.Context, r io.Reader) error

	// Ext is the extension of what Dump writes, such as ".sql", for backup.CreateOptions.Ext.
	Ext() string
}

// Info is what a manifest should say of a dump. It holds no secret.
type Info struct {
	Source string            // such as postgres://db.example.com:5432/shop; for backup.CreateOptions.Source
	Labels map[string]string // such as the versions of server and tool; for backup.CreateOptions.Labels
}

// Describer is a Database that can say what it is.
type Describer interface {
	// Describe asks the server and the tools for their versions.
	Describe(ctx context.Context) (*Info, error)
}

// Server is a Database on a server that has several.
type Server interface {
	Database
	Describer

	// Name is the name of the database, empty if none is selected. Without one only List works.
	Name() string

	// Select is the same server with another database.
	Select(name string) Server

	// List names the databases of the server in which users can have put something, in byte order.
	List(ctx context.Context) ([]string, error)

	// Prepare makes the database ready for Load, as p says.
	Prepare(ctx context.Context, p Preparation) error
}

// Preparation is what Server.Prepare does before a load. The zero value is an error, so that nothing is dropped
// unless it is asked for in so many words.
type Preparation int

const (
	Create        Preparation = iota + 1 // make the database; one that exists is an error
	DropAndCreate                        // drop the database if it exists, with all that is in it, then make it
)

func (p Preparation) String() string {
	switch p {
	case Create:
		return "create"
	case DropAndCreate:
		return "drop and create"
	}
	return fmt.Sprintf("Preparation(%d)", int(p))
}

func (p Preparation) check() error {
	if p != Create && p != DropAndCreate {
		return fmt.Errorf("%v is no preparation: want database.Create or database.DropAndCreate", p)
	}
	return nil
}

// Options are for Open; nil is the defaults. Each kind of database takes its own part.
type Options struct {
	Postgres *PostgresOptions
	MySQL    *MySQLOptions
	SQLite   *SQLiteOptions
}

// Open makes the Database that a URL names: postgres://user@host:port/database, mysql://… or mariadb://…, or
// sqlite:path. It does no I/O. A URL without a password leaves that to what the client programs read themselves.
func Open(text string, o *Options) (Database, error) {
	if o == nil {
		o = new(Options)
	}
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme {
	case "postgres", "postgresql":
		return Postgres(text, o.Postgres)
	case "mysql", "mariadb":
		return MySQL(text, o.MySQL)
	case "sqlite":
		return SQLite(rest, o.SQLite)
	}
	// The text is not repeated: it may have a password in it.
	return nil, fmt.Errorf("the database must be postgres://user@host/database, mysql://user@host/database or sqlite:path")
}

// parseURL takes a server's URL apart. Errors do not repeat it.
func parseURL(text, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Fragment != "" || strings.Contains(text, "#") {
		return nil, fmt.Errorf("the URL must be like %s, in which special characters of user, password and name are "+
			"percent-encoded (%% as %%25, # as %%23, / as %%2F, ? as %%3F, @ as %%40)", example)
	}
	if strings.Contains(strings.Trim(u.EscapedPath(), "/"), "/") {
		return nil, fmt.Errorf("the URL must be like %s, with one database after the host", example)
	}
	// A password's / or ? has ended the host, and the rest of it would be shown as the database.
	if u.User == nil && strings.Contains(u.EscapedPath()+u.RawQuery, "@") {
		return nil, fmt.Errorf("the URL must be like %s, with / as %%2F, ? as %%3F and @ as %%40 in user, password and name", example)
	}
	return u, nil
}
