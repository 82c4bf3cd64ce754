//go:build linux

package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// children are the command lines of this process's children but the server.
func (s *mariaDB) children(t *testing.T) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, path := range stats {
		stat, _ := os.ReadFile(path) // it may have ended
		var state string
		var parent int
		_, rest, _ := strings.Cut(string(stat), ") ")
		if n, _ := fmt.Sscan(rest, &state, &parent); n < 2 || parent != os.Getpid() || strings.HasPrefix(string(stat), fmt.Sprint(s.PID, " ")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		all = append(all, string(line))
	}
	return all
}

// secret reports whether a text has the administrator's password in any form.
func (s *mariaDB) secret(text string) bool {
	password, _ := s.url.User.Password()
	for _, form := range secretsOf(password) {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// visible fails if a running child's command line has the password, or there is none (pitfall 40).
func (s *mariaDB) visible(t *testing.T, program string) {
	t.Helper()
	found := false
	for _, line := range s.children(t) {
		if s.secret(line) {
			t.Errorf("the password is in the arguments %q", line)
		}
		found = found || strings.Contains(line, program) && strings.Contains(line, "--protocol=tcp")
	}
	if !found {
		t.Errorf("no %s is running: %q", program, s.children(t))
	}
}

// failed fails unless err says one of these, without a password, and nothing runs any more.
func (s *mariaDB) failed(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of %q", says)
		return
	}
	said := len(says) == 0
	for _, text := range says {
		said = said || strings.Contains(err.Error(), text)
	}
	if !said {
		t.Errorf("the error %q has none of %q", err, says)
	}
	if s.secret(err.Error()) {
		t.Errorf("the error holds the password: %v", err)
	}
	if left := s.children(t); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// fill makes tables of which the one in the middle is more than all buffers on the way hold.
func (s *mariaDB) fill(t *testing.T, name string) Server {
	t.Helper()
	db := s.fresh(t, name)
	s.sql(t, name, `CREATE TABLE a_from (n int); INSERT INTO a_from VALUES (1000000);
		CREATE TABLE m_big (id int PRIMARY KEY, t text); INSERT INTO m_big SELECT seq, REPEAT(MD5(seq), 100) FROM seq_1_to_10000;
		CREATE TABLE z_to (n int); INSERT INTO z_to VALUES (0);`)
	return db
}

// striker writes on, and strikes once, amid the rows of the large table.
type striker struct {
	w      io.Writer
	left   int
	strike func() error
}

func (s *striker) Write(b []byte) (int, error) {
	if s.left -= len(b); s.left < 0 && s.strike != nil {
		strike := s.strike
		s.strike = nil
		if err := strike(); err != nil {
			return 0, err
		}
	}
	return s.w.Write(b)
}

// A transaction that moves something from the first table to the last is in a dump as a whole, or not.
func testMySQLConsistent(t *testing.T, s *mariaDB) {
	db := s.fill(t, "moving")
	s.sql(t, "moving", `DELIMITER //
		CREATE PROCEDURE move() BEGIN
			LOOP START TRANSACTION; UPDATE a_from SET n = n - 1; UPDATE z_to SET n = n + 1; COMMIT; END LOOP;
		END//`)
	moved := make(chan error, 1)
	go func() { _, err := s.try("moving", "CALL move()"); moved <- err }()
	at := func() string { return s.sql(t, "moving", "SELECT n FROM z_to") }
	var dump bytes.Buffer
	err := db.Dump(t.Context(), &striker{w: &dump, left: 1 << 20, strike: func() error {
		begun := time.Now()
		for before := at(); at() == before; time.Sleep(time.Millisecond) {
			if time.Since(begun) > 10*time.Second {
				return errors.New("nothing moves while a dump is made")
			}
		}
		return nil
	}})
	s.sql(t, "", s.sql(t, "", "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE db = 'moving' AND command = 'Query'"))
	if killed := <-moved; killed == nil {
		t.Error("the transactions had ended before they were stopped")
	}
	if err != nil {
		t.Fatal(err)
	}
	restored := s.fresh(t, "moved")
	if err := restored.Load(t.Context(), &dump); err != nil {
		t.Fatal(err)
	}
	if sum := s.sql(t, "moved", "SELECT a_from.n + z_to.n FROM a_from, z_to"); sum != "1000000" {
		t.Errorf("the dump has %s of 1000000", sum)
	}
	if now, then := at(), s.sql(t, "moved", "SELECT n FROM z_to"); now == then {
		t.Errorf("nothing was moved during the dump: %s", now)
	}
}

func testMySQLDumpStruck(t *testing.T, s *mariaDB) {
	db := s.fill(t, "big")
	boom := errors.New("no space for more")
	kill := func(what string) func(context.CancelCauseFunc) error {
		return func(context.CancelCauseFunc) error {
			id, err := s.try("", "SELECT id FROM information_schema.processlist WHERE db = 'big' AND command = 'Query'")
			if err != nil || id == "" {
				return fmt.Errorf("find the dump: %q, %w", id, err)
			}
			_, err = s.try("", what+" "+id)
			return err
		}
	}
	for _, c := range []struct {
		name   string
		strike func(cancel context.CancelCauseFunc) error
		says   []string
	}{
		{"connection killed", kill("KILL CONNECTION"), []string{"Lost connection", "gone away", "Connection was killed"}},
		{"query killed", kill("KILL QUERY"), []string{"interrupted"}},
		{"cancelled", func(cancel context.CancelCauseFunc) error { cancel(boom); return nil }, []string{boom.Error()}},
		{"writer fails", func(context.CancelCauseFunc) error { return boom }, []string{boom.Error()}},
		{"server killed", func(context.CancelCauseFunc) error { s.Kill(); return nil }, []string{"Lost connection", "gone away"}},
		{"no server", nil, []string{"Can't connect"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			struck := false
			s.failed(t, db.Dump(ctx, &striker{w: io.Discard, left: 1 << 20, strike: func() error {
				struck = true
				s.visible(t, "dump")
				return c.strike(cancel)
			}}), c.says...)
			if struck != (c.strike != nil) {
				t.Errorf("struck: %v", struck)
			}
		})
	}
}

func testMySQLRefused(t *testing.T, s *mariaDB) {
	admin, _ := s.url.User.Password()
	wrong := s.as(t, url.UserPassword("admin", admin+"x"), "shop_a")
	s.failed(t, wrong.Dump(t.Context(), io.Discard), "Access denied")
	s.failed(t, wrong.Load(t.Context(), strings.NewReader("SELECT 1;")), "Access denied")
	s.failed(t, wrong.Prepare(t.Context(), DropAndCreate), "Access denied")
	_, err := wrong.List(t.Context())
	s.failed(t, err, "Access denied")
	_, err = wrong.(Describer).Describe(t.Context())
	s.failed(t, err, "Access denied")

	missing := s.at(t, "miss'ing")
	s.failed(t, missing.Dump(t.Context(), io.Discard), "Unknown database 'miss'ing'")
	s.failed(t, missing.Load(t.Context(), strings.NewReader("SELECT 1;")), "Unknown database 'miss'ing'")

	encrypted, err := MySQL(s.URL+"?ssl-verify-server-cert=1", nil) // which this server cannot
	if err != nil {
		t.Fatal(err)
	}
	s.failed(t, encrypted.Select("shop_a").Dump(t.Context(), io.Discard), "SSL is required")

	broken := s.fresh(t, "broken")
	s.sql(t, "broken", "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; DROP TABLE t")
	s.failed(t, broken.Dump(t.Context(), io.Discard), "'broken.v' references invalid table(s)")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.at(t, "shop_a").Dump(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a dump cancelled before: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	for _, err := range []error{s.at(t, "shop_a").Dump(t.Context(), io.Discard), s.at(t, "shop_a").Load(t.Context(), strings.NewReader(""))} {
		if s.failed(t, err, "on PATH"); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("no tools: %v", err)
		}
	}
}

func testMySQLLoadFails(t *testing.T, s *mariaDB) {
	boom := errors.New("the snapshot is damaged")
	db := s.fresh(t, "half")
	s.sql(t, "half", "CREATE TABLE t (a int)")
	const first = "INSERT INTO t VALUES (1);\n"

	// What has no end yet is not carried out, though the client would take the end of its input for one.
	for _, unfinished := range []string{"INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (2)\n", "DELETE FROM t\n"} {
		s.sql(t, "half", "TRUNCATE t")
		err := db.Load(t.Context(), io.MultiReader(strings.NewReader(first+unfinished), s.when(t, "SELECT COUNT(*) FROM half.t", "1", boom)))
		if s.failed(t, err, boom.Error()); !errors.Is(err, boom) {
			t.Errorf("%v", err)
		}
		if got := s.sql(t, "half", "SELECT a FROM t"); got != "1" {
			t.Errorf("after %q the table holds %q", unfinished, got)
		}
	}

	err := db.Load(t.Context(), strings.NewReader("CREATE TABLE one (a int);\nBROKEN 'x';\nCREATE TABLE two (a int);\n"))
	s.failed(t, err, "ERROR 1064 (42000) at line 2")
	if got := s.sql(t, "half", "SHOW TABLES LIKE '%o%'"); got != "one" {
		t.Errorf("the tables are %q", got)
	}

	// More than the pipe holds follows: the first cause is the client's, not the broken pipe's.
	err = db.Load(t.Context(), strings.NewReader("BROKEN;\n"+strings.Repeat("SELECT 1;\n", 100_000)))
	s.failed(t, err, "ERROR 1064 (42000) at line 1")

	for _, command := range []string{"\\! touch %s\n", "system touch %s\n", "tee %s\n", "SELECT 1 \\T %s\n",
		"LOAD DATA LOCAL INFILE '/proc/self/environ' INTO TABLE t;\n-- %s"} {
		file := filepath.Join(t.TempDir(), "file")
		s.failed(t, db.Load(t.Context(), strings.NewReader(fmt.Sprintf(command, file)+";\n")))
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%q is carried out", command)
		}
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	s.failed(t, db.Load(ctx, io.MultiReader(strings.NewReader("DO SLEEP(100);\n"), reader(func() error {
		s.visible(t, "half")
		cancel(boom)
		<-ctx.Done()
		return io.EOF
	}))), boom.Error())

	killed := s.fresh(t, "killed")
	err = killed.Load(t.Context(), io.MultiReader(strings.NewReader("DO 1;\n"), reader(func() error {
		id := ""
		for begun := time.Now(); id == "" && time.Since(begun) < 10*time.Second; { // until it has connected
			id = s.sql(t, "", "SELECT id FROM information_schema.processlist WHERE db = 'killed' AND command = 'Sleep'")
		}
		s.sql(t, "", "KILL "+id)
		return io.EOF
	}), strings.NewReader("DO 2;\n")))
	s.failed(t, err, "gone away", "Lost connection", "Connection was killed")
}

// reader is a function as a reader.
type reader func() error

func (r reader) Read([]byte) (int, error) { return 0, r() }

// when fails with err once a query has its answer.
func (s *mariaDB) when(t *testing.T, query, answer string, err error) io.Reader {
	return reader(func() error {
		begun := time.Now()
		for s.sql(t, "", query) != answer {
			if time.Since(begun) > 10*time.Second {
				return fmt.Errorf("%s is never %s", query, answer)
			}
		}
		time.Sleep(20 * time.Millisecond) // for what follows the answer
		return err
	})
}
