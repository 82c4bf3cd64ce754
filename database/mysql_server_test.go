//go:build linux

package database

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/internal/dbserver"
)

// mariaDB is a server, and how its administrator talks to it beside the library.
type mariaDB struct {
	*dbserver.Server
	url *url.URL
}

// TestMySQL is all that needs a server; the last one kills it.
func TestMySQL(t *testing.T) {
	s, err := dbserver.MariaDB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := &mariaDB{s, u}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *mariaDB)
	}{
		{"round trip", testMySQLRoundTrip}, {"args", testMySQLArgs}, {"names", testMySQLNames}, {"prepare", testMySQLPrepare}, {"describe", testMySQLDescribe},
		{"rights", testMySQLRights}, {"option files", testMySQLOptionFiles}, {"consistent", testMySQLConsistent},
		{"load fails", testMySQLLoadFails}, {"refused", testMySQLRefused}, {"dump fails", testMySQLDumpStruck},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, server) })
	}
}

// try runs statements as the administrator, and returns what they print.
func (s *mariaDB) try(db, statements string) (string, error) {
	password, _ := s.url.User.Password()
	cmd := exec.Command("mariadb", "--no-defaults", "-N", "-B", "--protocol=tcp", "--default-character-set=utf8mb4",
		"-h", s.url.Hostname(), "-P", s.url.Port(), "-u", s.url.User.Username(), "--", db)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(statements), &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, &said)
	}
	return strings.TrimSpace(out.String()), nil
}

