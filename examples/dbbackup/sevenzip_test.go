package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// sevenZip runs stock 7-Zip in dir.
func sevenZip(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("7zz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package 7zip)", err)
	}
	cmd := exec.CommandContext(t.Context(), "7zz", args...)
	cmd.Dir = dir
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("7zz %v: %v: %s%s", args, err, &out, &msg)
	}
	return out.String()
}

// hexOf is the password that a key stands for.
func hexOf(k crypto.Key) string { return hex.EncodeToString(k.Bytes()) }

// An archive's way through every command.
func TestArchives(t *testing.T) {
	s := newShell(t)
	text := strings.Repeat("INSERT INTO shop VALUES (1);\n", 10_000)
	s.env["BACKUP_ENCRYPTION"] = "7z"
	if got := s.ok("", "check"); strings.Contains(got, "FAILED") || !strings.Contains(got, "encryption: ") {
		t.Errorf("check: %s", got)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "7z, level 6, method deflate"},
		{[]string{"--level=1"}, "7z, level 1, method deflate"},
		{[]string{"--7z-method=deflate", "--level=9"}, "7z, level 9, method deflate"},
		{[]string{"--7z-method=lzma2", "--level=1"}, "7z, level 1, method lzma2"},
		{[]string{"--7z-method=copy"}, "7z, method copy"},
		{[]string{"--compression=none"}, "7z, level 6, method deflate"},
	} {
		ref := last(s.ok(text, append(test.args, "backup", "--name=eu/shop", "--ext=.sql")...))
		object := ref + ".sql.7z"
		if got := s.ok("", "show", ref); !strings.Contains(got, test.want+", key "+s.key.ID()+"\n") || !strings.Contains(got, "verified with the key") {
			t.Errorf("%q: show: %s", test.args, got)
		}
		if got := s.ok("", "restore", ref); got != text {
			t.Errorf("%q: restore: %d bytes of %d", test.args, len(got), len(text))
		}
		if got := sevenZip(t, s.dir, "x", "-so", "-p"+hexOf(s.key), object, "shop.sql"); got != text {
			t.Errorf("%q: 7zz x: %d bytes of %d", test.args, len(got), len(text))
		}
	}
	ref := last(s.ok(text, "backup", "--name=shop", "--segment-size=500", "--ext=.sql"))
	if got := s.ok("", "verify", "shop/latest"); !strings.HasPrefix(got, "ok "+ref) {
		t.Errorf("verify: %q", got)
	}
	if got := s.ok("", "open", ref+".sql.7z.001"); got != text {
		t.Errorf("open: %d bytes of %d", len(got), len(text))
	}
	if got := sevenZip(t, s.dir, "x", "-so", "-p"+hexOf(s.key), ref+".sql.7z.001"); got != text {
		t.Errorf("7zz x of segments: %d bytes of %d", len(got), len(text))
	}
	s.fails(exitFailure, []string{"rekey", "eu/shop/latest"}, "7z", "Copy it instead")
}

// Every format reads with the same key, whatever the others are written with.
func TestCopyBetweenArchivesAndAES(t *testing.T) {
	s := newShell(t)
	other := fileURLOf(filepath.Join(t.TempDir(), "other"))
	ref := last(s.ok("data", "backup", "--name=shop", "--ext=.sql"))
	archive := last(s.ok("", "copy", ref, "--to", other, "--encryption=7z", "--7z-method=copy"))
	if got := s.ok("", "--volume", other, "show", archive); !strings.Contains(got, ".sql.7z") || !strings.Contains(got, ref) {
		t.Errorf("the copy: %s", got)
	}
	if got := s.ok("", "--volume", other, "restore", archive); got != "data" {
		t.Errorf("the copy restores to %q", got)
	}
	back := last(s.ok("", "--volume", other, "copy", archive, "--to", s.env["BACKUP_VOLUME"], "--name=back"))
	if got := s.ok("", "show", back); !strings.Contains(got, ".sql.zst.aes") {
		t.Errorf("the copy of the copy: %s", got)
	}
	if got := s.ok("", "restore", back); got != "data" {
		t.Errorf("the copy of the copy restores to %q", got)
	}
}

func TestArchiveUsageErrors(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--encryption=7z", "--7z-method=rar"}, []string{`"rar"`, "deflate", "lzma2", "copy"}},
		{[]string{"--encryption=7z", "--level=10"}, []string{"level 10", "between 1 and 9"}},
		{[]string{"--encryption=7z", "--level=-1"}, []string{"level -1"}},
		{[]string{"--encryption=7z", "--level=ultra"}, []string{`"ultra"`}},
		{[]string{"--encryption=7z", "--7z-method=copy", "--level=3"}, []string{"level 3", "no levels"}},
		{[]string{"--7z-method=lzma2"}, []string{"--encryption 7z"}},
		{[]string{"--encryption=aes256", "--7z-method=lzma2"}, []string{"--encryption 7z"}},
	} {
		s := newShell(t)
		s.fails(exitUsage, append(test.args, "backup", "--name=shop"), test.want...)
		if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q made a volume: %v", test.args, err)
		}
	}
	s := newShell(t)
	for _, format := range []string{"zstd", "gzip"} {
		r := s.run("x", "backup", "--name=shop", "--encryption=7z", "--compression", format)
		if r.status == exitOK || !strings.Contains(r.err, "7z compresses by itself: leave --compression unset instead of "+format) {
			t.Errorf("--compression %s beside 7z: %+v", format, r)
		}
	}
	delete(s.env, keyVar)
	s.fails(exitUsage, []string{"backup", "--name=shop", "--encryption=7z"}, keyVar, "keygen")
}

