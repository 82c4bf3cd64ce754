package localfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/storage"
)

func open(t testing.TB, dir string) *Volume {
	t.Helper()
	v, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func put(t testing.TB, v storage.Volume, name, body string) storage.Object {
	t.Helper()
	obj, err := v.Put(t.Context(), name, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func get(t testing.TB, v storage.Volume, name string) string {
	t.Helper()
	r, err := v.Open(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t testing.TB, v storage.Volume, prefix string) []string {
	t.Helper()
	var got []string
	for obj, err := range v.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, obj.Name)
	}
	return got
}

// files are the paths of everything in a directory, of directories with a slash.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		p, err = filepath.Rel(dir, p)
		if e.IsDir() {
			p += "/"
		}
		got = append(got, filepath.ToSlash(p))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOpenMakesDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b c")
	v := open(t, dir)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		info, err := os.Stat(d)
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: mode %v, error %v, want drwx------", d, info.Mode(), err)
		}
	}
	if want := "file://" + filepath.ToSlash(top) + "/a/b%20c"; v.String() != want {
		t.Errorf("String() = %q, want %q", v, want)
	}
	put(t, v, "x/y", "")
	if info, err := os.Stat(filepath.Join(dir, "x", "y")); err != nil || info.Mode() != 0o600 {
		t.Errorf("file mode %v, error %v, want -rw-------", info.Mode(), err)
	}
}

func TestOpenRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	v := open(t, "vol")
	t.Chdir("/")
	put(t, v, "a", "1")
	if got := get(t, v, "a"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		var e *storage.Error
		if v, err := Open(dir, nil); !errors.As(err, &e) {
			t.Errorf("Open(%q) = %v, %v, want a storage.Error", dir, v, err)
		}
	}
}

func TestNothingLeavesTheDirectory(t *testing.T) {
	top := t.TempDir()
	v := open(t, filepath.Join(top, "vol"))
	outside := filepath.Join(top, "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"abs": outside, "rel": "../outside", "file": secret} {
		if err := os.Symlink(target, filepath.Join(top, "vol", name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"abs/secret", "rel/secret", "file", "../outside/secret", "/abs/secret"} {
		if _, err := v.Open(t.Context(), name, 0, -1); err == nil {
			t.Errorf("Open(%q) succeeded", name)
		}
		if _, err := v.Stat(t.Context(), name); err == nil {
			t.Errorf("Stat(%q) succeeded", name)
		}
		v.Delete(t.Context(), name)
		v.Put(t.Context(), name, strings.NewReader("overwritten"))
		v.PutIfAbsent(t.Context(), name+"2", nil)
	}
	if got := files(t, outside); !slices.Equal(got, []string{"secret"}) {
		t.Errorf("outside holds %q", got)
	}
	if b, err := os.ReadFile(secret); string(b) != "s" || err != nil {
		t.Errorf("outside/secret = %q, %v", b, err)
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	want := []string{"a", "b!", "b-", "b/c", "b/d!/e", "b/d/e", "b0", "b0z", "ü/ x"}
	for _, name := range want {
		put(t, v, name, name)
	}
	for _, name := range []string{".tmp-foreign", "b/" + tempPrefix + strings.Repeat("A", 26), "new\nline"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "a", "b", "b/", "b/d", "b/d/", "b/d/e", "b/d/e/", "c", "../", "/", "b//", "a/", "\xff", "ü/ "} {
		var match []string
		for _, name := range want {
			if strings.HasPrefix(name, prefix) {
				match = append(match, name)
			}
		}
		if got := names(t, v, prefix); !slices.Equal(got, match) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, match)
		}
	}
}

// walked records which directories a listing reads.
type walked struct {
	fileSystem
	dirs []string
}

func (w *walked) ReadDir(name string) ([]fs.DirEntry, error) {
	w.dirs = append(w.dirs, name)
	return w.fileSystem.ReadDir(name)
}

func TestListWalksOnlyWhatCanMatch(t *testing.T) {
	v := open(t, t.TempDir())
	for _, name := range []string{"shop/eu/1", "shop/eu/2", "shop/us/1", "shop2/x", "other/x"} {
		put(t, v, name, "")
	}
	w := &walked{fileSystem: v.fs}
	v.fs = w
	for prefix, want := range map[string][]string{
		"shop/eu/": {"shop/eu"},
		"shop/e":   {"shop", "shop/eu"},
		"shop/":    {"shop", "shop/eu", "shop/us"},
		"sh":       {".", "shop", "shop/eu", "shop/us", "shop2"},
		"none/x":   {"none"},
	} {
		w.dirs = nil
		names(t, v, prefix)
		if !slices.Equal(w.dirs, want) {
			t.Errorf("List(%q) read %q, want %q", prefix, w.dirs, want)
		}
	}
}

func TestListSurvivesVanishing(t *testing.T) {
	v := open(t, t.TempDir())
	for _, name := range []string{"a", "b/1", "c/1", "d"} {
		put(t, v, name, "")
	}
	var got []string
	for obj, err := range v.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, obj.Name); obj.Name == "a" {
			if err := v.Delete(t.Context(), "b/1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []string{"a", "c/1", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNotAnObject(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "d/x", "1")
	for _, name := range []string{"d", "d/x/y", "missing", "missing/x"} {
		if _, err := v.Open(t.Context(), name, 0, -1); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Open(%q): %v, want ErrNotExist", name, err)
		}
		if _, err := v.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Stat(%q): %v, want ErrNotExist", name, err)
		}
		if err := v.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q): %v, want nil", name, err)
		}
	}
	for _, name := range []string{"d", "d/x/y"} {
		_, err := v.Put(t.Context(), name, strings.NewReader("2"))
		if !errors.Is(err, storage.ErrNotApplied) {
			t.Errorf("Put(%q): %v, want ErrNotApplied", name, err)
		}
		_, err = v.PutIfAbsent(t.Context(), name, nil)
		if !errors.Is(err, storage.ErrNotApplied) || errors.Is(err, storage.ErrExist) {
			t.Errorf("PutIfAbsent(%q): %v, want ErrNotApplied and not ErrExist", name, err)
		}
	}
	if got := files(t, dir); !slices.Equal(got, []string{"d/", "d/x"}) {
		t.Errorf("directory holds %q", got)
	}
}

