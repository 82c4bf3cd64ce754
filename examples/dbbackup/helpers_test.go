package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// asProgram makes the test binary be dbbackup.
const asProgram = "DBBACKUP_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// shell is where commands are run: an environment with a volume and a key.
type shell struct {
	t   *testing.T
	dir string // of the volume
	key crypto.Key
	env map[string]string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "volume")
	key := crypto.NewKey()
	return &shell{t, dir, key, map[string]string{"BACKUP_VOLUME": fileURLOf(dir), keyVar: key.Encode()}}
}

func fileURLOf(dir string) string {
	dir = filepath.ToSlash(dir)
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir // C:/…
	}
	return "file://" + dir
}

// result is what a command left.
type result struct {
	status   int
	out, err string
}

// run runs a command in this process.
func (s *shell) run(stdin string, args ...string) result {
	s.t.Helper()
	return s.runContext(s.t.Context(), stdin, args...)
}

func (s *shell) runContext(ctx context.Context, stdin string, args ...string) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr, func(name string) string { return s.env[name] })
	r := result{status, stdout.String(), stderr.String()}
	if len(args) == 0 || args[0] != "keygen" {
		s.noSecrets(r.out + r.err)
	}
	return r
}

// noSecrets looks for the key in what was printed.
func (s *shell) noSecrets(text string) {
	s.t.Helper()
	secret := strings.TrimPrefix(s.key.Encode(), "base64:")
	if strings.Contains(text, secret[:20]) {
		s.t.Errorf("the key was printed: %q", text)
	}
}

// ok runs a command that must succeed, without a word on standard error, and returns its output.
func (s *shell) ok(stdin string, args ...string) string {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.status != exitOK || r.err != "" {
		s.t.Fatalf("dbbackup %q: status %d, standard error %q", args, r.status, r.err)
	}
	return r.out
}

// fails runs a command that must fail with that status, and warnings and one line that contains all of want.
func (s *shell) fails(status int, args []string, want ...string) {
	s.t.Helper()
	r := s.run("", args...)
	if r.status != status {
		s.t.Errorf("dbbackup %q: status %d, want %d (%s)", args, r.status, status, r.err)
	}
	lines := strings.SplitAfter(r.err, "\n")
	warnings, message := lines[:max(len(lines)-2, 0)], last(r.err)
	if !strings.HasPrefix(message, "dbbackup: ") || strings.HasPrefix(message, "dbbackup: warning: ") {
		s.t.Errorf("dbbackup %q: standard error does not end in an error: %q", args, r.err)
	}
	for _, w := range warnings {
		if !strings.HasPrefix(w, "dbbackup: warning: ") {
			s.t.Errorf("dbbackup %q: more than one error: %q", args, r.err)
		}
	}
	for _, w := range want {
		if !strings.Contains(message, w) {
			s.t.Errorf("dbbackup %q: the error lacks %q: %s", args, w, r.err)
		}
	}
}

// program prepares a command as a process of its own.
func (s *shell) program(args ...string) *exec.Cmd {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0") // else each takes a second to end
	for k, v := range s.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// files lists what is in the volume's directory.
func (s *shell) files() []string {
	s.t.Helper()
	var names []string
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(s.dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// last is the last line of an output.
func last(out string) string {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	return lines[len(lines)-1]
}

// write makes a file.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
