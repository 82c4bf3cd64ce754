package database_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/databasement/backup/database"
)

// entries makes an archive of headers; those of files have their name as content.
func entries(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		h.Mode = 0o644
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func entry(kind byte, name, link string) *tar.Header {
	return &tar.Header{Typeflag: kind, Name: name, Linkname: link}
}

// hostile are archives that Load must refuse.
func hostile(t testing.TB) map[string][]byte {
	file, link, hard, dir := byte(tar.TypeReg), byte(tar.TypeSymlink), byte(tar.TypeLink), byte(tar.TypeDir)
	good := entries(t, entry(file, "good", ""))
	return map[string][]byte{
		"above":               entries(t, entry(file, "../canary", "")),
		"above, hidden":       entries(t, entry(file, "a/../../canary", "")),
		"absolute":            entries(t, entry(file, "/tmp/canary", "")),
		"by a link":           entries(t, entry(link, "l", ".."), entry(file, "l/canary", "")),
		"by an absolute link": entries(t, entry(link, "l", "/"), entry(file, "l/canary", "")),
		"by two links":        entries(t, entry(link, "a", "."), entry(link, "a/b", ".."), entry(file, "b/canary", "")),
		"directory by a link": entries(t, entry(link, "l", ".."), entry(dir, "l/", "")),
		"onto a link":         entries(t, entry(link, "l", "../canary"), entry(file, "l", "")),
		"hard link above":     entries(t, entry(hard, "h", "../canary"), entry(file, "h", "")),
		"hard link by link":   entries(t, entry(link, "l", ".."), entry(hard, "h", "l/canary")),
		"twice":               entries(t, entry(file, "f", ""), entry(file, "f", "")),
		"file as directory":   entries(t, entry(file, "f", ""), entry(file, "f/g", "")),
		"root as a link":      entries(t, entry(link, ".", "..")),
		"pipe":                entries(t, entry(tar.TypeFifo, "p", "")),
		"device":              entries(t, entry(tar.TypeChar, "d", "")),
		"long name":           entries(t, entry(file, strings.Repeat("x/", 3000)+"f", "")),
		"no end":              good[:len(good)-1024],
		"half an end":         good[:len(good)-512],
		"cut in a file":       good[:700],
		"something after":     append(slices.Clone(good), "x"...),
		"an archive after":    append(slices.Clone(good), good...),
		"nothing":             {},
		"text":                []byte(strings.Repeat("CREATE TABLE t (a);\n", 100)),
	}
}

// intact loads an archive beside a canary, and requires that nothing but the target is touched, and nothing at all on an error.
func intact(t testing.TB, archive []byte) (err error) {
	t.Helper()
	parent := t.TempDir()
	if err := os.WriteFile(parent+"/canary", []byte("sings"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = database.Tar(parent+"/to", nil).Load(t.Context(), bytes.NewReader(archive))
	list, e := os.ReadDir(parent)
	b, e2 := os.ReadFile(parent + "/canary")
	want := 1
	if err == nil {
		want = 2
	}
	if e = errors.Join(e, e2); e != nil || string(b) != "sings" || len(list) != want {
		t.Fatalf("Load: %v; then %q beside the canary, which says %q, %v", err, list, b, e)
	}
	return err
}

func TestTarHostile(t *testing.T) {
	for name, archive := range hostile(t) {
		if err := intact(t, archive); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/sparse", nil, 0o600), os.Truncate(dir+"/sparse", 1<<40)); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"gnu", "pax"} { // 10 KiB for a TiB
		if err := intact(t, gnuTar(t, nil, "-C", dir, "--format="+format, "-Sc", ".")); err == nil {
			t.Errorf("sparse, %s: accepted", format)
		}
	}
}

func TestTarLoadRefused(t *testing.T) {
	parent := t.TempDir()
	archive := entries(t, entry(tar.TypeReg, "f", ""))
	if err := errors.Join(os.MkdirAll(parent+"/full/x", 0o700), os.WriteFile(parent+"/file", nil, 0o600), os.Symlink("full", parent+"/link")); err != nil {
		t.Fatal(err)
	}
	before := inventory(t, parent)
	for _, name := range []string{"full", "file", "link", "file/below", "none/below"} {
		if err := database.Tar(filepath.Join(parent, name), nil).Load(t.Context(), bytes.NewReader(archive)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if after := inventory(t, parent); after != before {
		t.Errorf("before\n%sand after\n%s", before, after)
	}
}

// The error of the stream is the error of Load, wherever it comes, the archive's end included.
func TestTarLoadReaderFails(t *testing.T) {
	broken := errors.New("the snapshot is damaged")
	archive := entries(t, entry(tar.TypeDir, "d/", ""), entry(tar.TypeReg, "d/f", ""), entry(tar.TypeReg, "g", ""))
	for n := range len(archive) / 64 {
		parent := t.TempDir()
		r := io.MultiReader(bytes.NewReader(archive[:n*64]), iotest.ErrReader(broken))
		if err := database.Tar(parent+"/to", nil).Load(t.Context(), r); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", n*64, err)
		}
		holds(t, parent)
	}
	parent := t.TempDir()
	r := io.MultiReader(bytes.NewReader(archive), iotest.ErrReader(broken))
	if err := database.Tar(parent+"/to", nil).Load(t.Context(), r); !errors.Is(err, broken) {
		t.Errorf("after all: %v", err)
	}
	holds(t, parent)
}

func FuzzTarLoad(f *testing.F) {
	for _, archive := range hostile(f) {
		f.Add(archive)
	}
	f.Add(entries(f, entry(tar.TypeDir, "d/", ""), entry(tar.TypeReg, "d/f", ""), entry(tar.TypeSymlink, "d/l", "../x"), entry(tar.TypeLink, "h", "d/f")))
	f.Fuzz(func(t *testing.T, archive []byte) { _ = intact(t, archive) })
}
