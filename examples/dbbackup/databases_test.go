//go:build linux

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/internal/dbserver"
)

// sqlite runs the stock tool.
func sqlite(t *testing.T, file, statement string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sqlite3", file, statement).CombinedOutput()
	if err != nil {
		t.Fatalf("%v (Debian package sqlite3; make tools installs it): %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestDumpAndLoadSQLite(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	file, other := filepath.Join(dir, "shop.sqlite"), filepath.Join(dir, "other.sqlite")
	sqlite(t, file, "CREATE TABLE t (x); INSERT INTO t VALUES ('ä'), (2);")
	ref := last(s.ok("", "dump", "sqlite:"+file))
	if !strings.HasPrefix(ref, "shop/") {
		t.Errorf("the snapshot is %s", ref)
	}
	if got := s.ok("", "show", ref); !strings.Contains(got, "sqlite") {
		t.Errorf("the manifest says nothing of SQLite: %s", got)
	}
	s.ok("", "load", ref, "sqlite:"+other)
	if got := sqlite(t, other, "SELECT group_concat(x) FROM t"); got != "ä,2" {
		t.Errorf("restored: %q", got)
	}
	s.fails(exitFailure, []string{"dump", "sqlite:" + filepath.Join(dir, "missing.sqlite")}, "missing.sqlite")
	s.fails(exitFailure, []string{"load", last(s.ok("text", "backup", "--name=text", "--ext=.txt")), "sqlite:" + other}, ".txt")
	s.fails(exitUsage, []string{"load", ref, "sqlite:" + other, "--prepare", "create"}, "--prepare")
}

func TestDatabaseURLs(t *testing.T) {
	s := newShell(t)
	s.env["SHOP_URL"] = "postgres://u:hunter2@127.0.0.1:1/shop"
	for _, args := range [][]string{
		{"dump", "postgres://u:hunter2@127.0.0.1:1/shop"}, {"load", "shop/latest", "mysql://u:hunter2@h/shop"}, {"run", "postgres://h/shop?password=hunter2"},
	} {
		if args[0] == "load" {
			s.ok("x", "backup", "--name=shop", "--ext=.sql")
		}
		r := s.run("", args...)
		if r.status != exitUsage || strings.Contains(r.err, "hunter2") || !strings.Contains(r.err, "env:NAME") {
			t.Errorf("%q: %+v", args, r)
		}
	}
	r := s.run("", "dump", "env:SHOP_URL")
	if r.status != exitFailure || strings.Contains(r.err, "hunter2") || !strings.Contains(r.err, "127.0.0.1") {
		t.Errorf("no server: %+v", r)
	}
	s.fails(exitUsage, []string{"dump", "env:NOTHING"}, "NOTHING")
	s.fails(exitUsage, []string{"dump", "oracle://x/y"}, "postgres://")
	s.fails(exitFailure, []string{"dump", "postgres://h"}, "--all")
	s.fails(exitFailure, []string{"dump", "sqlite:x", "--all"}, "server")
}

// servers are real ones, and SQL that each knows.
func TestServers(t *testing.T) {
	for name, launch := range map[string]func(string) (*dbserver.Server, error){"postgres": dbserver.Postgres, "mysql": dbserver.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, err := launch(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			s := newShell(t)
			u, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			at := func(db string) string {
				v := strings.NewReplacer(" ", "_", "Ä", "AE").Replace("URL_" + db)
				s.env[v] = server.URL + "/" + url.PathEscape(db)
				return "env:" + v
			}
			s.env["URL_"] = server.URL
			seed(t, s, at("shop"))
			// From one database into others, one of which has an awkward name.
			ref := last(s.ok("", "dump", at("shop")))
			s.ok("", "load", "--verify-first", ref, at("Ä copy"), "--prepare=create")
			s.fails(exitFailure, []string{"load", ref, at("Ä copy"), "--prepare=create"}, "exists")
			s.ok("", "load", ref, at("Ä copy"), "--prepare=drop-and-create")
			s.fails(exitUsage, []string{"load", ref, at("shop"), "--prepare=drop"}, "drop-and-create")
			all := strings.Fields(s.ok("", "dump", "env:URL_", "--all", "--name=eu"))
			if joined := strings.Join(all, " "); !strings.Contains(joined, "eu/shop/") || !strings.Contains(joined, "eu/copy-") {
				t.Errorf("--all: %q", all)
			}
			password, _ := u.User.Password()
			for _, ref := range append(all, ref) {
				if got := s.ok("", "show", ref); strings.Contains(got, password) || !strings.Contains(got, "server") {
					t.Errorf("show: %s", got)
				}
				if got := s.ok("", "restore", ref); strings.Contains(ref, "eu/copy-") && !strings.Contains(got, "Größe") {
					t.Errorf("%s lacks the row: %s", ref, got)
				}
			}
			// The scheduler looks up the databases each time, and makes one snapshot of each.
			jobs := write(t, "jobs.json", `{"databases": [{"url": "env:URL_", "name": "nightly", "all": true}]}`)
			s.until("nightly/shop\n", "run", "--jobs", jobs)
			if names := s.ok("", "names"); !strings.Contains(names, "nightly/copy-") || strings.Count(s.ok("", "list", "--name=nightly/shop"), "\n") != 1 {
				t.Errorf("names: %s", names)
			}
			// What is damaged drops nothing, and neither does a dump of another kind.
			s.damage(ref)
			s.fails(exitFailure, []string{"load", ref, at("Ä copy"), "--prepare=drop-and-create"}, "damaged")
			other := map[string]string{"postgres": "mysql", "mysql": "postgres"}[name] + "://u@h/x"
			foreign := s.foreign(other)
			s.fails(exitFailure, []string{"load", foreign, at("Ä copy"), "--prepare=drop-and-create"}, "is a dump of")
			if got := s.ok("", "restore", last(s.ok("", "dump", at("Ä copy")))); !strings.Contains(got, "Größe") {
				t.Errorf("the database was dropped: %s", got)
			}
			u.User = url.UserPassword(u.User.Username(), "wr0ng")
			s.env["WRONG"] = u.String() + "/shop"
			if r := s.run("", "dump", "env:WRONG"); r.status != exitFailure || strings.Contains(r.err, "wr0ng") || !strings.Contains(strings.ToLower(r.err), "denied") && !strings.Contains(r.err, "authentication failed") {
				t.Errorf("wrong password: %+v", r)
			}
		})
	}
}

// until runs a command in the background until a name is there, and another second.
func (s *shell) until(name string, args ...string) {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	done := make(chan result, 1)
	go func() { done <- s.runContext(ctx, "", args...) }()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.run("", "names").out, name); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("%q does not appear", name)
		}
	}
	time.Sleep(time.Second)
	stop()
	if r := <-done; r.status != exitOK {
		s.t.Errorf("%+v", r)
	}
}

