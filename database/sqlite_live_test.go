package database_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// session is a program that has a database open.
type session struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	end func() // once or more
}

func sqliteSession(t *testing.T, path string) *session {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sqliteProgram(t), "-init", os.DevNull, "-batch", "-bail", "-cmd", ".timeout 20000", path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, in: in, out: bufio.NewReader(out)}
	s.end = sync.OnceFunc(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, s.out)
		_ = cmd.Wait()
	})
	t.Cleanup(s.end)
	return s
}

// ask sends statements, and requires that the next lines end with the answer.
func (s *session) ask(statements, answer string) {
	s.t.Helper()
	fmt.Fprintln(s.in, statements)
	fmt.Fprintln(s.in, "SELECT 'asked';")
	var lines []string
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			s.t.Fatalf("%s: %v after %q", statements, err, lines)
		}
		if line == "asked\n" {
			break
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	if n := len(lines); n == 0 || lines[n-1] != answer {
		s.t.Fatalf("%s: %q, want %q", statements, lines, answer)
	}
}

// Each dump of a database that other processes write to is whole, and one moment of it: transactions move money between two tables.
func TestSQLiteLive(t *testing.T) {
	for _, mode := range []string{"DELETE", "WAL"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "bank.db")
			sqlite3(t, path, "PRAGMA journal_mode = "+mode, "CREATE TABLE a (id INTEGER PRIMARY KEY, n, pad); CREATE TABLE b AS SELECT * FROM a; "+
				"CREATE TABLE log (n INTEGER PRIMARY KEY, pad); CREATE INDEX i ON a (n, pad); "+
				"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) INSERT INTO a SELECT i, 1000, randomblob(200) FROM c; "+
				"INSERT INTO b SELECT * FROM a")
			stop := sqliteWriters(t, path, 2)
			logged := -1
			for i := range 20 {
				copied := filepath.Join(dir, "copied"+strconv.Itoa(i))
				if err := os.WriteFile(copied, sqliteDump(t, sqliteOpen(t, path, nil)), 0o600); err != nil {
					t.Fatal(err)
				}
				var n int
				got := sqlite3(t, copied, "PRAGMA integrity_check; SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b), max(n) - count(*), count(*) FROM log")
				if _, err := fmt.Sscanf(got, "ok\n4000000|0|%d", &n); err != nil || n < logged {
					t.Fatalf("dump %d, after %d transactions, says %q", i, logged, got)
				}
				if i == 0 {
					logged = n
				} else if i == 19 && n == logged {
					t.Error("nothing was written meanwhile")
				}
				if err := os.Remove(copied); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			holds(t, dir, "bank.db")
		})
	}
}

// sqliteWriters are processes that write transactions until they are stopped.
func sqliteWriters(t *testing.T, path string, n int) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	for range n {
		s := sqliteSession(t, path)
		running.Go(func() {
			defer s.end()
			for i := 1; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				id := i*7919%2000 + 1
				_, err := fmt.Fprintf(s.in, "BEGIN IMMEDIATE; UPDATE a SET n = n - %[1]d, pad = randomblob(200) WHERE id = %[2]d; "+
					"INSERT INTO log SELECT count(*) + 1, zeroblob(50) FROM log; UPDATE b SET n = n + %[1]d WHERE id = 2001 - %[2]d; COMMIT;\n", i%50, id)
				if err != nil {
					t.Errorf("a writer has ended: %v", err)
					return
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}
