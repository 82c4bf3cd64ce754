package localfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/storage"
)

// hooked is a file system whose calls a test can replace.
type hooked struct {
	fileSystem
	rename, link func(oldname, newname string) error
	rmdir        func(name string) error
	remove       func(name string) error
	mkdir        func(name string) error
	wrap         func(file) file
}

func (h *hooked) Mkdir(name string, perm fs.FileMode) error {
	if h.mkdir != nil {
		return h.mkdir(name)
	}
	return h.fileSystem.Mkdir(name, perm)
}

func (h *hooked) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := h.fileSystem.OpenFile(name, flag, perm)
	if err == nil && h.wrap != nil {
		f = h.wrap(f)
	}
	return f, err
}

func (h *hooked) Rename(oldname, newname string) error {
	if h.rename != nil {
		return h.rename(oldname, newname)
	}
	return h.fileSystem.Rename(oldname, newname)
}

func (h *hooked) Link(oldname, newname string) error {
	if h.link != nil {
		return h.link(oldname, newname)
	}
	return h.fileSystem.Link(oldname, newname)
}

func (h *hooked) Rmdir(name string) error {
	if h.rmdir != nil {
		return h.rmdir(name)
	}
	return h.fileSystem.Rmdir(name)
}

func (h *hooked) Remove(name string) error {
	if h.remove != nil {
		return h.remove(name)
	}
	return h.fileSystem.Remove(name)
}

func hook(t *testing.T, dir string) (*Volume, *hooked) {
	v := open(t, dir)
	h := &hooked{fileSystem: v.fs}
	v.fs = h
	return v, h
}

// Deletes that prune the directory again and again never fail or lose a Put in it.
func TestPutAgainstPrune(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		v := open(t, dir) // a volume each: they share no memory
		wg.Go(func() {
			for j := range 40 {
				name := fmt.Sprintf("d/e/%d-%d", i, j)
				if _, err := v.Put(t.Context(), name, strings.NewReader(name)); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if got, err := slurp(t.Context(), v, name); got != name || err != nil {
					t.Errorf("%s = %q, %v", name, got, err)
				}
				if err := v.Delete(t.Context(), name); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := files(t, dir); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

// Directories that vanish as soon as they are made are made again.
func TestPutMakesDirectoriesAgain(t *testing.T) {
	v, h := hook(t, t.TempDir())
	left := 50
	h.mkdir = func(name string) error {
		if err := h.fileSystem.Mkdir(name, 0o700); err != nil || left == 0 {
			return err
		}
		left--
		return h.fileSystem.Rmdir(name)
	}
	put(t, v, "a/b/c", "1")
	if got := get(t, v, "a/b/c"); got != "1" || left != 0 {
		t.Errorf("got %q, %d left", got, left)
	}
}

// A Put into a volume whose directory was removed ends.
func TestVolumeRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vol")
	v := open(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "d/x"} {
		_, err := v.Put(t.Context(), name, strings.NewReader("1"))
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, storage.ErrNotApplied) {
			t.Errorf("Put(%q): %v, want ErrNotExist and ErrNotApplied", name, err)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory: %v", err)
	}
}

// forgetful loses a byte of each write and does not say so.
type forgetful struct{ file }

func (f forgetful) Write(p []byte) (int, error) {
	n, err := f.file.Write(p[:len(p)-1])
	return n + 1, err
}

func TestLostBytesAreNoticed(t *testing.T) {
	v, h := hook(t, t.TempDir())
	h.wrap = func(f file) file { return forgetful{f} }
	_, err := v.Put(t.Context(), "x", strings.NewReader("12345"))
	if !errors.Is(err, io.ErrShortWrite) || !errors.Is(err, storage.ErrNotApplied) {
		t.Errorf("%v, want io.ErrShortWrite and ErrNotApplied", err)
	}
}

// A temporary file that cannot be removed is no object either.
func TestFailedCleanup(t *testing.T) {
	v, h := hook(t, t.TempDir())
	h.remove = func(string) error { return syscall.EROFS }
	_, err := v.Put(t.Context(), "x", readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }))
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, storage.ErrNotApplied) {
		t.Errorf("%v, want io.ErrUnexpectedEOF and ErrNotApplied", err)
	}
}

func TestFlushDir(t *testing.T) {
	d, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := flushDir(d); err != nil {
		t.Errorf("open directory: %v", err)
	}
	d.Close()
	if err := flushDir(d); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed directory: %v, want ErrClosed", err)
	}
}

// A prune that comes late must not take an object for the empty directory
// whose name it has meanwhile.
func TestPruneSparesAnObject(t *testing.T) {
	dir := t.TempDir()
	v, h := hook(t, dir)
	put(t, v, "a/b", "1")
	h.rmdir = func(name string) error {
		h.rmdir = nil
		if err := h.Rmdir(name); err != nil {
			t.Fatal(err)
		}
		put(t, v, name, "precious")
		return h.Rmdir(name)
	}
	if err := v.Delete(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, v, "a"); got != "precious" {
		t.Errorf("got %q", got)
	}
}