// damage flips a bit of a snapshot's data.
func (s *shell) damage(ref string) {
	s.t.Helper()
	for _, file := range s.files() {
		if strings.HasPrefix(file, ref) && strings.HasSuffix(file, ".aes") {
			path := filepath.Join(s.dir, filepath.FromSlash(file))
			data, err := os.ReadFile(path)
			if err != nil {
				s.t.Fatal(err)
			}
			data[len(data)-20] ^= 1
			if err := os.WriteFile(path, data, 0o600); err != nil {
				s.t.Fatal(err)
			}
			return
		}
	}
	s.t.Fatalf("%s has no data", ref)
}

// foreign makes a snapshot that says to be a dump of source.
func (s *shell) foreign(source string) string {
	s.t.Helper()
	a := newApp(strings.NewReader(""), io.Discard, io.Discard, func(name string) string { return s.env[name] })
	if err := a.configure(a.settings.flags()); err != nil {
		s.t.Fatal(err)
	}
	b, err := a.open(s.t.Context(), "", writing)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.close()
	snap, err := b.Create(s.t.Context(), "foreign", strings.NewReader("SELECT 1;"), &backup.CreateOptions{Ext: ".sql", Source: source})
	if err != nil {
		s.t.Fatal(err)
	}
	return snap.Ref()
}

// seed makes a database with a table, by loading a dump of it.
func seed(t *testing.T, s *shell, url string) {
	t.Helper()
	ref := last(s.ok("CREATE TABLE goods (id int, name varchar(20));\nINSERT INTO goods VALUES (1, 'Größe');\n", "backup", "--name=seed", "--ext=.sql"))
	s.ok("", "load", ref, url, "--prepare=create")
}

// The scheduler backs up, catches up, cleans up, and ends at a signal.
func TestRun(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.sqlite"), filepath.Join(dir, "two.sqlite")
	sqlite(t, one, "CREATE TABLE t (x);")
	sqlite(t, two, "CREATE TABLE t (x);")
	jobs := write(t, "jobs.json", `{"databases": [{"url": "sqlite:`+one+`"}, {"url": "env:TWO", "name": "eu/two", "schedule": "* * * * * *"}]}`)
	s.env["TWO"], s.env["BACKUP_KEEP_LAST"], s.env["BACKUP_CLEANUP_CRON"] = "sqlite:"+two, "2", "* * * * * *"
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() { done <- s.runContext(ctx, "", "run", "--jobs", jobs) }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		names := s.run("", "names").out
		if strings.Contains(names, "one\n") && strings.Contains(names, "eu/two\n") && len(strings.Fields(s.run("", "list", "--name=eu/two", "--json").out)) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are only %q", names)
		}
	}
	time.Sleep(5 * time.Second)
	stop()
	r := <-done
	if r.status != exitOK || !strings.Contains(r.err, "pruned eu/two/") || !strings.Contains(r.err, `job "eu/two"`) {
		t.Errorf("%+v", r)
	}
	var listed []record
	if err := json.Unmarshal([]byte(s.ok("", "list", "--name=eu/two", "--json")), &listed); err != nil || len(listed) > 4 {
		t.Errorf("%d snapshots are left of five seconds, %v", len(listed), err)
	}
	if got := strings.Count(s.ok("", "list", "--name=one"), "\n"); got != 1 {
		t.Errorf("the daily job ran %d times", got)
	}
}

