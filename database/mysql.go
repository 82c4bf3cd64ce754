package database

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
)

// MySQLOptions are for MySQL; nil and zero fields are the defaults.
type MySQLOptions struct {
	// Args are further arguments of the dump program, such as --ignore-table=shop.cache, or --dump-history for what
	// MariaDB's versioned tables held before. No secrets, as every user of the machine can see them, and nothing
	// that leaves out comments: the last one is what tells a whole dump.
	Args []string
}

// MySQL is a MySQL or MariaDB server and one of its databases, reached by the programs of either. url is
// mysql://user:password@host:port/database, or mariadb://…, which only says whose programs are looked for first. Its query
// may set socket, ssl, ssl-mode, ssl-ca, ssl-cert, ssl-key and ssl-verify-server-cert, as the programs know them. Of these only
// ssl-verify-server-cert=1 (MariaDB) and ssl-mode=REQUIRED or more (MySQL) insist on encryption. What the URL lacks the programs
// find in their option files (~/.my.cnf), which are not read if it has a password: it would not win over theirs.
//
// A dump is one consistent read of all tables of a transactional engine (--single-transaction), with routines, triggers and
// events. Its user needs SELECT, SHOW VIEW, TRIGGER and EVENT on the database, and SELECT on mysql.proc (MariaDB) or
// SHOW_ROUTINE (MySQL): triggers and routines that the user may not see are not in the dump, and nothing says so. FLOAT
// columns come back with the digits that the server prints, which are fewer than it holds.
//
// Load replaces the tables that the dump has, and gives the database the dumped one's character set and collation. These
// servers commit with each statement, so a Load that fails leaves a part of it: load into a fresh database (Prepare), or
// verify the snapshot first. Views, routines, triggers and events come back with their DEFINERs: who loads them must be that
// user, or have SET USER (MariaDB), SET_ANY_DEFINER (MySQL) or SUPER. Enabled events run from then on. What was made before
// the database's collation was changed is dumped with an ALTER DATABASE of the original's name: a load into another
// database needs the original to be there, and to be allowed that.
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
	address              string // host and port, as the URL has them
	host, port           string
	user, password, name string
	options              []string // --key=value
	maria                bool     // whose programs are preferred
	extra                []string
}

const mysqlExample = "mysql://user:password@host:3306/database?ssl-verify-server-cert=1"

var mysqlOptions = []string{"socket", "ssl", "ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "ssl-verify-server-cert"}

func parseMySQL(text string) (*mysql, error) {
	u, err := parseURL(text, mysqlExample)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "mysql" && u.Scheme != "mariadb" {
		return nil, fmt.Errorf("the URL must be like %s", mysqlExample)
	}
	m := &mysql{address: u.Host, host: u.Hostname(), port: u.Port(), maria: u.Scheme == "mariadb"}
	if m.name, err = url.PathUnescape(strings.Trim(u.EscapedPath(), "/")); err != nil {
		return nil, errors.New("the URL's database cannot be parsed")
	}
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
	if q.Has("socket") && m.address != "" {
		return nil, errors.New("the URL names a host and a socket: want one of them")
	}
	if strings.Contains(m.name+m.user+m.password+m.host+strings.Join(m.options, ""), "\x00") {
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
		// MYSQL_PWD leaves nothing behind when this process is killed, as a file would, and takes every byte as it is.
		// (A pipe as --defaults-file=/dev/fd/3 works too, but has quoting, and Windows has none.) It loses against
		// ~/.my.cnf and ~/.mylogin.cnf, so these are off.
		t.args, t.secrets = []string{"--no-defaults"}, secretsOf(m.password)
		t.env = []string{"MYSQL_PWD=" + m.password, "MYSQL_TEST_LOGIN_FILE=" + os.DevNull}
	}
	for _, set := range [][2]string{{"--host=", m.host}, {"--port=", m.port}, {"--user=", m.user}} {
		if set[1] != "" {
			t.args = append(t.args, set[0]+set[1])
		}
	}
	if m.address != "" { // localhost would be the socket
		t.args = append(t.args, "--protocol=tcp")
	}
	t.args = append(append(t.args, m.options...), "--default-character-set=utf8mb4")
	t.args = append(t.args, args...)
	return t, nil
}

// client runs statements. Neither they nor the server can have it read files.
func (m *mysql) client(args ...string) (*tool, error) {
	return m.tool("mariadb", "mysql", append([]string{"--batch", "--local-infile=0"}, args...)...)
}

func (m *mysql) dumper(args ...string) (*tool, error) {
	return m.tool("mariadb-dump", "mysqldump", args...)
}

func (m *mysql) selected() error {
	if m.name == "" {
		return errors.New("MySQL: no database is selected: name one after the host in the URL")
	}
	return nil
}
