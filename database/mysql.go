package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// MySQLOptions are for MySQL; nil and zero fields are the defaults.
type MySQLOptions struct {
	Args []string // further arguments of the dump program, such as --ignore-table=shop.cache; no secrets
}

// MySQL is a MySQL or MariaDB server and one of its databases, reached by the programs of either. url is
// mysql://user:password@host:port/database, or mariadb://…, which only says whose programs are looked for first.
// Its query may set socket, ssl, ssl-mode, ssl-ca, ssl-cert, ssl-key and ssl-verify-server-cert, as the programs know them. What
// it lacks they find in their option files (~/.my.cnf), which are not read if the URL has a password: it would not win over theirs.
//
// A dump is one consistent read of all tables of a transactional engine (--single-transaction), with routines, triggers and events.
// It names their DEFINERs: who loads it must be one of them, or may SET USER. FLOAT columns come back with
// the digits that the server prints, which are fewer than it holds.
//
// Load replaces the tables that the dump has. These servers commit with each table, so a Load that fails leaves a part of it:
// load into a fresh database (Prepare), or verify the snapshot first.
func MySQL(url string, o *MySQLOptions) (Server, error) {
	m, err := parseMySQL(url)
	if err != nil {
		return nil, fmt.Errorf("MySQL: %w", err)
	}
	if o != nil {
		m.extra = slices.Clone(o.Args)
	}
	return m, nil
}

type mysql struct {
	host, port, user, password string
	name                       string
	options                    []string // --key=value
	maria                      bool     // whose programs are preferred
	extra                      []string
}

const mysqlExample = "mysql://user:password@host:3306/database?ssl-ca=/etc/ca.pem"

var mysqlOptions = []string{"socket", "ssl", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "ssl-verify-server-cert"}

func parseMySQL(text string) (*mysql, error) {
	u, err := parseURL(text, mysqlExample)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "mysql" && u.Scheme != "mariadb" {
		return nil, fmt.Errorf("the URL must be like %s", mysqlExample)
	}
	m := &mysql{host: u.Hostname(), port: u.Port(), name: strings.TrimPrefix(u.Path, "/"), maria: u.Scheme == "mariadb"}
	if u.User != nil {
		m.user = u.User.Username()
		m.password, _ = u.User.Password()
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("the URL's query cannot be parsed")
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(mysqlOptions, key) || len(q[key]) != 1 {
			return nil, fmt.Errorf("the URL's query may set, once, %s, but not %.40q", strings.Join(mysqlOptions, ", "), key)
		}
		m.options = append(m.options, "--"+key+"="+q.Get(key))
	}
	if strings.Contains(m.name+m.user+m.password+m.host, "\x00") {
		return nil, errors.New("the URL holds a zero byte")
	}
	return m, nil
}

func (m *mysql) Name() string { return m.name }

func (m *mysql) Ext() string { return ".sql" }

func (m *mysql) Select(name string) Server {
	selected := *m
	selected.name = name
	return &selected
}

// tool is a client program with the arguments that say where the server is.
func (m *mysql) tool(maria, my string, args ...string) (*tool, error) {
	programs := []string{my, maria}
	if m.maria {
		programs = []string{maria, my}
	}
	path, err := find(programs...)
	if err != nil {
		return nil, err
	}
	t := &tool{path: path}
	if m.password != "" {
		// MYSQL_PWD leaves nothing behind when this process is killed, as a file would. A password of ~/.my.cnf would win over it.
		t.args, t.env, t.secrets = []string{"--no-defaults"}, []string{"MYSQL_PWD=" + m.password}, secretsOf(m.password)
	}
	for _, set := range [][2]string{{"--host=", m.host}, {"--port=", m.port}, {"--user=", m.user}} {
		if set[1] != "" {
			t.args = append(t.args, set[0]+set[1])
		}
	}
	if m.host != "" { // localhost would be the socket
		t.args = append(t.args, "--protocol=tcp")
	}
	t.args = append(append(t.args, m.options...), "--default-character-set=utf8mb4")
	t.args = append(t.args, args...)
	return t, nil
}

// client runs statements.
func (m *mysql) client(args ...string) (*tool, error) { return m.tool("mariadb", "mysql", args...) }

func (m *mysql) dumper(args ...string) (*tool, error) { return m.tool("mariadb-dump", "mysqldump", args...) }

func (m *mysql) selected() error {
	if m.name == "" {
		return errors.New("MySQL: no database is selected: name one after the host in the URL")
	}
	return nil
}

