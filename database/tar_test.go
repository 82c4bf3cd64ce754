package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/databasement/backup/database"
)

// place is a temporary directory in which directories without permissions may be left.
func place(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { // before that of TempDir
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, _ error) error {
			if d.IsDir() {
				_ = os.Chmod(name, 0o700)
			}
			return nil
		})
	})
	return dir
}

// tree makes a directory with about all that one can hold.
func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(place(t), "tree")
	at := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	long := strings.Repeat("long name ", 25)
	for _, d := range []string{"", "a", "a/deep", "empty", "sealed", strings.Join([]string{long, long, long}, "/")} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]fs.FileMode{
		"a/plain": 0o644, "a/deep/exec": 0o755, "a.b": 0o600, "sealed/inside": 0o400, "-x": 0o644, "数\n'\"\\": 0o644, "\xff\xfe": 0o640,
		long + "/" + long + "/" + long + "/" + long: 0o644,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(filepath.Join(dir, name), mode), os.Chtimes(filepath.Join(dir, name), at, at)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "a/none"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, "a/zeros"), make([]byte, 1<<20), 0o644),
		os.Link(filepath.Join(dir, "a/plain"), filepath.Join(dir, "a/same")),
		os.Symlink("../a.b", filepath.Join(dir, "a/link")),
		os.Symlink("/etc/passwd", filepath.Join(dir, "outside")),
		os.Symlink("no such thing", filepath.Join(dir, "dangling")),
		os.Symlink("a", filepath.Join(dir, "to a directory")),
		os.Chmod(filepath.Join(dir, "sealed"), 0o500),
	)
	for _, d := range []string{"a/deep", "a", "empty", "sealed", ""} {
		err = errors.Join(err, os.Chtimes(filepath.Join(dir, d), at, at))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// inventory is a line for each file below dir: kind, permissions, time, content. Links have no time of their own.
func inventory(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, at := "", info.ModTime().UTC().Format(time.RFC3339Nano)
		switch info.Mode().Type() {
		case 0:
			b, e := os.ReadFile(name)
			content, err = fmt.Sprintf("%d %.60q", len(b), b), e
		case fs.ModeSymlink:
			content, err = os.Readlink(name)
			at = ""
		}
		rel, _ := filepath.Rel(dir, name)
		fmt.Fprintf(&all, "%q %v %s %s\n", rel, info.Mode(), at, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// gnuTar runs the stock tool.
func gnuTar(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("tar")
	if err != nil {
		t.Fatalf("%v: run `make tools` (Debian package tar)", err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("tar %q: %v: %s", args, err, &said)
	}
	return out.Bytes()
}

func tarDump(t *testing.T, db database.Database) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := db.Dump(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTarRoundTrip(t *testing.T) {
	dir := tree(t)
	want := inventory(t, dir)
	dump := tarDump(t, database.Tar(dir, nil))
	if again := tarDump(t, database.Tar(dir, nil)); !bytes.Equal(again, dump) {
		t.Error("the same files make another archive")
	}
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(dump), "one byte": iotest.OneByteReader(bytes.NewReader(dump)), "data and end": iotest.DataErrReader(bytes.NewReader(dump)),
		"by tar": bytes.NewReader(gnuTar(t, nil, "-C", dir, "--format=pax", "-c", ".")),
		"as gnu": bytes.NewReader(gnuTar(t, nil, "-C", dir, "--format=pax", "--blocking-factor=200", "--sort=inode", "-c", ".")),
	} {
		t.Run(name, func(t *testing.T) {
			parent := place(t)
			to := filepath.Join(parent, "to")
			if name == "whole" { // an empty directory is replaced
				if err := os.Mkdir(to, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := database.Tar(to, nil).Load(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if got := inventory(t, to); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			holds(t, parent, "to")
		})
	}
	to := place(t)
	gnuTar(t, dump, "-C", to, "-xpf", "-")
	if got := inventory(t, to); got != want {
		t.Errorf("by tar: got\n%swant\n%s", got, want)
	}
}

func TestTarLeavesOut(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"keep/x", "keep/x.tmp", "cache/y", "cache.txt"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	o := &database.TarOptions{Exclude: func(path string) bool { return path == "cache" || strings.HasSuffix(path, ".tmp") }}
	for name, db := range map[string]database.Database{"directory": database.Tar(dir, o), "fs.FS": database.TarFS(os.DirFS(dir), o)} {
		got := strings.Fields(string(gnuTar(t, tarDump(t, db), "-t")))
		if want := []string{"./", "cache.txt", "keep/", "keep/x"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTarFS(t *testing.T) {
	fsys := fstest.MapFS{
		"b/c": {Data: []byte("c"), Mode: 0o640, ModTime: time.Unix(1e9, 0)}, "a": {Data: []byte("aa"), Mode: 0o600},
		"l": {Data: []byte("b/c"), Mode: fs.ModeSymlink | 0o777},
	}
	db := database.TarFS(fsys, nil)
	to := filepath.Join(place(t), "to")
	if err := database.Tar(to, nil).Load(t.Context(), bytes.NewReader(tarDump(t, db))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(to + "/b/c")
	if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(time.Unix(1e9, 0)) {
		t.Errorf("b/c is %v: %v", info, err)
	}
	if b, err := os.ReadFile(to + "/l"); string(b) != "c" {
		t.Errorf("by the link: %q, %v", b, err)
	}
	if err := db.Load(t.Context(), bytes.NewReader(nil)); err == nil || !strings.Contains(err.Error(), "database.Tar") {
		t.Errorf("Load: %v", err)
	}
	if db.Ext() != ".tar" {
		t.Errorf("Ext is %q", db.Ext())
	}
}

// moving is a file system in which one file changes while it is read.
type moving struct {
	fstest.MapFS
	size int64 // that Stat says of "f"
	gone bool
}

func (m moving) Open(name string) (fs.File, error) {
	if name == "f" && m.gone {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := m.MapFS.Open(name)
	if name == "f" && err == nil {
		f = resized{f, m.size}
	}
	return f, err
}

type resized struct {
	fs.File
	size int64
}

func (r resized) Stat() (fs.FileInfo, error) {
	info, err := r.File.Stat()
	return resizedInfo{info, r.size}, err
}

type resizedInfo struct {
	fs.FileInfo
	size int64
}

func (r resizedInfo) Size() int64 { return r.size }

func TestTarFileChanges(t *testing.T) {
	for _, c := range []struct {
		name string
		m    moving
		want string // of the error
	}{
		{"grows", moving{size: 3}, ""},
		{"shrinks", moving{size: 8}, "f: it became shorter while it was read: 7 bytes, and 8"},
		{"vanishes", moving{gone: true}, "open f: file does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.m.MapFS = fstest.MapFS{"f": {Data: []byte("content")}, "g": {Data: []byte("next")}}
			var b bytes.Buffer
			err := database.TarFS(c.m, nil).Dump(t.Context(), &b)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(gnuTar(t, b.Bytes(), "-xO", "f", "g")); got != "connext" {
				t.Errorf("f and g are %q", got)
			}
		})
	}
}

func TestTarDumpFails(t *testing.T) {
	broken := errors.New("the volume is broken")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := tree(t)
	for name, c := range map[string]struct {
		ctx  context.Context
		dir  string
		w    io.Writer
		want error
	}{
		"writer":    {t.Context(), dir, failing{broken}, broken},
		"cancelled": {ctx, dir, io.Discard, context.Canceled},
		"missing":   {t.Context(), dir + "/none", io.Discard, fs.ErrNotExist},
		"no name":   {t.Context(), "", io.Discard, fs.ErrNotExist},
	} {
		if err := database.Tar(c.dir, nil).Dump(c.ctx, c.w); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func manyFiles(n, size int) fstest.MapFS {
	all := fstest.MapFS{}
	for i := range n {
		all[fmt.Sprintf("d%d/f%d", i%10, i)] = &fstest.MapFile{Data: make([]byte, size), Mode: 0o600}
	}
	return all
}
