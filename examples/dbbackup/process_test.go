//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// prompt is how soon an interrupted program must be gone, on a busy machine.
const prompt = 10 * time.Second

// An interrupted backup ends at once, though its standard input never speaks again, and leaves nothing.
func TestSignalWithSilentInput(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			s := newShell(t)
			older := last(s.ok("older", "backup", "--name=shop"))
			before := s.files()
			cmd := s.program("backup", "--name=shop")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// More than fits into the pipe and a chunk, so that objects have been begun.
			if _, err := stdin.Write(noise(20<<20, 1)); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			if took := time.Since(begun); took > prompt {
				t.Errorf("it took %s", took)
			}
			if cmd.ProcessState.ExitCode() != exitFailure {
				t.Errorf("%v", err)
			}
			if !strings.Contains(stderr.String(), "stopped by a signal ("+sig.String()+")") || stdout.Len() != 0 {
				t.Errorf("standard output %q, standard error %q", &stdout, &stderr)
			}
			if after := s.files(); strings.Join(after, " ") != strings.Join(before, " ") {
				t.Errorf("it left %q, before there was %q", after, before)
			}
			if got := s.ok("", "restore", older); got != "older" {
				t.Errorf("the older snapshot: %q", got)
			}
		})
	}
}

// Under nohup, a backup outlives its terminal.
func TestNohup(t *testing.T) {
	s := newShell(t)
	cmd := s.program("backup", "--name=shop")
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stdin, "data"); err != nil {
		t.Fatal(err)
	}
	s.waitForFiles(cmd)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if got := s.ok("", "restore", "shop/latest"); got != "data" {
		t.Errorf("restored %q", got)
	}
}

// Not every silent input is a pipe.
func TestSignalWithSilentSocket(t *testing.T) {
	s := newShell(t)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	cmd := s.program("backup", "--name=shop")
	cmd.Stdin = theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if _, err := ours.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	s.waitForFiles(cmd)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailure {
		t.Error(err)
	}
	if got := s.files(); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// waitForFiles waits until the program has opened its volume, and so listens for signals.
func (s *shell) waitForFiles(cmd *exec.Cmd) {
	s.t.Helper()
	for end := time.Now().Add(prompt); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(s.dir); err == nil {
			return
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			s.t.Fatal("the program does not begin")
		}
	}
}

func TestExitStatus(t *testing.T) {
	s := newShell(t)
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"version"}, exitOK},
		{[]string{"backup", "--name=shop", "--min-size=0"}, exitOK}, // of an empty input
		{[]string{"backup", "--name=shop"}, exitFailure},
		{[]string{"verify", "shop/latest"}, exitOK},
		{[]string{"restore", "nothing/latest"}, exitFailure},
		{[]string{"verify", "shop/20261122t175500123z-7f3a9c2e"}, exitFailure},
		{[]string{"restore"}, exitUsage},
		{[]string{"nonsense"}, exitUsage},
	} {
		cmd := s.program(tt.args...)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.want {
			t.Errorf("dbbackup %q: status %d, want %d (%v)\n%s", tt.args, got, tt.want, err, out)
		}
		s.noSecrets(string(out))
	}
}

// A reader that goes away is an error, not a success and not a death by signal.
func TestBrokenOutput(t *testing.T) {
	s := newShell(t)
	s.ok(string(noise(10<<20, 2)), "backup", "--name=shop")
	cmd := s.program("restore", "shop/latest")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != exitFailure || !strings.Contains(stderr.String(), "standard output") {
		t.Errorf("%v: %s", err, &stderr)
	}
}

// A restore that is interrupted while nobody reads its output ends too.
func TestSignalWithStuckOutput(t *testing.T) {
	s := newShell(t)
	s.ok(string(noise(10<<20, 3)), "backup", "--name=shop")
	cmd := s.program("restore", "shop/latest")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(prompt, func() { cmd.Process.Kill() })
	defer killed.Stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	state, err := cmd.Process.Wait()
	if err != nil || state.ExitCode() != exitFailure {
		t.Errorf("%v, %v", state, err)
	}
}

// The second signal kills what does not end at the first, such as the opening of a pipe that nobody writes to.
func TestSecondSignal(t *testing.T) {
	s := newShell(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.program("backup", "--name=shop", fifo)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.waitForFiles(cmd)
	sent := 0
	stop := time.AfterFunc(prompt, func() { cmd.Process.Kill() })
	defer stop.Stop()
	var ended sync.WaitGroup
	ended.Go(func() { cmd.Wait() })
	for cmd.Process.Signal(syscall.SIGTERM) == nil {
		sent++
		time.Sleep(100 * time.Millisecond)
	}
	ended.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if sent < 2 || !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("%d signals: %v", sent, cmd.ProcessState)
	}
}

// Two processes back up under one name at once: both succeed.
func TestTwoProcesses(t *testing.T) {
	s := newShell(t)
	want := map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 6 {
		data := noise(1<<20+i, uint64(i))
		cmd := s.program("backup", "--name=shop")
		cmd.Stdin = bytes.NewReader(data)
		wg.Go(func() {
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("process %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			want[last(string(out))] = string(data)
		})
	}
	wg.Wait()
	if len(want) != 6 {
		t.Fatalf("%d snapshots of 6 processes", len(want))
	}
	for ref, data := range want {
		if got := s.ok("", "restore", ref); got != data {
			t.Errorf("%s differs", ref)
		}
	}
}

// The key is in no file of the volume and on no command line.
func TestNoKeyInVolume(t *testing.T) {
	s := newShell(t)
	s.ok("data", "backup", "--name=shop", "--compression=none")
	for _, name := range s.files() {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, s.key.Bytes()) {
			t.Errorf("%s has the key in it", name)
		}
		s.noSecrets(string(data))
	}
}

func TestInterruptibleInput(t *testing.T) {
	silent, w := io.Pipe()
	defer w.Close()
	r := interruptible(silent)
	deadline := r.(interface{ SetReadDeadline(time.Time) error })
	if err := deadline.SetReadDeadline(time.Now().Add(time.Hour)); !errors.Is(err, os.ErrNoDeadline) {
		t.Errorf("a later deadline: %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { deadline.SetReadDeadline(time.Unix(1, 0)) })
	if _, err := r.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}

	failure := errors.New("no more")
	got, err := io.ReadAll(interruptible(io.MultiReader(strings.NewReader("data"), failing{failure})))
	if string(got) != "data" || !errors.Is(err, failure) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = io.ReadAll(interruptible(strings.NewReader("data")))
	if string(got) != "data" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
