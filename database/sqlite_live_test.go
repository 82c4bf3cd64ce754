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
	"time"
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

// run sends statements, and returns the lines that they print.
func (s *session) run(statements string) ([]string, error) {
	if _, err := fmt.Fprintln(s.in, statements, "\nSELECT 'done';"); err != nil {
		said, _ := io.ReadAll(s.out)
		return nil, fmt.Errorf("%w: %.1000s", err, said)
	}
	var lines []string
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%w after %q", err, lines)
		}
		if line == "done\n" {
			return lines, nil
		}
		lines = append(lines, strings.TrimSpace(line))
	}
}

// ask requires that the last line that statements print is the answer.
func (s *session) ask(statements, answer string) {
	s.t.Helper()
	lines, err := s.run(statements)
	if n := len(lines); err != nil || n == 0 || lines[n-1] != answer {
		s.t.Fatalf("%s: %q, %v, want %q", statements, lines, err, answer)
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
			for i := range 15 {
				copied := filepath.Join(dir, "copied"+strconv.Itoa(i))
				if err := os.WriteFile(copied, sqliteDump(t, sqliteOpen(t, path, nil)), 0o600); err != nil {
					t.Fatal(err)
				}
				var n int
				got := sqlite3(t, copied, "PRAGMA integrity_check; SELECT (SELECT sum(n) FROM a) + (SELECT sum(n) FROM b), ifnull(max(n), 0) - count(*), count(*) FROM log")
				if _, err := fmt.Sscanf(got, "ok\n4000000|0|%d", &n); err != nil || n < logged {
					t.Fatalf("dump %d, after %d transactions, says %q", i, logged, got)
				}
				if i == 0 {
					logged = n
				} else if i == 14 && n == logged {
					t.Error("nothing was written meanwhile")
				}
				if err := os.Remove(copied); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			sqlite3(t, path, "SELECT 1 FROM log") // the last one takes the -wal away, which two that end together may not
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
			_, err := s.run("PRAGMA synchronous = OFF;") // no power will fail
			for i := 1; err == nil; i++ {
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond): // locks are not given in turn
				}
				_, err = s.run(fmt.Sprintf("BEGIN IMMEDIATE; UPDATE a SET n = n - %[1]d, pad = randomblob(200) WHERE id = %[2]d; "+
					"INSERT INTO log SELECT count(*) + 1, zeroblob(50) FROM log; UPDATE b SET n = n + %[1]d WHERE id = 2001 - %[2]d; COMMIT;", i%50, i*7919%2000+1))
			}
			t.Errorf("a writer has ended: %v", err)
		})
	}
	stop = sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}
