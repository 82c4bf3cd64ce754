package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
)

// A snapshot's way through every command.
func TestCommands(t *testing.T) {
	s := newShell(t)
	const sql = "INSERT INTO shop VALUES (1);\n"
	ref := last(s.ok(sql, "backup", "--name", "shop", "--ext", ".sql"))
	if !strings.HasPrefix(ref, "shop/") {
		t.Fatalf("backup printed %q", ref)
	}
	other := last(s.ok("", "backup", "--name", "eu/files", write(t, "a.Tar.GZ", "packed")))

	if got := s.ok("", "names"); got != "eu/files\nshop\n" {
		t.Errorf("names: %q", got)
	}
	if got := s.ok("", "list", "--name", "shop"); !strings.HasPrefix(got, ref+" ") || strings.Count(got, "\n") != 1 {
		t.Errorf("list of shop: %q", got)
	}
	if got := s.ok("", "list"); !strings.Contains(got, ref) || !strings.Contains(got, other) {
		t.Errorf("list of all: %q", got)
	}
	for _, id := range []string{ref, "shop/latest"} {
		if got := s.ok("", "restore", id); got != sql {
			t.Errorf("restore %s: %q", id, got)
		}
		if got := s.ok("", "restore", "--verify-first", id); got != sql {
			t.Errorf("restore --verify-first %s: %q", id, got)
		}
	}
	if got := s.ok("", "verify", "shop/latest"); !strings.HasPrefix(got, "ok "+ref) || !strings.Contains(got, "sha-256") {
		t.Errorf("verify: %q", got)
	}
	if got := s.ok("", "verify", ref, "--stored"); !strings.HasPrefix(got, "ok "+ref) {
		t.Errorf("verify --stored: %q", got)
	}
	if got := s.ok("", "show", ref); !strings.Contains(got, s.key.ID()) || !strings.Contains(got, "verified with the key") {
		t.Errorf("show: %s", got)
	}
	if got := s.ok("", "open", ref+".sql.zst.aes"); got != sql {
		t.Errorf("open: %q", got)
	}
	if got := s.ok("", "show", other); !strings.Contains(got, ".tar.gz.zst.aes") {
		t.Errorf("the file's extension was not taken: %s", got)
	}
	if got := s.ok("", "check"); strings.Contains(got, "FAILED") || !strings.Contains(got, "encryption: ") {
		t.Errorf("check: %s", got)
	}
	s.ok("", "delete", ref)
	s.fails(exitFailure, []string{"restore", ref}, "no such snapshot", ref, "dbbackup list shows")
	s.fails(exitFailure, []string{"restore", "nope/latest"}, "dbbackup names shows")
	s.fails(exitFailure, []string{"delete", ref}, "no such snapshot", ref)
	if got := s.ok("", "sweep"); !strings.HasPrefix(got, "0 abandoned") {
		t.Errorf("sweep: %q", got)
	}
	if got := s.ok("", "names"); got != "eu/files\n" {
		t.Errorf("names after delete: %q", got)
	}
}

func TestFormats(t *testing.T) {
	s := newShell(t)
	text := strings.Repeat("text that compresses ", 1000)
	for _, args := range [][]string{
		{"--compression=none"}, {"--compression=gzip"}, {"--compression=zstd", "--level=19"}, {"--compression=xz", "--level=0"},
		{"--encryption=none"}, {"--encryption=none", "--compression=none"},
	} {
		ref := last(s.ok(text, append([]string{"backup", "--name=f"}, args...)...))
		restore := []string{"restore", ref}
		if slices.Contains(args, "--encryption=none") {
			s.fails(exitFailure, restore, "not encrypted", "--allow-unsealed")
			restore = append(restore, "--allow-unsealed")
		}
		if s.ok("", restore...) != text {
			t.Errorf("%q: restored differs", args)
		}
	}
}

func TestRestoreToFile(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("new", "backup", "--name=shop"))
	path := write(t, "out.sql", "old")
	if got := s.ok("", "restore", ref, "-o", path); got != "" {
		t.Errorf("standard output: %q", got)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
	if got := s.ok("", "restore", ref, "-o", "-"); got != "new" {
		t.Errorf("-o -: %q", got)
	}
	s.fails(exitUsage, []string{"restore", ref, "-o", t.TempDir()}, "is a directory")
	missing := filepath.Join(t.TempDir(), "missing")
	s.fails(exitFailure, []string{"restore", ref, "-o", filepath.Join(missing, "out.sql")}, "no directory "+missing+":")
	s.fails(exitFailure, []string{"restore", ref, "-o", filepath.Join(path, "out.sql")}, "directory")
	for _, empty := range [][]string{{"-o", ""}, {"-o="}} {
		if r := s.run("", append(empty, "restore", ref)...); r.status != exitUsage || r.out != "" || !strings.Contains(r.err, "unset variable") {
			t.Errorf("%q: %+v", empty, r)
		}
	}
	s.fails(exitFailure, []string{"restore", "shop/20261122t175500123z-7f3a9c2e", "-o", path}, "no such snapshot")
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("a failed restore changed the file: %q", got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left beside the file: %v, %v", left, err)
	}
}

