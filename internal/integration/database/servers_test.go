package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/databasement/backup/database"
	"github.com/databasement/backup/internal/dbserver"
	"github.com/databasement/backup/internal/integration/minio"
)

// engine is a kind of database server, and how this test talks to it beside the library.
type engine struct {
	name   string
	launch func(dir string) (*dbserver.Server, error)
	open   func(url string) (database.Server, error)
	client func(u *url.URL, db string) *exec.Cmd // takes SQL from its standard input
	fill   func(mb int) string
	state  func(t *testing.T, e *engine, db string) string // a line for each table, and what else there is

	mu     sync.Mutex
	server *dbserver.Server
	dir    string
	filled bool // shop
	long   bool // long
}

var postgres = &engine{
	name: "postgres", launch: dbserver.Postgres,
	open: func(url string) (database.Server, error) { return database.Postgres(url, nil) },
	client: func(u *url.URL, db string) *exec.Cmd {
		password, _ := u.User.Password()
		cmd := exec.Command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", u.Hostname(), "-p", u.Port(), "-U", u.User.Username())
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "PGDATABASE="+db)
		return cmd
	},
	fill: func(mb int) string {
		return fmt.Sprintf("\\set size %d\n%s", max(1, mb/2), read("testdata/postgres.sql"))
	},
	state: postgresState,
}

var mariadb = &engine{
	name: "mariadb", launch: dbserver.MariaDB,
	open: func(url string) (database.Server, error) { return database.MySQL(url, nil) },
	client: func(u *url.URL, db string) *exec.Cmd {
		password, _ := u.User.Password()
		cmd := exec.Command("mariadb", "--no-defaults", "-N", "-B", "-h", u.Hostname(), "-P", u.Port(), "-u", u.User.Username(), "--protocol=tcp", db)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
		return cmd
	},
	fill: func(mb int) string {
		return fmt.Sprintf("SET @size = %d;\n%s", max(1, mb/2), read("testdata/mariadb.sql"))
	},
	state: mariadbState,
}

var engines = []*engine{postgres, mariadb}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, e := range engines {
		e.shutdown()
	}
	if err := store.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// megabytes is how large the databases are to be, about.
func megabytes() int {
	if n, err := strconv.Atoi(os.Getenv("BACKUP_DATABASE_MB")); err == nil {
		return n
	}
	return 8
}

func read(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// up starts the server unless it runs, and fills the database shop.
func (e *engine) up(t *testing.T) *dbserver.Server {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		dir, err := os.MkdirTemp("", "dbserver-")
		if err != nil {
			t.Fatal(err)
		}
		e.dir = dir
		if e.server, err = e.launch(dir); err != nil {
			t.Fatal(err)
		}
	}
	if !e.filled {
		if err := e.at(t, "shop").Prepare(t.Context(), database.DropAndCreate); err != nil {
			t.Fatal(err)
		}
		e.sql(t, "shop", e.fill(megabytes()))
		e.filled = true
	}
	return e.server
}

// kill kills the server; the next up starts another one.
func (e *engine) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		e.server.Kill()
		_ = os.RemoveAll(e.dir)
	}
	e.server, e.filled, e.long = nil, false, false
}

func (e *engine) shutdown() {
	if e.server != nil {
		e.server.Stop()
		_ = os.RemoveAll(e.dir)
	}
}

// at is a database of the server.
func (e *engine) at(t *testing.T, name string) database.Server {
	t.Helper()
	db, err := e.open(e.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return db.Select(name)
}

func (e *engine) password() string {
	u, _ := url.Parse(e.server.URL)
	password, _ := u.User.Password()
	return password
}

// sql runs statements by the engine's own client, and returns what they print.
func (e *engine) sql(t *testing.T, db, statements string) string {
	t.Helper()
	out, err := e.try(db, statements)
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	return out
}

func (e *engine) try(db, statements string) (string, error) {
	u, err := url.Parse(e.server.URL)
	if err != nil {
		return "", errors.New("the server's URL cannot be parsed")
	}
	cmd := e.client(u, db)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(statements), &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, &said)
	}
	return out.String(), nil
}

func postgresState(t *testing.T, e *engine, db string) string {
	return e.sql(t, db, `
SELECT format('SELECT %L, count(*), md5(string_agg(md5(t::text), '''' ORDER BY md5(t::text))) FROM %s t;', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1 \gexec
SELECT 'large object', loid, md5(lo_get(loid)) FROM (SELECT oid AS loid FROM pg_largeobject_metadata) o ORDER BY 2;
SELECT 'sequence', schemaname, sequencename, last_value FROM pg_sequences ORDER BY 2, 3;
SELECT 'routine', proname, md5(pg_get_functiondef(p.oid)) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 2;
SELECT 'trigger', tgname, md5(pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 2;
SELECT 'rule', rulename, md5(definition) FROM pg_rules WHERE schemaname = 'public' ORDER BY 2;
SELECT 'index', indexname, md5(indexdef) FROM pg_indexes WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 2;
`)
}

func mariadbState(t *testing.T, e *engine, db string) string {
	tables := e.sql(t, db, "SELECT CONCAT('`', REPLACE(table_name, '`', '``'), '`') FROM information_schema.tables WHERE table_schema = DATABASE() "+
		"AND table_type IN ('BASE TABLE', 'SEQUENCE') ORDER BY 1;")
	sums := e.sql(t, db, "SET NAMES utf8mb4; CHECKSUM TABLE "+strings.Join(strings.Split(strings.TrimSpace(tables), "\n"), ", ")+" EXTENDED;")
	return strings.ReplaceAll(sums, db+".", "") + e.sql(t, db, `
SELECT 'view totals', COUNT(*), BIT_XOR(CRC32(CONCAT_WS('|', customer, cents))) FROM totals;
SELECT 'bytes', id, MD5(data), HEX(hash), HEX(vb) FROM image ORDER BY id LIMIT 100;
SELECT 'sequence', NEXT_NOT_CACHED_VALUE, INCREMENT FROM numbers;
SELECT 'view', table_name, MD5(REPLACE(view_definition, DATABASE(), '')) FROM information_schema.views WHERE table_schema = DATABASE() ORDER BY 2;
SELECT 'routine', routine_name, MD5(routine_definition) FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY 2;
SELECT 'trigger', trigger_name, MD5(action_statement) FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 2;
SELECT 'event', event_name, MD5(event_definition), starts FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY 2;
`)
}

// shared is the MinIO of all tests, started when the first one wants it.
type shared struct {
	once  sync.Once
	minio *minio.Server
	err   error
}

var store shared

func (s *shared) get(t *testing.T) *minio.Server {
	t.Helper()
	s.once.Do(func() { s.minio, s.err = minio.Start(context.Background(), minio.Options{}) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.minio
}

func (s *shared) stop() error {
	if s.minio == nil {
		return nil
	}
	fmt.Printf("minio: %v\n", s.minio)
	return s.minio.Stop()
}