func (s *mariaDB) sql(t *testing.T, db, statements string) string {
	t.Helper()
	out, err := s.try(db, statements)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// as is a database for another user, by a URL.
func (s *mariaDB) as(t *testing.T, user *url.Userinfo, name string) Server {
	t.Helper()
	u := *s.url
	u.User, u.Path, u.RawPath = user, "/"+name, "/"+url.PathEscape(name)
	m, err := MySQL(u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *mariaDB) at(t *testing.T, name string) Server { return s.as(t, s.url.User, name) }

// fresh is an empty database.
func (s *mariaDB) fresh(t *testing.T, name string) Server {
	t.Helper()
	db := s.at(t, name)
	if err := db.Prepare(t.Context(), DropAndCreate); err != nil {
		t.Fatal(err)
	}
	return db
}

func dumpOf(t *testing.T, db Database) string {
	t.Helper()
	var out bytes.Buffer
	if err := db.Dump(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func testMySQLNames(t *testing.T, s *mariaDB) {
	for _, name := range []string{"a b", "tick`tick", `quo"te's`, "per%41cent", "Grüße_日本", "-dash", "--", "semi;colon", `back\slash`, "sl/ash", "que?ry@#", "line\nend"} {
		db := s.at(t, name)
		if err := db.Prepare(t.Context(), Create); err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		s.sql(t, name, "CREATE TABLE t (a int); INSERT INTO t VALUES (7)")
		dump := dumpOf(t, db)
		if err := db.Prepare(t.Context(), DropAndCreate); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := db.Load(t.Context(), strings.NewReader(dump)); err != nil {
			t.Errorf("%q: %v", name, err)
		} else if got := s.sql(t, name, "SELECT a FROM t"); got != "7" {
			t.Errorf("%q: the table holds %q", name, got)
		}
		if names, err := db.List(t.Context()); err != nil || !slices.Contains(names, name) {
			t.Errorf("%q is not listed: %q, %v", name, names, err)
		}
	}
}

func testMySQLPrepare(t *testing.T, s *mariaDB) {
	db := s.fresh(t, "prepared")
	s.sql(t, "prepared", "CREATE TABLE t (a int)")
	if err := db.Prepare(t.Context(), Create); err == nil || !strings.Contains(err.Error(), "database exists") {
		t.Errorf("create what exists: %v", err)
	}
	if err := db.Prepare(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no preparation") {
		t.Errorf("neither create nor drop: %v", err)
	}
	if got := s.sql(t, "prepared", "SHOW TABLES"); got != "t" {
		t.Errorf("the tables are %q", got)
	}
	for _, name := range []string{"mysql", "SYS", "information_schema", ""} {
		if err := s.at(t, name).Prepare(t.Context(), DropAndCreate); err == nil {
			t.Errorf("%q is dropped", name)
		}
	}
	if err := db.Prepare(t.Context(), DropAndCreate); err != nil {
		t.Fatal(err)
	}
	if got := s.sql(t, "prepared", "SHOW TABLES"); got != "" {
		t.Errorf("the tables are %q", got)
	}
}

func testMySQLDescribe(t *testing.T, s *mariaDB) {
	password, _ := s.url.User.Password()
	info, err := s.at(t, "shop_a").Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "mysql://admin@" + s.url.Host + "/shop_a"; info.Source != want {
		t.Errorf("source %s, want %s", info.Source, want)
	}
	if server := info.Labels["server"]; !strings.Contains(server, "MariaDB") || !strings.HasPrefix(server, s.sql(t, "", "SELECT VERSION()")) {
		t.Errorf("server %q", server)
	}
	if tool := info.Labels["tool"]; !strings.HasPrefix(tool, "mysqldump ") && !strings.HasPrefix(tool, "mariadb-dump ") {
		t.Errorf("tool %q", tool)
	}
	if text := fmt.Sprint(info); strings.Contains(text, password) || strings.Contains(text, url.PathEscape(password)) {
		t.Errorf("the password is in %s", text)
	}
	all := s.at(t, "")
	names, err := all.List(t.Context())
	if err != nil || !slices.Contains(names, "shop_a") || !slices.IsSorted(names) {
		t.Errorf("%q, %v", names, err)
	}
	for _, name := range append(slices.Clone(mysqlSystem), "#mysql50#lost+found") {
		if slices.Contains(names, name) {
			t.Errorf("%q is listed", name)
		}
	}
	if all.Name() != "" || all.Select("x").Name() != "x" || all.Name() != "" {
		t.Error("Select changes what it selects from")
	}
	if err := all.Dump(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no database is selected") {
		t.Errorf("a dump of no database: %v", err)
	}
	if err := all.Load(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no database is selected") {
		t.Errorf("a load into no database: %v", err)
	}
}

// The rights that MySQL's comment asks for are enough, and with less something is missing or an error.
func testMySQLRights(t *testing.T, s *mariaDB) {
	want := dumpOf(t, s.at(t, "shop_a"))
	user := url.UserPassword("dumper", "d.pass")
	s.sql(t, "", "CREATE USER dumper IDENTIFIED BY 'd.pass'; GRANT SELECT, SHOW VIEW, EVENT ON shop_a.* TO dumper")
	dumper := s.as(t, user, "shop_a")
	if got := dumpOf(t, dumper); strings.Contains(got, "audited") || strings.Contains(got, "shout") {
		t.Error("triggers and routines are dumped without rights: then the comment is wrong")
	}
	s.sql(t, "", "GRANT TRIGGER ON shop_a.* TO dumper; GRANT SELECT ON mysql.proc TO dumper")
	if got := dumpOf(t, dumper); got != want {
		t.Errorf("the dump of a user with few rights differs: %s", firstDifference(got, want))
	}
	s.sql(t, "", "REVOKE EVENT ON shop_a.* FROM dumper")
	if err := dumper.Dump(t.Context(), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "Access denied") {
		t.Errorf("events without the right: %v", err)
	}

	s.fresh(t, "shop_b")
	s.sql(t, "", "CREATE USER loader IDENTIFIED BY 'l.pass'; GRANT ALL ON shop_b.* TO loader")
	loader := s.as(t, url.UserPassword("loader", "l.pass"), "shop_b")
	if err := loader.Load(t.Context(), strings.NewReader(want)); err == nil || !strings.Contains(err.Error(), "SET USER") {
		t.Errorf("definers without the right: %v", err)
	}
	s.sql(t, "", "GRANT SET USER ON *.* TO loader")
	if err := loader.Load(t.Context(), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// A password of the URL wins over an option file, and without one the option file's is taken.
func testMySQLOptionFiles(t *testing.T, s *mariaDB) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	password, _ := s.url.User.Password()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(home, ".my.cnf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.fresh(t, "small")
	write("[client]\npassword=wrong\n[mysqldump]\nskip-comments\n")
	want := dumpOf(t, s.at(t, "small"))
	bare := s.as(t, url.User("admin"), "small")
	if err := bare.Dump(t.Context(), new(bytes.Buffer)); err == nil {
		t.Error("a wrong option file is not read")
	}
	write("[client]\npassword=\"" + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + "\"\n[mysqldump]\nskip-comments\n")
	if got := dumpOf(t, bare); got != want {
		t.Errorf("with an option file: %s", firstDifference(got, want))
	}
	write("[client]\npassword=wrong\n")
	if err := bare.Dump(t.Context(), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "Access denied") {
		t.Errorf("a wrong password in the option file: %v", err)
	}
	if err := bare.Load(t.Context(), strings.NewReader(want)); err == nil {
		t.Error("a load with a wrong password in the option file")
	}
}