// What is damaged is found, is never given out with --verify-first or -o, and does not pass as success.
func TestDamage(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok(strings.Repeat("data ", 1000), "backup", "--name=shop", "--ext=.sql"))
	object := filepath.Join(s.dir, filepath.FromSlash(ref)+".sql.zst.aes")
	data, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(object, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{{"verify", ref}, {"verify", "--stored", ref}, {"restore", ref}, {"restore", "--verify-first", ref}, {"restore", ref, "-o", out}, {"open", ref + ".sql.zst.aes"}} {
		s.fails(exitFailure, args, "damaged")
	}
	if got := s.run("", "restore", "--verify-first", ref); got.out != "" {
		t.Errorf("%d bytes were released before the verification", len(got.out))
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a failed restore: %v", err)
	}
}

func TestCopyAndRekey(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("data", "backup", "--name=shop", "--ext=.sql"))
	to := filepath.Join(t.TempDir(), "other")
	copied := last(s.ok("", "copy", ref, "--to", fileURLOf(to), "--name=eu/shop"))
	if got := s.ok("", "--volume", fileURLOf(to), "restore", copied); got != "data" || !strings.HasPrefix(copied, "eu/shop/") {
		t.Errorf("copy %s: %q", copied, got)
	}
	if got, err := os.ReadFile(filepath.Join(to, restoreTextName)); err != nil || string(got) != restoreGuide {
		t.Errorf("RESTORE.txt of the copy's volume: %v", err)
	}

	next := crypto.NewKey()
	s.env[keyVar], s.env[oldKeysVar] = next.Encode(), " , "+s.key.Encode()
	if got := last(s.ok("", "rekey", ref)); got != next.ID() {
		t.Errorf("rekey printed %q, not %s", got, next.ID())
	}
	s.env[oldKeysVar] = ""
	if got := s.ok("", "restore", ref); got != "data" {
		t.Errorf("restored with the new key: %q", got)
	}
}

