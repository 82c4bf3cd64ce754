//go:build unix

package database

import (
	"strings"
	"testing"
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