func TestPutIfAbsentWithoutHardLinks(t *testing.T) {
	dir := t.TempDir()
	v, h := hook(t, dir)
	h.link = func(oldname, newname string) error {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: syscall.EPERM} // as FAT says
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []string
	for i := range 32 {
		wg.Go(func() {
			body := fmt.Sprint(i)
			_, err := v.PutIfAbsent(t.Context(), "d/claim", []byte(body))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, body)
			} else if !errors.Is(err, storage.ErrExist) || !errors.Is(err, storage.ErrNotApplied) {
				t.Errorf("error %v, want ErrExist and ErrNotApplied", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || get(t, v, "d/claim") != won[0] {
		t.Errorf("won: %q, stored: %q", won, get(t, v, "d/claim"))
	}
	if got := files(t, dir); !slices.Equal(got, []string{"d/", "d/claim"}) {
		t.Errorf("directory holds %q", got)
	}
}

// NFS repeats a request whose answer was lost, and then reports its own
// success as EEXIST (PITFALLS 43).
func TestPutIfAbsentLostAnswer(t *testing.T) {
	for _, lost := range []error{syscall.EEXIST, syscall.EIO} {
		dir := t.TempDir()
		v, h := hook(t, dir)
		h.link = func(oldname, newname string) error {
			if err := h.fileSystem.Link(oldname, newname); err != nil {
				t.Fatal(err)
			}
			return lost
		}
		if _, err := v.PutIfAbsent(t.Context(), "claim", []byte("mine")); err != nil {
			t.Errorf("%v: %v, want nil", lost, err)
		}
		if got := files(t, dir); !slices.Equal(got, []string{"claim"}) {
			t.Errorf("%v: directory holds %q", lost, got)
		}
	}
}

// A rename that was done but reported as failed leaves the outcome open, one
// that was not done does not.
func TestRenameLostAnswer(t *testing.T) {
	for _, done := range []bool{false, true} {
		v, h := hook(t, t.TempDir())
		h.rename = func(oldname, newname string) error {
			if done {
				if err := h.fileSystem.Rename(oldname, newname); err != nil {
					t.Fatal(err)
				}
			}
			return syscall.EIO
		}
		_, err := v.Put(t.Context(), "x", strings.NewReader("1"))
		if !errors.Is(err, syscall.EIO) || errors.Is(err, storage.ErrNotApplied) == done {
			t.Errorf("done %v: %v", done, err)
		}
	}
}

// PITFALLS 29, with Windows' errors injected.
func TestBusyFiles(t *testing.T) {
	const accessDenied, sharingViolation = syscall.Errno(5), syscall.Errno(32)
	tests := []struct {
		name  string
		err   error
		times int
		want  error
		took  time.Duration
	}{
		{"not busy", nil, 0, nil, 0},
		{"denied once", accessDenied, 1, nil, 10 * time.Millisecond},
		{"shared thrice", sharingViolation, 3, nil, 70 * time.Millisecond},
		{"denied for good", accessDenied, 1000, accessDenied, 1270 * time.Millisecond},
		{"another error", syscall.Errno(28), 1, syscall.Errno(28), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				v := volumeOn(d)
				v.busy = []error{accessDenied, sharingViolation}
				left := test.times
				refuse := func(call string) func(string) error {
					return func(op string) error {
						if strings.HasPrefix(op, call) && left > 0 {
							left--
							return &fs.PathError{Op: call, Path: "x", Err: test.err}
						}
						return nil
					}
				}
				d.before = refuse("rename ")
				start := time.Now()
				if _, err := v.Put(t.Context(), "x", strings.NewReader("1")); !errors.Is(err, test.want) {
					t.Errorf("put: %v, want %v", err, test.want)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("put took %v, want %v", took, test.took)
				}
				d.fill(map[string]string{"x": "1"})
				left, d.before = test.times, refuse("remove x")
				start = time.Now()
				if err := v.Delete(t.Context(), "x"); !errors.Is(err, test.want) {
					t.Errorf("delete: %v, want %v", err, test.want)
				}
				if took := time.Since(start); took != test.took {
					t.Errorf("delete took %v, want %v", took, test.took)
				}
			})
		})
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir)
	put(t, v, "a/b", "object")
	text := strings.Repeat("A2", 13)
	old, now := time.Now().Add(-time.Hour), time.Now()
	for name, mod := range map[string]time.Time{
		"a/.tmp-" + text:                old,
		"gone/x/.tmp-" + text:           old,
		"a/.tmp-N" + text[1:]:           now,
		".tmp-foreign":                  old,
		".tmp-" + text + "A":            old,
		".tmp-" + strings.ToLower(text): old,
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, mod, mod); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".tmp-"+text), 0o700); err != nil { // a directory is not ours
		t.Fatal(err)
	}
	n, err := v.SweepUnfinished(t.Context(), now.Add(-time.Minute))
	if n != 2 || err != nil {
		t.Errorf("removed %d, %v, want 2", n, err)
	}
	want := []string{".tmp-" + text + "/", ".tmp-" + text + "A", ".tmp-" + strings.ToLower(text), ".tmp-foreign", "a/", "a/.tmp-N" + text[1:], "a/b"}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}
