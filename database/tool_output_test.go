//go:build unix

package database

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// The end of a program comes while its output is being read: a race, as the detector saw.
func TestOutputAtTheEnd(t *testing.T) {
	sh := &tool{path: "/bin/sh", args: []string{"-c", "for i in 1 2 3 4 5 6 7 8; do echo $i; done"}}
	for range 50 {
		out, err := sh.query(t.Context())
		if want := "1 2 3 4 5 6 7 8"; err != nil || strings.ReplaceAll(out, "\n", " ") != want {
			t.Fatalf("%q, %v, want %q", out, err, want)
		}
	}
}

// The last byte is not given before the end is known to be one: pg_restore commits on it, and does not wait for an end (pitfall 42).
func TestLoadKeepsTheLastByteBack(t *testing.T) {
	damaged := errors.New("damaged")
	const archive = "all of the archive."
	for name, read := range map[string]func(io.Reader) io.Reader{"at once": asItIs, "byte by byte": iotest.OneByteReader, "with its end": iotest.DataErrReader} {
		loaded := filepath.Join(t.TempDir(), "loaded")
		sh := &tool{path: "/bin/sh", args: []string{"-c", `head -c 19 >/dev/null && : >"$0"; cat >/dev/null`, loaded}}
		late := io.MultiReader(read(strings.NewReader(archive)), readerFunc(func([]byte) (int, error) {
			time.Sleep(200 * time.Millisecond) // such as the check of a digest
			return 0, damaged
		}))
		if err := sh.load(t.Context(), late); !errors.Is(err, damaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(loaded); err == nil {
			t.Errorf("%s: the program was given all of what turned out damaged", name)
		}
		for _, text := range []string{"", "x", "xy", strings.Repeat("0123456789", 60_000)} {
			out := filepath.Join(t.TempDir(), "out")
			if err := shell(`cat >"$0"`, out).load(t.Context(), read(strings.NewReader(text))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got, _ := os.ReadFile(out); string(got) != text {
				t.Errorf("%s: %d bytes arrived as %d", name, len(text), len(got))
			}
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What a program leaves running without its pipes is no failure, but ends with the call.
func TestNothingIsLeft(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	pid := filepath.Join(t.TempDir(), "pid")
	sh := shell(`sleep 60 >/dev/null 2>&1 </dev/null & echo $! >"$0"; cat; exit "$1"`, pid, "0")
	if err := sh.dump(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	if err := sh.load(t.Context(), strings.NewReader("x")); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	sh.args[len(sh.args)-1] = "1"
	if err := sh.dump(t.Context(), io.Discard); err == nil {
		t.Error("exit status 1 is success")
	}
	gone(t, pid)
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), goroutines)
		}
	}
}

// A reader that panics is no end of the input either (pitfall 42): the program is gone before a recover sees it.
func TestLoadFromPanic(t *testing.T) {
	loaded := filepath.Join(t.TempDir(), "loaded")
	sh := &tool{path: "/bin/sh", args: []string{"-c", `read line && read line; : >"$0"`, loaded}}
	func() {
		defer func() {
			if r := recover(); r != "damaged" {
				t.Errorf("recovered %v", r)
			}
		}()
		err := sh.load(t.Context(), panicking{})
		t.Errorf("no panic, but %v", err)
	}()
	time.Sleep(200 * time.Millisecond) // for a program that was left alive
	if _, err := os.Stat(loaded); err == nil {
		t.Error("the program has taken the panic for the end of its input")
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("damaged") }