func TestJSON(t *testing.T) {
	s := newShell(t)
	var list []map[string]any
	s.ok("x", "backup", "--name=other", "--encryption=none")
	ref := last(s.ok("data", "backup", "--name=shop", "--ext=.sql"))
	if err := json.Unmarshal([]byte(s.ok("", "list", "--json", "--name=shop")), &list); err != nil || len(list) != 1 || list[0]["ref"] != ref {
		t.Errorf("list --json: %v, %v", list, err)
	}
	if _, there := list[0]["plain_size"]; there {
		t.Errorf("a listing reads no manifest, but has its details: %v", list[0])
	}
	var shown map[string]any
	if err := json.Unmarshal([]byte(s.ok("", "show", ref, "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"ref": ref, "name": "shop", "ext": ".sql", "plain_size": 4.0, "seal": "verified"} {
		if shown[key] != want {
			t.Errorf("show --json: %s is %v, not %v", key, shown[key], want)
		}
	}
	if r := s.run("", "list", "--json", "--name=nothing"); r.status != exitOK || r.out != "[]\n" || !strings.Contains(r.err, `no snapshots of the name "nothing"`) {
		t.Errorf("list of nothing: %+v", r)
	}
}

// RESTORE.txt is written once, and whoever changes it keeps the change.
func TestRestoreText(t *testing.T) {
	s := newShell(t)
	s.ok("x", "backup", "--name=shop")
	path := filepath.Join(s.dir, restoreTextName)
	if got, err := os.ReadFile(path); err != nil || string(got) != restoreGuide {
		t.Fatalf("%q, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ok("x", "backup", "--name=shop")
	if got, _ := os.ReadFile(path); string(got) != "ours" {
		t.Errorf("it was overwritten: %q", got)
	}
}

// refusing is a volume with nothing but the five methods, of which Put fails with err, if there is one.
type refusing struct {
	storage.Volume
	err error
}

func (v refusing) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	if v.err != nil {
		return storage.Object{}, v.err
	}
	return v.Volume.Put(ctx, name, r)
}

func TestRestoreTextOnOtherVolumes(t *testing.T) {
	for _, want := range []string{"", "the disk is full"} {
		vol := refusing{Volume: storage.Memory()}
		if want != "" {
			vol.err = errors.New(want)
		}
		var stderr bytes.Buffer
		newApp(nil, nil, &stderr, nil).leaveRestoreText(t.Context(), vol)
		if !strings.Contains(stderr.String(), want) || (want == "") != (stderr.Len() == 0) {
			t.Errorf("%q, want %q", &stderr, want)
		}
		got, err := storage.ReadObject(t.Context(), vol, restoreTextName, 1<<20)
		if want == "" && string(got) != restoreGuide {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestEmptyInput(t *testing.T) {
	s := newShell(t)
	older := last(s.ok("older", "backup", "--name=shop"))
	s.fails(exitFailure, []string{"backup", "--name=shop"}, "shorter", "--min-size", "nothing was committed")
	if got := s.ok("", "list", "--name=shop"); strings.Count(got, "\n") != 1 || !strings.Contains(got, older) {
		t.Errorf("a refused stream is listed: %q", got)
	}
	r := s.run("", "backup", "--name=shop", "--min-size=0")
	if r.status != exitOK || !strings.Contains(r.err, "warning") || !strings.Contains(r.err, "is empty") {
		t.Errorf("status %d, %q", r.status, r.err)
	}
	if got := s.ok("", "restore", last(r.out)); got != "" {
		t.Errorf("restored %q", got)
	}
}

func TestCancelledBackupCommitsNothing(t *testing.T) {
	s := newShell(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped by a signal (test)"))
	r := s.runContext(ctx, "x", "backup", "--name=shop")
	if r.status != exitFailure || !strings.Contains(r.err, "stopped by a signal") || r.out != "" {
		t.Errorf("%+v", r)
	}
	if got := s.files(); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func TestExtOf(t *testing.T) {
	for file, want := range map[string]string{
		"shop.sql": ".sql", "/a.b/shop": "", "shop.SQL": ".sql", "a.tar.gz": ".tar.gz", "a.sql.zst": ".sql.zst", "a.gz": ".gz",
		"dump.2024": "", "dump.2024.gz": ".gz", "a.s-ql": "", "a.waytoolongext": "", ".hidden.gz": ".hidden.gz", "a.": "", "a.gz.gz": ".gz.gz", "a.tar.gz.xz": ".gz.xz",
	} {
		if got := extOf(file); got != want {
			t.Errorf("extOf(%q) = %q, want %q", file, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 5 << 40: "5.0 TiB", 1<<63 - 1: "8.0 EiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	s := newShell(t)
	if got := s.ok("", "version"); !strings.HasPrefix(got, "dbbackup ") {
		t.Errorf("version: %q", got)
	}
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}} {
		if got := s.ok("", args...); !strings.Contains(got, "usage: dbbackup") || !strings.Contains(got, keyVar) {
			t.Errorf("%q: %s", args, got)
		}
	}
	for _, c := range commands() {
		for _, args := range [][]string{{"help", c.name}, {c.name, "-h"}, {"--help", c.name}} {
			got := s.ok("", args...)
			if !strings.HasPrefix(got, "usage: dbbackup "+c.name) || !strings.Contains(got, "--help") {
				t.Errorf("%q: %s", args, got)
			}
			for _, f := range c.flags {
				if !strings.Contains(got, "-"+f+" ") {
					t.Errorf("%q does not show -%s", args, f)
				}
			}
		}
	}
}

func TestHelpShowsWhatMakesADifference(t *testing.T) {
	s := newShell(t)
	for name, want := range map[string][2]bool{"backup": {true, true}, "restore": {true, false}, "delete": {true, false}, "keygen": {false, false}} {
		got := s.ok("", "help", name)
		if shown := [2]bool{strings.Contains(got, "--volume "), strings.Contains(got, "--compression ")}; shown != want {
			t.Errorf("help %s shows --volume and --compression: %v, want %v", name, shown, want)
		}
	}
}

func TestKeygen(t *testing.T) {
	s := newShell(t)
	r := s.run("", "keygen")
	text, found := strings.CutPrefix(strings.TrimSpace(r.out), keyVar+"=")
	key, err := crypto.ParseKey(text)
	if r.status != exitOK || !found || err != nil {
		t.Fatalf("status %d, standard output of %d bytes, %v", r.status, len(r.out), err)
	}
	if !strings.Contains(r.err, key.ID()) || !strings.Contains(r.err, "umask 077") || strings.Contains(r.err, text[10:30]) {
		t.Errorf("standard error must have the id and not the key: %q", r.err)
	}
	if again := s.run("", "keygen"); again.out == r.out {
		t.Error("the same key twice")
	}
}

func TestListShowsTimes(t *testing.T) {
	s := newShell(t)
	before := time.Now().UTC().Truncate(time.Second)
	s.ok("x", "backup", "--name=shop")
	fields := strings.Fields(s.ok("", "list"))
	at, err := time.Parse(time.DateTime+"Z", fields[1]+" "+fields[2])
	if err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("%q: %v, %v", fields, at, err)
	}
}
