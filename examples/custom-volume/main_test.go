package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"volume    http://127.0.0.1:", "created   shop/", "failed    ", "the database went away", "listed    shop/",
		": identical", "refused   ", "is the token right?"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if n := strings.Count(out.String(), "listed "); n != 1 {
		t.Errorf("%d snapshots are listed, want the one that was committed:\n%s", n, &out)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}
