package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.txt")
	if err := os.WriteFile(own, []byte("a file of mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "volume")
	for _, args := range [][]string{nil, {own}, {empty}, {own, kept}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			var out bytes.Buffer
			if err := run(t.Context(), &out, args); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"volume    file://", "created   shop/", "listed    shop/", "verified  ", "sha-256   ", ".sql.zst.aes", ": identical"} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, &out)
				}
			}
			left, err := os.ReadDir(os.Getenv("TMPDIR"))
			if err != nil || len(left) != 0 {
				t.Errorf("left in the temporary directory: %v, %v", left, err)
			}
		})
	}
	if objects, err := filepath.Glob(filepath.Join(kept, "shop", "*.aes")); len(objects) != 1 {
		t.Errorf("the volume that stays holds %v, %v", objects, err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"does-not-exist"}, {"a", "b", "c"}} {
		if err := run(t.Context(), new(bytes.Buffer), args); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestSampleIsDeterministicAndRealistic(t *testing.T) {
	a, b := sampleDump(), sampleDump()
	if !bytes.Equal(a, b) || len(a) < 2<<20 || len(a) > 10<<20 {
		t.Errorf("two samples: %d and %d bytes, equal %v", len(a), len(b), bytes.Equal(a, b))
	}
}

func TestCompareFindsDifferences(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, other := range []string{"abd", "ab", "abcd", ""} {
		if err := os.WriteFile(a, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if compare(a, b) == nil || compare(b, a) == nil {
			t.Errorf("abc and %q compare as equal", other)
		}
	}
}
