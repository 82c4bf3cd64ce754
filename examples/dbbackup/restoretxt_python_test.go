//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// findPython finds a python3 that has what RESTORE.txt says is to be installed.
func findPython(t *testing.T) string {
	t.Helper()
	var errs []error
	for _, exe := range []string{"python3", "/usr/bin/python3"} { // the second has Debian's packages
		out, err := exec.CommandContext(t.Context(), exe, "-c", "import cryptography, sys; print(sys.executable)").Output()
		if err == nil {
			return strings.TrimSpace(string(out))
		}
		errs = append(errs, err)
	}
	t.Fatalf("no python3 here has the package cryptography: make tools installs it (%v)", errs)
	return ""
}

// byHand takes decrypt.py out of RESTORE.txt as that says, and gives it what cat prints of objects, a glob.
func byHand(t *testing.T, python, objects, key string, args ...string) (string, error) {
	t.Helper()
	guide, dir := write(t, restoreTextName, restoreGuide), t.TempDir()
	script := fmt.Sprintf(`cd %s && sed -n '/^# decrypt.py/,/^# end/p' %s > decrypt.py && cat %s | "$PYTHON" decrypt.py "$@"`, dir, guide, objects)
	if !strings.Contains(restoreGuide, `sed -n '/^# decrypt.py/,/^# end/p' RESTORE.txt > decrypt.py`) {
		t.Error("RESTORE.txt has another command to take decrypt.py out of it")
	}
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", script, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHON="+python, keyVar+"="+key)
	out, err := cmd.Output()
	return string(out), err
}

// RESTORE.txt keeps its promise: what it has in it decrypts, and finds a wrong key and a cut stream.
func TestRestoreByHand(t *testing.T) {
	python := findPython(t)
	s := newShell(t)
	text := string(noise(3<<20, 4))
	ref := last(s.ok(text, "backup", "--name=shop", "--ext=.sql", "--compression=none"))
	object := filepath.Join(s.dir, filepath.FromSlash(ref)+".sql.aes")
	for _, key := range []string{s.key.Encode(), strings.TrimRight(s.key.Encode(), "=")} {
		if got, err := byHand(t, python, object+"*", key); err != nil || got != text {
			t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
		}
	}
	if got, err := byHand(t, python, object+"*", crypto.NewKey().Encode()); err == nil || got != "" {
		t.Errorf("with another key: %d bytes, %v", len(got), err)
	}

	next := crypto.NewKey()
	s.env[keyVar], s.env[oldKeysVar] = next.Encode(), s.key.Encode()
	s.ok("", "rekey", ref)
	wrap := filepath.Join(s.dir, filepath.FromSlash(ref)+".wrap-"+next.ID())
	if got, err := byHand(t, python, object+"*", next.Encode(), wrap); err != nil || got != text {
		t.Errorf("rekeyed: %d bytes of %d, %v", len(got), len(text), err)
	}

	if err := os.Truncate(object, 2<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := byHand(t, python, object+"*", s.key.Encode()); err == nil {
		t.Error("a cut stream passes")
	}
}

// Pieces are joined in the right order by what RESTORE.txt says.
func TestRestoreByHandOfPieces(t *testing.T) {
	golden := filepath.Join("..", "..", "testdata", "golden")
	want, err := os.ReadFile(filepath.Join(golden, "plain.sql"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := os.ReadFile(filepath.Join(golden, "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(keys), "aes256-old ")
	key, _, _ = strings.Cut(key, "\n")
	volume, err := filepath.Abs(filepath.Join(golden, "rollover-none-aes256"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := byHand(t, findPython(t), volume+"/shop/eu/*.sql.aes*", key); err != nil || got != string(want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
}
