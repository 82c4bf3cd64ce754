//go:build unix

package database

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func shell(script string, args ...string) *tool {
	return &tool{path: "/bin/sh", args: append([]string{"-c", script}, args...)}
}

// hurry shortens the wait for what a program leaves behind.
func hurry(t *testing.T) {
	t.Helper()
	before := waitDelay
	waitDelay = 300 * time.Millisecond
	t.Cleanup(func() { waitDelay = before })
}

// gone waits until the process whose id is in the file has ended.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if syscall.Kill(pid, 0) == syscall.ESRCH || err == nil && strings.Contains(string(state), ") Z") { // a zombie is its parent's
			return
		}
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d is still there", pid)
		}
	}
}

// The verdict on a dump (pitfalls 1 and 30): nil only if the program ended with 0, and nothing that it started goes on.
func TestToolDump(t *testing.T) {
	hurry(t)
	for name, test := range map[string]struct {
		script string
		out    string
		want   []string // in the error; none: success
	}{
		"success":                           {"printf data", "data", nil},
		"status 1 after output":             {"printf data; echo 'no such table' >&2; exit 1", "data", []string{"sh: exit status 1", "no such table"}},
		"killed after output":               {"printf data; kill -9 $$", "data", []string{"signal: killed"}},
		"silent":                            {"exit 3", "", []string{"exit status 3, without saying why"}},
		"grandchild holds stdout":           {"printf data; sleep 5 2>/dev/null &", "data", []string{"success is not known"}},
		"grandchild holds stderr":           {"printf data; sleep 5 >/dev/null &", "data", []string{"success is not known"}},
		"grandchild of its own session":     {"printf data; setsid sleep 5 &", "data", []string{"success is not known"}},
		"grandchild goes on writing":        {"printf data; yes & sleep 0.05", "", []string{"success is not known"}},
		"grandchild that ends in time":      {"printf da; (sleep 0.1; printf ta) &", "data", nil},
		"grandchild and an exit status":     {"printf data; sleep 5 & exit 4", "data", []string{"exit status 4"}},
		"closes its output and then fails":  {"printf data; exec >&-; sleep 0.1; exit 5", "data", []string{"exit status 5"}},
		"first and last lines of its words": {"i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1", "", []string{"line 0\n", "[…]", "line 2999"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := shell(test.script).dump(t.Context(), &out)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("%v", err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if test.out != "" && out.String() != test.out {
				t.Errorf("output %q", out.String())
			}
		})
	}
}

// What a program says is bounded in memory, however much it is.
func TestToolWordy(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := shell("head -c 268435456 /dev/zero | tr '\\0' 'e' >&2; exit 1").dump(t.Context(), io.Discard)
	runtime.ReadMemStats(&after)
	if err == nil || len(err.Error()) > 3*excerptSize {
		t.Errorf("%d bytes of error", len(err.Error()))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
		t.Errorf("%d bytes were allocated for 256 MiB of messages", n)
	}
}

type failing struct{ after int }

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if f.after -= len(p); f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// When the upload fails the program is killed with all that it has started, and the first cause is the error (restic/restic#21829).
func TestToolDumpToFailingWriter(t *testing.T) {
	hurry(t)
	for _, script := range []string{
		`sleep 60 & echo $! >"$0"; yes`, // the writer fails while it writes
		`trap '' TERM INT HUP; sleep 60 & echo $! >"$0"; yes`,
		`sleep 60 & echo $! >"$0"; head -c 100000 /dev/zero; wait`, // after its last byte for a while
	} {
		pid := filepath.Join(t.TempDir(), "pid")
		begun := time.Now()
		err := shell(script, pid).dump(t.Context(), &failing{50_000})
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", script, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v", script, took)
		}
		gone(t, pid)
	}
}

func TestToolCancelled(t *testing.T) {
	hurry(t)
	cause := errors.New("stopped by a signal")
	for _, script := range []string{"trap '' TERM INT HUP; sleep 60 & echo $! >\"$0\"; wait", "sleep 60 & echo $! >\"$0\"; yes >/dev/null"} {
		pid := filepath.Join(t.TempDir(), "pid")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
		if err := shell(script, pid).dump(ctx, io.Discard); !errors.Is(err, cause) {
			t.Errorf("%s: %v", script, err)
		}
		gone(t, pid)
		if err := shell(script, pid).dump(ctx, io.Discard); !errors.Is(err, cause) {
			t.Errorf("with a ctx that is done: %v", err)
		}
		if err := shell("cat").load(ctx, strings.NewReader("x")); !errors.Is(err, cause) {
			t.Errorf("a load with a ctx that is done: %v", err)
		}
	}
}

