//go:build unix

package database

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
