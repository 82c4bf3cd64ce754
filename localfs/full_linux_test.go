package localfs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/databasement/backup/storage"
)

// testFull puts more than fits into dir.
func testFull(t *testing.T, dir string, want error) {
	v := open(t, dir)
	put(t, v, "old", "precious")
	for _, name := range []string{"old", "new/x"} {
		_, err := v.Put(t.Context(), name, io.LimitReader(rand.NewChaCha8([32]byte{}), 3<<20))
		if !errors.Is(err, want) || !errors.Is(err, storage.ErrNotApplied) {
			t.Errorf("Put(%q): %v, want %v and ErrNotApplied", name, err, want)
		}
	}
	if got := get(t, v, "old"); got != "precious" {
		t.Errorf("old = %q", got)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"old"}) {
		t.Errorf("directory holds %q", got)
	}
	if _, err := v.Put(t.Context(), "new/x", bytes.NewReader(make([]byte, 1<<19))); err != nil {
		t.Errorf("what fits: %v", err) // the room was given back
	}
}

// PITFALLS 28.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can mount a small disk; TestFileSizeLimit has the same course")
		return
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Logf("no small disk (mount: %v); TestFileSizeLimit has the same course", err)
		return
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	testFull(t, dir, syscall.ENOSPC)
}

// The limit is for a process, and the test binary writes files of its own: so a child is limited.
func TestFileSizeLimit(t *testing.T) {
	const limited = "LOCALFS_TEST_LIMITED"
	if os.Getenv(limited) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileSizeLimit$")
		child.Env = append(os.Environ(), limited+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 2 << 20, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_FSIZE, &before)
	testFull(t, dir, syscall.EFBIG)
}

// A directory that its file system cannot flush (here /proc, like some network
// file systems) is taken as it is.
func TestFlushDirUnsupported(t *testing.T) {
	d, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Fatalf("sync of /proc: %v, want EINVAL", err)
	}
	if err := flushDir(d); err != nil {
		t.Error(err)
	}
}