// slow takes its time with each Write, longer than the wait for what a program leaves behind.
type slow struct{ bytes.Buffer }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return s.Buffer.Write(p[:min(len(p), 1<<20)])
}

func TestToolDumpToSlowWriter(t *testing.T) {
	hurry(t)
	waitDelay = 20 * time.Millisecond
	var out slow
	if err := shell("head -c 1000000 /dev/zero").dump(t.Context(), &out); err != nil || out.Len() != 1_000_000 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

type broken struct {
	r   io.Reader
	err error
}

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		return n, b.err
	}
	return n, err
}

// On an error of the reader the program dies before its input ends (pitfall 42): it never sees the end.
func TestToolLoad(t *testing.T) {
	hurry(t)
	damaged := errors.New("damaged")
	for range 20 {
		loaded := filepath.Join(t.TempDir(), "loaded")
		err := shell(`cat >/dev/null; : >"$0"`, loaded).load(t.Context(), broken{strings.NewReader(strings.Repeat("row\n", 50_000)), damaged})
		if !errors.Is(err, damaged) {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(loaded); err == nil {
			t.Fatal("the program saw the end of its input")
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := shell(`cat >"$0"`, out).load(t.Context(), strings.NewReader("all of it")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(out); string(got) != "all of it" {
		t.Errorf("%q", got)
	}
	for script, want := range map[string]string{
		"cat >/dev/null; echo 'syntax error' >&2; exit 3": "syntax error",
		"exec <&-; sleep 0.2":                             "before it had read all of its input",
		"exit 0":                                          "before it had read all of its input",
		"head -c 10 >/dev/null; exit 2":                   "exit status 2",
	} {
		if err := shell(script).load(t.Context(), strings.NewReader(strings.Repeat("row\n", 500_000))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestToolMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := find("pg_dump", "pg_dumpall")
	if err == nil || !strings.Contains(err.Error(), "no pg_dump and no pg_dumpall on PATH") {
		t.Error(err)
	}
	if err := Command(&CommandOptions{Dump: []string{"pg_dump"}}).Dump(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Error(err)
	}
	if err := Command(&CommandOptions{Dump: []string{"x"}}).Load(t.Context(), strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Error(err)
	}
}

// No part of a secret is in what is kept, wherever it is cut.
func TestExcerpt(t *testing.T) {
	const secret = "S3CR3T-PASSWORD"
	for at := range 2*excerptSize + 100 {
		if at%7 != 0 && (at < excerptSize-40 || at > excerptSize+40) {
			continue
		}
		var e excerpt
		tl := &tool{path: "x", secrets: []string{secret}}
		text := strings.Repeat("x", at) + secret + strings.Repeat("y", 3*excerptSize) + "\n" + strings.Repeat("z", 10) + secret + "\nlast\n"
		for len(text) > 0 {
			n := min(len(text), 1000)
			if _, err := e.Write([]byte(text[:n])); err != nil {
				t.Fatal(err)
			}
			text = text[n:]
		}
		got := tl.error(errors.New("failed"), e.String()).Error()
		if strings.Contains(got, secret[:4]) || strings.Contains(got, secret[len(secret)-4:]) || !strings.HasSuffix(got, "last") {
			t.Fatalf("with the secret at %d: %s", at, got)
		}
	}
	var e excerpt
	fmt.Fprint(&e, "short")
	if e.String() != "short" {
		t.Errorf("%q", e.String())
	}
}

// Arguments are passed as they are, secrets by the environment.
func TestCommand(t *testing.T) {
	db := Command(&CommandOptions{
		Dump: []string{"sh", "-c", `printf '%s|%s|' "$1" "$PASSWORD"; pwd`, "sh", "a b;$(c)"}, Load: []string{"sh", "-c", `cat >&2; exit 1`},
		Env: []string{"PASSWORD=hunter2"}, Secrets: []string{"hunter2"}, Ext: ".x", Dir: "/",
	})
	var out bytes.Buffer
	if err := db.Dump(t.Context(), &out); err != nil || out.String() != "a b;$(c)|hunter2|/\n" || db.Ext() != ".x" {
		t.Errorf("%q %v", out.String(), err)
	}
	if err := db.Load(t.Context(), strings.NewReader("the password is hunter2")); err == nil || strings.Contains(err.Error(), "hunter2") ||
		!strings.Contains(err.Error(), "the password is [password]") {
		t.Error(err)
	}
}
