package main

import (
	"os"
	"os/signal"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk: the error says so, nothing new is listed, nothing lies about, and older snapshots are as they were.
func testFull(t *testing.T, s *shell, want string) {
	older := last(s.ok("older", "backup", "--name=shop"))
	before := s.files()
	r := s.run(string(noise(20<<20, 1)), "backup", "--name=shop")
	if r.status != exitFailure || !strings.Contains(r.err, want) || r.out != "" {
		t.Errorf("status %d, standard output %q, standard error %q; want %q", r.status, r.out, r.err, want)
	}
	if after := s.files(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("it left %q, before there was %q", after, before)
	}
	if got := s.ok("", "restore", older); got != "older" {
		t.Errorf("the older snapshot: %q", got)
	}
	s.ok("smaller", "backup", "--name=shop")
}

func TestFullDisk(t *testing.T) {
	s := newShell(t)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", s.dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Logf("no small disk (mount: %v, which takes root): TestFileSizeLimit has the same course", err)
		return
	}
	t.Cleanup(func() {
		if err := unix.Unmount(s.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	testFull(t, s, "no space left on device")
}

func TestFileSizeLimit(t *testing.T) {
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 12 << 20, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_FSIZE, &before)
	testFull(t, newShell(t), "file too large")
}