func TestTruncatedUnderneath(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a", "0123456789")
	for _, n := range []int64{-1, 8} {
		r, err := v.Open(t.Context(), "a", 0, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(dir, "a"), 4); err != nil {
			t.Fatal(err)
		}
		for range 2 { // sticky
			_, err = io.ReadAll(r)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("n = %d: %v, want io.ErrUnexpectedEOF", n, err)
			}
		}
		r.Close()
		put(t, v, "a", "0123456789")
	}
}

// What a crash may leave of "a/b" does not stand in the way of "a".
func TestPutOverEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, v, "a", "1")
	if _, err := v.PutIfAbsent(t.Context(), "b", []byte("2")); err != nil {
		t.Fatal(err)
	}
	if got := get(t, v, "a") + get(t, v, "b"); got != "12" {
		t.Errorf("got %q", got)
	}
}

// A source that dies, is cancelled or lies must leave nothing, not even a directory.
func TestFailedPutLeavesNothing(t *testing.T) {
	cause := errors.New("cause")
	tests := map[string]struct {
		end  func(p []byte, cancel func(error)) (int, error) // after 3 MiB
		want error
	}{
		"unexpected EOF": {func([]byte, func(error)) (int, error) { return 0, io.ErrUnexpectedEOF }, io.ErrUnexpectedEOF},
		"cancelled":      {func(_ []byte, cancel func(error)) (int, error) { cancel(cause); return 0, io.EOF }, cause},
		"no progress":    {func([]byte, func(error)) (int, error) { return 0, nil }, io.ErrNoProgress},
		"negative count": {func([]byte, func(error)) (int, error) { return -1, nil }, storage.ErrNotApplied},
		"count too high": {func(p []byte, _ func(error)) (int, error) { return len(p) + 1, nil }, storage.ErrNotApplied},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := open(t, dir)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			obj, err := v.Put(ctx, "x/y/z", io.MultiReader(bytes.NewReader(make([]byte, 3<<20)),
				readerFunc(func(p []byte) (int, error) { return test.end(p, cancel) })))
			if !errors.Is(err, storage.ErrNotApplied) || !errors.Is(err, test.want) || obj != (storage.Object{}) {
				t.Errorf("%+v, %v, want ErrNotApplied and %v", obj, err, test.want)
			}
			if got := files(t, dir); len(got) != 0 {
				t.Errorf("directory holds %q", got)
			}
		})
	}
}

func TestPanickingSource(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic was swallowed")
			}
		}()
		v.Put(t.Context(), "x/y", readerFunc(func([]byte) (int, error) { panic("boom") }))
	}()
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("directory holds %q", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