func TestRunUsage(t *testing.T) {
	s := newShell(t)
	secret := write(t, "secret.json", `{"databases": [{"url": "postgres://u:hunter2@h/db"}]}`)
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "needs databases"},
		{[]string{"run", "--jobs", "/does/not/exist"}, "/does/not/exist"},
		{[]string{"run", "--jobs", write(t, "a.json", `{"databases": [{"uri": "x"}]}`)}, "uri"},
		{[]string{"run", "--jobs", write(t, "b.json", `{"databases": [{}]}`)}, "no url"},
		{[]string{"run", "--jobs", write(t, "c.json", `{"databases": []} x`)}, "follows"},
		{[]string{"run", "--jobs", secret}, "chmod 600"},
		{[]string{"run", "--jobs", write(t, "d.json", `{"databases": [{"url": "sqlite:x", "schedule": "often"}]}`)}, "often"},
	} {
		s.fails(exitUsage, test.args, test.want)
	}
	s.env["BACKUP_DAILY_CRON"] = "never"
	s.fails(exitUsage, []string{"run", "sqlite:x"}, "BACKUP_DAILY_CRON")
}

func TestPrune(t *testing.T) {
	s := newShell(t)
	var refs []string
	for range 4 {
		refs = append(refs, last(s.ok("data", "backup", "--name=shop")))
	}
	small := last(s.ok(strings.Repeat("x", 100), "backup", "--name=small"))
	s.ok("x", "backup", "--name=small")
	if r := s.run("", "prune"); r.status != exitOK || strings.Contains(r.out, "removed") || !strings.Contains(r.err, "no rule") {
		t.Errorf("without a rule: %+v", r)
	}
	if got := s.ok("", "prune", "--name=shop", "--keep-last=1", "--dry-run"); strings.Count(got, "would go") != 3 {
		t.Errorf("dry run: %s", got)
	}
	var plan []decision
	if err := json.Unmarshal([]byte(s.ok("", "prune", "--name=shop", "--keep-last=1", "--dry-run", "--json")), &plan); err != nil || len(plan) != 4 || plan[0].Remove || !plan[3].Remove {
		t.Errorf("%+v %v", plan, err)
	}
	if got := strings.Count(s.ok("", "list", "--name=shop"), "\n"); got != 4 {
		t.Fatalf("a dry run left %d", got)
	}
	// The veto for one name keeps no other from being pruned.
	s.env["BACKUP_KEEP_LAST"] = "1"
	r := s.run("", "prune")
	if r.status != exitFailure || !strings.Contains(r.err, "median") || strings.Count(r.out, "removed") != 3 {
		t.Errorf("%+v", r)
	}
	s.ok("", "show", small)
	s.ok("", "show", refs[3])
	s.fails(exitFailure, []string{"show", refs[0]}, "")
	if got := s.ok("", "prune", "--min-ratio=-1"); strings.Count(got, "removed") != 1 {
		t.Errorf("without the veto: %s", got)
	}
	s.fails(exitUsage, []string{"prune", "--keep-last=-1"}, "BACKUP_KEEP_LAST")
}

func TestConfig(t *testing.T) {
	s := newShell(t)
	s.env["BACKUP_KEEP_DAILY"] = "14"
	got := s.ok("", "config", "--compression=gzip")
	for _, want := range []string{"BACKUP_COMPRESSION ", "gzip", "--compression", "BACKUP_KEEP_DAILY ", "14", "environment", "key id " + s.key.ID()} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	var parsed struct {
		Settings []struct{ Name, Value, Origin string }
		Problems []string
	}
	if err := json.Unmarshal([]byte(s.ok("", "config", "--json")), &parsed); err != nil || len(parsed.Settings) < 20 || len(parsed.Problems) != 0 {
		t.Errorf("%+v %v", parsed, err)
	}
	s.env["BACKUP_JOB_TRIES"] = "many"
	r := s.run("", "config")
	if r.status != exitUsage || !strings.Contains(r.out, "BACKUP_JOB_TRIES") || !strings.Contains(r.out, "problem:") {
		t.Errorf("%+v", r)
	}
}
