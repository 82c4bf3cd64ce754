//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// instruction is the command of RESTORE.txt that begins so, for the objects of a snapshot.
func instruction(t *testing.T, begins, id string) string {
	t.Helper()
	for line := range strings.Lines(restoreGuide) {
		command, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), "  ") // what it is for stands behind it
		if command = strings.TrimSpace(command); command == begins || strings.HasPrefix(command, begins+" ") {
			return strings.ReplaceAll(command, "ID", id)
		}
	}
	t.Fatalf("RESTORE.txt has no command %q", begins)
	return ""
}

// inShell runs what somebody types in dir.
func inShell(t *testing.T, dir, stdin, command string, env ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(stdin), append(os.Environ(), env...)
	out, err := cmd.Output()
	return string(out), err
}

// limited is a volume whose objects are small.
type limited struct{ storage.Volume }

func (l limited) Unwrap() storage.Volume { return l.Volume }
func (l limited) MaxObjectSize() int64   { return 100_000 }

// What RESTORE.txt says of .7z, typed literally: from the key to the password, to what was backed up.
func TestRestoreArchivesByHand(t *testing.T) {
	key := crypto.NewKey()
	archives, err := sevenzip.New(sevenzip.FromKey(key), &sevenzip.Options{Method: sevenzip.Copy})
	if err != nil {
		t.Fatal(err)
	}
	text := string(noise(250_000, 7))
	for what, test := range map[string]struct {
		segment int64
		cut     bool // by the volume
		extract string
	}{
		"in one piece":                 {extract: "7zz x ID.sql.7z"},
		"in pieces":                    {segment: 100_000, extract: "7zz x ID.sql.7z.001"},
		"in pieces from a first whole": {cut: true, extract: "7zz x ID.sql.7z.001"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "volume")
			onDisk, err := localfs.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			vol := storage.Volume(onDisk)
			if test.cut {
				vol = limited{vol}
			}
			b, err := backup.New(vol, &backup.Options{Encryptor: archives, SegmentSize: test.segment})
			if err != nil {
				t.Fatal(err)
			}
			snap, err := b.Create(t.Context(), "shop", strings.NewReader(text), &backup.CreateOptions{Ext: ".sql"})
			if err != nil {
				t.Fatal(err)
			}
			there := filepath.Join(dir, "shop")
			password, err := inShell(t, there, "", instruction(t, `echo "$BACKUP_ENCRYPTION_KEY"`, snap.ID), keyVar+"="+key.Encode())
			if err != nil || password != hexOf(key)+"\n" {
				t.Fatalf("the password has %d bytes, %v", len(password), err)
			}
			if test.cut {
				if _, err := inShell(t, there, password, instruction(t, "7zz x ID.sql.7z", snap.ID)); err == nil {
					t.Error("7zz opens it without its number")
				}
				if _, err := inShell(t, there, "", instruction(t, "mv ID.sql.7z", snap.ID)); err != nil {
					t.Fatal(err)
				}
			}
			extract := instruction(t, test.extract, snap.ID)
			if _, err := inShell(t, there, strings.Repeat("0", 64)+"\n", extract); err == nil {
				t.Error("another password passes")
			}
			_ = os.Remove(filepath.Join(there, "shop.sql")) // of that
			if out, err := inShell(t, there, password, extract); err != nil {
				t.Fatalf("%s: %v: %s", extract, err, out)
			}
			if got, err := os.ReadFile(filepath.Join(there, "shop.sql")); err != nil || string(got) != text {
				t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
			}
		})
	}
}
