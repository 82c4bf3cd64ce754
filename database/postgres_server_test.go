//go:build linux

package database

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/internal/dbserver"
)

// TestPostgres is all that needs a server. Large databases and failing dumps are in internal/integration/database.
func TestPostgres(t *testing.T) {
	s, err := dbserver.Postgres(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *dbserver.Server)
	}{
		{"names", testPostgresNames}, {"prepare", testPostgresPrepare}, {"describe", testPostgresDescribe}, {"load fails", testPostgresLoadFails},
		{"refused", testPostgresRefused}, {"cancelled", testPostgresCancelled}, {"waiting", testPostgresWaiting}, {"round trip", testPostgresRoundTrip},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// at is a database of the server, in a format.
func at(t *testing.T, s *dbserver.Server, name string, format PostgresFormat) *postgres {
	t.Helper()
	p, err := Postgres(s.URL, &PostgresOptions{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	return p.Select(name).(*postgres)
}

func (p *postgres) must(t *testing.T, statement string) string {
	t.Helper()
	out, err := p.query(t.Context(), p.name, statement)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ready makes a database with a table.
func ready(t *testing.T, s *dbserver.Server, name string, format PostgresFormat) *postgres {
	t.Helper()
	p := at(t, s, name, format)
	if err := p.Prepare(t.Context(), DropAndCreate); err != nil {
		t.Fatal(err)
	}
	p.must(t, `CREATE TABLE goods (name text); INSERT INTO goods VALUES ('Größe 🦊')`)
	return p
}

func dumped(t *testing.T, db Database) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := db.Dump(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func testPostgresNames(t *testing.T, s *dbserver.Server) {
	names := []string{
		"plain", "Upper Case", "Größe 🦊", `quo"te'd`, "-dash", "--version", "a=b host=elsewhere", "100%41", "a/b?c#d&e", "dbname=x", "postgres://h/x", `back\slash`, "line\nend", "$(id);`id`",
	}
	t.Run("all", func(t *testing.T) {
		for i, name := range names {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, format := range []PostgresFormat{PostgresPlain, PostgresCustom}[:1+i%5/4] { // both for some
					p := ready(t, s, name, format)
					dump := dumped(t, p)
					p.must(t, "DROP TABLE goods")
					if err := p.Load(t.Context(), bytes.NewReader(dump)); err != nil {
						t.Fatal(err)
					}
					if got := p.must(t, "SELECT name || ' of ' || current_database() FROM goods"); got != "Größe 🦊 of "+name {
						t.Errorf("%q", got)
					}
				}
			})
		}
	})
	listed, err := at(t, s, "", "").List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := append(names, "postgres")
	slices.Sort(want)
	if !slices.Equal(listed, want) {
		t.Errorf("listed %q, want %q", listed, want)
	}
}

func testPostgresPrepare(t *testing.T, s *dbserver.Server) {
	p := ready(t, s, "prepared", "")
	if err := p.Prepare(t.Context(), Create); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("%v", err)
	}
	for _, how := range []Preparation{0, 3, -1} {
		if err := p.Prepare(t.Context(), how); err == nil {
			t.Errorf("%v is accepted", how)
		}
	}
	if got := p.must(t, "SELECT count(*) FROM goods"); got != "1" {
		t.Errorf("a refused preparation left %s rows", got)
	}
	if err := p.Prepare(t.Context(), DropAndCreate); err != nil {
		t.Fatal(err)
	}
	if got := p.must(t, "SELECT count(*) FROM pg_tables WHERE tablename = 'goods'"); got != "0" {
		t.Errorf("%s tables are left", got)
	}
	for _, name := range []string{"", "postgres", "template0", "template1"} {
		if err := p.Select(name).Prepare(t.Context(), DropAndCreate); err == nil {
			t.Errorf("%q was dropped", name)
		}
	}
	longest := ready(t, s, "template "+strings.Repeat("ü", 27), "") // 63 bytes; where a server would cut a longer name
	for _, how := range []Preparation{Create, DropAndCreate} {
		if err := p.Select(longest.name+"!").Prepare(t.Context(), how); err == nil || !strings.Contains(err.Error(), "has 64 bytes, and the server allows 63") {
			t.Errorf("%v a database with a name that is too long: %v", how, err)
		}
	}
	if got := longest.must(t, "SELECT count(*) FROM goods"); got != "1" {
		t.Errorf("%q was taken for another database: %s rows", longest.name, got)
	}
}

func testPostgresDescribe(t *testing.T, s *dbserver.Server) {
	info, err := ready(t, s, "described", PostgresCustom).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(s.URL)
	if want := "postgres://postgres@" + u.Host + "/described"; info.Source != want {
		t.Errorf("source %q, want %q", info.Source, want)
	}
	if !strings.HasPrefix(info.Labels["server"], "PostgreSQL ") || !strings.HasPrefix(info.Labels["tool"], "pg_dump ") || info.Labels["format"] != "custom" {
		t.Errorf("%q", info.Labels)
	}
}

// A load that fails leaves what was there: when the last byte of the snapshot turns out damaged, and when a statement fails.
func testPostgresLoadFails(t *testing.T, s *dbserver.Server) {
	damaged := errors.New("damaged")
	for _, format := range []PostgresFormat{PostgresPlain, PostgresCustom} {
		p := ready(t, s, "fails", format)
		p.must(t, "INSERT INTO goods SELECT repeat('x', 1000) || i FROM generate_series(1, 5000) i")
		dump := dumped(t, p)
		p.must(t, "UPDATE goods SET name = 'of now'; CREATE TABLE kept (x int)")
		const state = "SELECT count(*) || ' ' || min(name) || ' ' || max(name) || to_regclass('kept') FROM goods"
		before := p.must(t, state)
		late := readerFunc(func([]byte) (int, error) { // pg_restore would have committed by then
			time.Sleep(300 * time.Millisecond)
			return 0, damaged
		})
		for _, n := range []int{1, len(dump) / 2, len(dump)} {
			if err := p.Load(t.Context(), io.MultiReader(bytes.NewReader(dump[:n]), late)); !errors.Is(err, damaged) {
				t.Errorf("%s, damaged after %d of %d: %v", format, n, len(dump), err)
			}
			if got := p.must(t, state); got != before {
				t.Errorf("%s, damaged after %d of %d: %q, was %q", format, n, len(dump), got, before)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cut := io.MultiReader(bytes.NewReader(dump[:len(dump)-10]), readerFunc(func([]byte) (int, error) {
			cancel(damaged)
			time.Sleep(50 * time.Millisecond)
			return 0, io.EOF
		}))
		if err := p.Load(ctx, cut); !errors.Is(err, damaged) {
			t.Errorf("%s, cancelled: %v", format, err)
		}
		if format == PostgresPlain {
			bad := bytes.Replace(dump, []byte("CREATE TABLE"), []byte("CREATE TABEL"), 1)
			if err := p.Load(t.Context(), bytes.NewReader(bad)); err == nil || !strings.Contains(err.Error(), "syntax error") {
				t.Errorf("a wrong statement: %v", err)
			}
		}
		if format == PostgresCustom { // psql cannot know what is missing: that is for the snapshot's digests
			if err := p.Load(t.Context(), bytes.NewReader(dump[:len(dump)*2/3])); err == nil {
				t.Error("a truncated archive is loaded")
			}
		}
		if got := p.must(t, state); got != before {
			t.Errorf("%s: %q, was %q", format, got, before)
		}
	}
}

// What the server refuses is said in its words, without the password.
func testPostgresRefused(t *testing.T, s *dbserver.Server) {
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	wrong := *u
	wrong.User = url.UserPassword("postgres", "wr0ng/p@ss")
	closed := *u
	closed.Host = "127.0.0.1:1"
	for name, test := range map[string]struct{ url, database, want string }{
		"wrong password":   {wrong.String(), "postgres", "password authentication failed"},
		"no server":        {closed.String(), "postgres", "refused"},
		"missing database": {s.URL, "missing", `database "missing" does not exist`},
		"none selected":    {s.URL, "", "no database is selected"},
	} {
		p, err := Postgres(test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		p = p.Select(test.database)
		_, described := p.Describe(t.Context())
		for what, err := range map[string]error{"dump": p.Dump(t.Context(), io.Discard), "load": p.Load(t.Context(), strings.NewReader("SELECT 1;")), "describe": described} {
			if what == "describe" && test.database == "" {
				continue // it describes the server
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			password, _ := u.User.Password()
			for _, secret := range []string{"wr0ng", password, url.QueryEscape(password), url.PathEscape(password)} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s, %s: the error holds a password: %v", name, what, err)
				}
			}
		}
	}
}

// A dump that is cancelled ends at once; while it ran, its command line held no password (pitfall 40).
func testPostgresCancelled(t *testing.T, s *dbserver.Server) {
	p := ready(t, s, "cancelled", "")
	p.must(t, "INSERT INTO goods SELECT repeat('x', 1000) || i FROM generate_series(1, 30000) i")
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	seen := false
	begun := time.Now()
	err := p.Dump(ctx, writerFunc(func(b []byte) (int, error) {
		if !seen {
			seen = true
			lines := cmdlines(t, "pg_dump")
			if len(lines) == 0 {
				t.Error("there is no pg_dump to look at")
			}
			for _, line := range lines {
				for _, secret := range secretsOf(p.password) {
					if strings.Contains(line, secret) {
						t.Errorf("the command line holds the password: %q", line)
					}
				}
			}
			cancel(stopped)
		}
		return len(b), nil
	}))
	if !errors.Is(err, stopped) || !seen || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	if left := cmdlines(t, "pg_dump"); len(left) > 0 {
		t.Errorf("%q is left", left)
	}
}

// A dump that waits for a lock, and writes nothing, ends with its connection, and with its ctx.
func testPostgresWaiting(t *testing.T, s *dbserver.Server) {
	p := ready(t, s, "waiting", "")
	held, release := context.WithCancel(t.Context())
	var holder sync.WaitGroup
	defer holder.Wait()
	defer release()
	holder.Go(func() { _, _ = p.query(held, p.name, "BEGIN; LOCK TABLE goods; SELECT pg_sleep(60)") })
	p.await(t, "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'goods'::regclass AND granted")
	const waiting = "FROM pg_stat_activity WHERE application_name = 'pg_dump' AND datname = 'waiting' AND wait_event_type = 'Lock'"
	for _, want := range []string{"terminating connection", "stopped"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		dumping := make(chan error)
		go func() { dumping <- p.Dump(ctx, io.Discard) }()
		p.await(t, "SELECT count(*) "+waiting)
		begun := time.Now()
		if want == "stopped" {
			cancel(errors.New(want))
		} else {
			p.must(t, "SELECT pg_terminate_backend(pid) "+waiting)
		}
		if err := <-dumping; err == nil || !strings.Contains(err.Error(), want) || time.Since(begun) > 5*time.Second {
			t.Errorf("want %q: %v, after %v", want, err, time.Since(begun))
		}
		cancel(nil)
	}
}

// await waits until a query gives something other than 0.
func (p *postgres) await(t *testing.T, query string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.must(t, query) == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it stays 0: %s", query)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// cmdlines are those of this process's children that run a program.
func cmdlines(t *testing.T, program string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, _ := os.ReadFile(file)
		first, _, _ := bytes.Cut(line, []byte{0})
		if filepath.Base(string(first)) == program && bytes.Contains(line, []byte("cancelled")) {
			lines = append(lines, string(line))
		}
	}
	return lines
}