// version is what the dump program says of itself.
func (m *mysql) version(ctx context.Context) (string, error) {
	t, err := m.dumper()
	if err != nil {
		return "", err
	}
	t.args = []string{"--version"}
	return t.query(ctx)
}

func (m *mysql) Dump(ctx context.Context, w io.Writer) error {
	if err := m.selected(); err != nil {
		return err
	}
	version, err := m.version(ctx)
	if err != nil {
		return err
	}
	args := []string{"--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--complete-insert",
		"--no-tablespaces", "--comments", "--skip-dump-date", "--max-allowed-packet=1G"}
	if !strings.Contains(version, "MariaDB") { // MySQL's own: no statements that take more rights than a load has, nor need more than a dump has
		args = append(args, "--set-gtid-purged=OFF", "--column-statistics=0")
	}
	t, err := m.dumper(append(append(args, m.extra...), "--", m.name)...)
	if err != nil {
		return err
	}
	last := &trailer{w: w}
	if err := t.dump(ctx, last); err != nil {
		return err
	}
	return t.error(last.check(), "")
}

// trailer looks for the line that ends a whole dump, as these programs have been seen to end early with status 0.
type trailer struct {
	w    io.Writer
	tail []byte
}

const completed = "-- Dump completed"

func (t *trailer) Write(b []byte) (int, error) {
	n, err := t.w.Write(b)
	t.tail = append(t.tail, b[max(0, len(b)-4*len(completed)):]...)
	t.tail = t.tail[max(0, len(t.tail)-4*len(completed)):]
	return n, err
}

func (t *trailer) check() error {
	if !bytes.Contains(t.tail, []byte(completed)) {
		return fmt.Errorf("it ended with status 0, but the dump lacks its last line, %q", completed)
	}
	return nil
}

// Load: in binary mode neither bytes nor commands of the client in the dump are interpreted.
func (m *mysql) Load(ctx context.Context, r io.Reader) error {
	if err := m.selected(); err != nil {
		return err
	}
	t, err := m.client("--batch", "--binary-mode", "--max-allowed-packet=1G", "--", m.name)
	if err != nil {
		return err
	}
	return t.load(ctx, r)
}

// query returns what a statement prints, a line for each row.
func (m *mysql) query(ctx context.Context, statement string) (string, error) {
	t, err := m.client("--batch", "--skip-column-names", "--execute="+statement)
	if err != nil {
		return "", err
	}
	return t.query(ctx)
}

func (m *mysql) List(ctx context.Context) ([]string, error) {
	// In hex, as a name can have any character.
	out, err := m.query(ctx, "SELECT HEX(CONVERT(schema_name USING utf8mb4)) FROM information_schema.schemata "+
		"WHERE schema_name NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')")
	if err != nil {
		return nil, fmt.Errorf("list the databases of %s: %w", m.source(""), err)
	}
	return namesOf(out)
}

func (m *mysql) Prepare(ctx context.Context, how Preparation) error {
	if err := errors.Join(how.check(), m.selected()); err != nil {
		return err
	}
	if slices.Contains([]string{"information_schema", "performance_schema", "mysql", "sys"}, strings.ToLower(m.name)) {
		return fmt.Errorf("%s the database %q: it belongs to the server itself; load into another one", how, m.name)
	}
	quoted := "`" + strings.ReplaceAll(m.name, "`", "``") + "`"
	if how == DropAndCreate {
		if _, err := m.query(ctx, "DROP DATABASE IF EXISTS "+quoted); err != nil {
			return fmt.Errorf("drop the database %q: %w", m.name, err)
		}
	}
	if _, err := m.query(ctx, "CREATE DATABASE "+quoted); err != nil {
		return fmt.Errorf("create the database %q: %w", m.name, err)
	}
	return nil
}

func (m *mysql) source(name string) string {
	u := url.URL{Scheme: "mysql", Host: m.host, Path: "/" + name}
	if m.maria {
		u.Scheme = "mariadb"
	}
	if m.port != "" {
		u.Host += ":" + m.port
	}
	if m.user != "" {
		u.User = url.User(m.user)
	}
	return u.String()
}

func (m *mysql) Describe(ctx context.Context) (*Info, error) {
	version, err := m.version(ctx)
	if err != nil {
		return nil, err
	}
	server, err := m.query(ctx, "SELECT CONCAT(VERSION(), ' ', @@version_comment)")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", m.source(m.name), err)
	}
	_, program, _ := strings.Cut("/"+version, "bin/") // some name their whole path
	if program == "" {
		program = version
	}
	return &Info{Source: m.source(m.name), Labels: map[string]string{"server": server, "tool": program}}, nil
}
