package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// PostgresFormat is a format of pg_dump.
type PostgresFormat string

const (
	// PostgresPlain is SQL, the default: loaded by psql, readable by people.
	PostgresPlain PostgresFormat = "plain"
	// PostgresCustom is pg_dump's archive, not compressed, as the pipeline does that: loaded by pg_restore, which
	// can pick tables from it.
	PostgresCustom PostgresFormat = "custom"
)

// Ext is the extension of a dump in this format, empty for a format that does not exist.
func (f PostgresFormat) Ext() string {
	switch f {
	case PostgresPlain, "":
		return ".sql"
	case PostgresCustom:
		return ".pgdump"
	}
	return ""
}

// PostgresOptions are for Postgres; nil and zero fields are the defaults.
type PostgresOptions struct {
	Format PostgresFormat // of dumps, and of what is loaded; default: PostgresPlain
}

// Postgres is a PostgreSQL server and one of its databases, reached by pg_dump, psql and pg_restore. url is a connection URI of
// libpq for one host, postgres://user:password@host:port/database?sslmode=require. What it lacks libpq finds as
// always: PGHOST, PGUSER, PGPASSWORD, ~/.pgpass. A URL without a host is the local socket.
//
// A dump drops what it replaces (--clean --if-exists) and names no owners and no privileges, so that another user, on another
// server, can load it. Load is one transaction, large objects too: all of it is taken over, or nothing.
func Postgres(url string, o *PostgresOptions) (Server, error) {
	p, err := parsePostgres(url)
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	if o != nil && o.Format != "" {
		p.format = o.Format
	}
	if p.format.Ext() == "" {
		return nil, fmt.Errorf("PostgreSQL: there is no format %q: want %s or %s", p.format, PostgresPlain, PostgresCustom)
	}
	return p, nil
}

type postgres struct {
	url      url.URL // without password and database
	password string
	name     string
	format   PostgresFormat
}

const postgresExample = "postgres://user:password@host:5432/database?sslmode=require"

const notInArgv = "it is a secret, and every user of the machine could see it; put it into a service file, and set PGSERVICE"

// postgresRefused are parameters of libpq that a URL may not set, and what to do instead.
var postgresRefused = map[string]string{
	"dbname": "the database stands after the host", "service": "set PGSERVICE", "servicefile": "set PGSERVICEFILE",
	"sslpassword": notInArgv, "oauth_client_secret": notInArgv, "scram_client_key": notInArgv, "scram_server_key": notInArgv,
}

func parsePostgres(text string) (*postgres, error) {
	u, err := parseURL(text, postgresExample)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("the URL must be like %s", postgresExample)
	}
	p := &postgres{url: *u, name: strings.TrimPrefix(u.Path, "/"), format: PostgresPlain}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the URL's query cannot be parsed")
	}
	for key, advice := range postgresRefused {
		if q.Has(key) {
			return nil, fmt.Errorf("the URL's query may not set %s: %s", key, advice)
		}
	}
	p.password, _ = u.User.Password()
	if q.Has("password") {
		p.password = q.Get("password")
		q.Del("password")
	}
	if u.User != nil {
		p.url.User = url.User(u.User.Username())
	}
	p.url.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq takes a plus for a plus
	p.url.Path, p.url.RawPath = "", ""
	if strings.ContainsRune(text, 0) || strings.Contains(p.name, "\x00") || strings.Contains(p.password, "\x00") {
		return nil, errors.New("the URL holds a zero byte")
	}
	return p, nil
}

func (p *postgres) Name() string { return p.name }

func (p *postgres) Ext() string { return p.format.Ext() }

func (p *postgres) Select(name string) Server {
	selected := *p
	selected.name = name
	return &selected
}

// conninfo is the URI of a database, without the password.
func (p *postgres) conninfo(name string) string {
	u := p.url
	text := u.Scheme + "://"
	if u.User != nil {
		text += u.User.String() + "@"
	}
	text += u.Host + "/" + escape(name)
	if u.RawQuery != "" {
		text += "?" + u.RawQuery
	}
	return text
}

// escape percent-encodes everything that is not a plain letter, digit, '-', '_' or '.', as url.PathEscape leaves some that libpq splits at.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// tool is a client program on the database of that name.
func (p *postgres) tool(program, name string, args ...string) (*tool, error) {
	path, err := find(program)
	if err != nil {
		return nil, err
	}
	t := &tool{path: path, args: append(slices.Clip(args), "--no-password", "--dbname="+p.conninfo(name))}
	if p.password != "" {
		t.env = []string{"PGPASSWORD=" + p.password}
		t.secrets = secretsOf(p.password)
	}
	return t, nil
}

// secretsOf are the forms in which a password may be in a message.
func secretsOf(password string) []string {
	all := []string{password, url.QueryEscape(password), url.PathEscape(password), escape(password), url.UserPassword("", password).String()[1:]}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

func (p *postgres) selected() error {
	if p.name == "" {
		return errors.New("PostgreSQL: no database is selected: name one after the host in the URL")
	}
	return nil
}

func (p *postgres) Dump(ctx context.Context, w io.Writer) error {
	if err := p.selected(); err != nil {
		return err
	}
	args := []string{"--clean", "--if-exists", "--no-owner", "--no-privileges", "--quote-all-identifiers", "--encoding=UTF8", "--format=" + string(p.format)}
	if p.format == PostgresCustom {
		args = append(args, "--compress=0")
	}
	t, err := p.tool("pg_dump", p.name, args...)
	if err != nil {
		return err
	}
	return t.dump(ctx, w)
}

// Load: psql commits when its input ends, whatever the reason; so tool.load kills it before that (pitfall 42).
func (p *postgres) Load(ctx context.Context, r io.Reader) error {
	if err := p.selected(); err != nil {
		return err
	}
	program := "psql"
	args := []string{"--no-psqlrc", "--quiet", "--output=/dev/null", "--single-transaction", "--set=ON_ERROR_STOP=1"}
	if p.format == PostgresCustom {
		program = "pg_restore"
		args = []string{"--single-transaction", "--exit-on-error", "--clean", "--if-exists", "--no-owner", "--no-privileges"}
	}
	t, err := p.tool(program, p.name, args...)
	if err != nil {
		return err
	}
	if p.format == PostgresPlain {
		r = newOneTransaction(r)
	}
	return t.load(ctx, r)
}