// What the environment says of compression is for other formats, and stands in nobody's way who reads.
func TestArchiveEnvironment(t *testing.T) {
	s := newShell(t)
	s.env["BACKUP_COMPRESSION"], s.env["BACKUP_COMPRESSION_LEVEL"] = "zstd", "19"
	if got := s.ok("", "show", last(s.ok("x", "backup", "--name=a", "--encryption=7z"))); !strings.Contains(got, "level 6, method deflate") {
		t.Errorf("with BACKUP_COMPRESSION=zstd: %s", got)
	}
	s.env["BACKUP_ENCRYPTION"], s.env["BACKUP_COMPRESSION_LEVEL"], s.env["BACKUP_7Z_METHOD"] = "7z", "2", "lzma2"
	if r := s.run("x", "backup", "--name=a"); r.status == exitOK || !strings.Contains(r.err, "7z compresses by itself") {
		t.Errorf("with BACKUP_COMPRESSION=zstd and BACKUP_ENCRYPTION=7z: %+v", r)
	}
	delete(s.env, "BACKUP_COMPRESSION")
	ref := last(s.ok("x", "backup", "--name=a"))
	if got := s.ok("", "show", ref); !strings.Contains(got, "level 2, method lzma2") {
		t.Errorf("with BACKUP_7Z_METHOD=lzma2: %s", got)
	}
	for name, value := range map[string]string{"BACKUP_COMPRESSION": "foo", "BACKUP_COMPRESSION_LEVEL": "99", "BACKUP_7Z_METHOD": "rar"} {
		s.env[name] = value
		for _, args := range [][]string{{"restore", ref}, {"verify", ref}, {"open", ref + ".7z"}} {
			s.ok("", args...)
		}
	}
}

// A password that is no key: only --encryption 7z takes it, and no error repeats it.
func TestArchivesOfAPassword(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	const password = "correct horse: Größe €"
	s.env[keyVar] = password
	for _, args := range [][]string{{"backup", "--name=shop"}, {"list"}} {
		r := s.run("x", args...)
		if r.status != exitUsage || strings.Contains(r.err, "horse") || !strings.Contains(r.err, "--encryption 7z") {
			t.Errorf("dbbackup %q: %+v", args, r)
		}
	}
	s.env["BACKUP_ENCRYPTION"] = "7z"
	object := last(s.ok("data", "backup", "--name=shop", "--ext=.sql")) + ".sql.7z"
	if got := sevenZip(t, s.dir, "x", "-so", "-p"+password, object); got != "data" {
		t.Errorf("7zz x: %q", got)
	}
	s.env[keyVar], s.env[oldKeysVar] = s.key.Encode(), password // it became a key
	if got := s.ok("", "restore", "shop/latest"); got != "data" {
		t.Errorf("with the password among the old keys: %q", got)
	}
	delete(s.env, oldKeysVar)
	s.fails(exitFailure, []string{"restore", "shop/latest"}, "another password", keyVar, oldKeysVar) // which takes no time, as a key is none
}

// What Databasement made, "7z a -t7z -mx=6 -mhe=on" with the hex of its key, under a plain name.
func TestOpenStockArchives(t *testing.T) {
	s := newShell(t)
	text := strings.Repeat("INSERT INTO shop VALUES (1);\n", 10_000)
	files := filepath.Dir(write(t, "dump.sql", text))
	if err := os.WriteFile(filepath.Join(files, "other.sql"), []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	pack := func(archive, password string, names ...string) {
		sevenZip(t, files, append([]string{"a", "-t7z", "-mx=6", "-mhe=on", "-p" + password, filepath.Join(s.dir, archive)}, names...)...)
	}
	pack("dump.sql.7z", hexOf(s.key), "dump.sql")
	pack("two.7z", hexOf(s.key), "dump.sql", "other.sql")
	pack("words.7z", "correct horse", "dump.sql")

	if got := s.ok("", "open", "dump.sql.7z"); got != text {
		t.Errorf("open: %d bytes of %d", len(got), len(text))
	}
	s.fails(exitFailure, []string{"open", "two.7z"}, "2 files", `"dump.sql"`, `"other.sql"`, "--file")
	if got := s.ok("", "open", "two.7z", "--file", "other.sql"); got != "other" {
		t.Errorf("open --file: %q", got)
	}
	s.fails(exitFailure, []string{"open", "two.7z", "--file", "third.sql"}, `"third.sql"`, `"other.sql"`)

	s.fails(exitFailure, []string{"open", "words.7z"}, "another password", keyVar, oldKeysVar)
	s.env["BACKUP_ENCRYPTION"], s.env[oldKeysVar] = "7z", "wrong,correct horse"
	if got := s.ok("", "open", "words.7z"); got != text {
		t.Errorf("open with an old password: %d bytes of %d", len(got), len(text))
	}
	old := s.env[keyVar]
	s.env[keyVar], s.env[oldKeysVar] = crypto.NewKey().Encode(), old
	if got := s.ok("", "open", "dump.sql.7z"); got != text {
		t.Errorf("open with an old key: %d bytes of %d", len(got), len(text))
	}
	delete(s.env, oldKeysVar)
	s.fails(exitFailure, []string{"open", "dump.sql.7z"}, "another password", keyVar, oldKeysVar)
	delete(s.env, keyVar)
	delete(s.env, "BACKUP_ENCRYPTION")
	s.fails(exitFailure, []string{"open", "dump.sql.7z"}, "encrypted")
}
