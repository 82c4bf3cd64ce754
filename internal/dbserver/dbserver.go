//go:build linux

// Package dbserver starts database servers for tests: of the system's packages, in a temporary directory, on a free
// port of the loopback interface, as an unprivileged user, and dead with the process that started them.
//
// What belongs here is the servers. Only tests import it.
package dbserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// password of the administrator has what URLs, shells, option files and SQL stumble over.
const password = `p@ss/w#rd%41 '"\`

// startTime is how long a server may take until it answers.
const startTime = 20 * time.Second

// Server is a running server.
type Server struct {
	URL string // of its administrator, with a password and without a database
	PID int

	cmd      *exec.Cmd
	shutdown syscall.Signal // that ends it without waiting for its clients
	ended    chan struct{}
}

// Stop ends the server as its administrator would, and waits.
func (s *Server) Stop() { s.end(s.shutdown) }

// Kill kills the server and all its processes, and waits.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(how syscall.Signal) {
	if how == syscall.SIGKILL {
		_ = syscall.Kill(-s.PID, how)
	} else {
		_ = s.cmd.Process.Signal(how)
	}
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-s.PID, syscall.SIGKILL)
		<-s.ended
	}
}

// account is the user whom a server runs as.
type account struct {
	name       string
	credential *syscall.Credential // nil: that of this process
}

// owner is the user of that name if this process is root's, as servers refuse to run as that.
func owner(name string) (*account, error) {
	if os.Getuid() != 0 {
		me, err := user.Current()
		if err != nil {
			return nil, err
		}
		return &account{name: me.Username}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("the server is to run as %s: %w", name, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &account{name, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// directory makes a directory below dir that the account owns and can get to.
func (a *account) directory(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", err
	}
	if a.credential == nil {
		return path, nil
	}
	for up := dir; up != filepath.Dir(up); up = filepath.Dir(up) { // t.TempDir and os.MkdirTemp are closed to others
		info, err := os.Stat(up)
		if err != nil {
			return "", err
		}
		if info.Mode()&0o001 == 0 {
			if err := os.Chmod(up, info.Mode().Perm()|0o011); err != nil {
				return "", err
			}
		}
	}
	return path, os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// command is a program as the account, dead with this process, in a group of its own.
func (a *account) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs a program to its end.
func (a *account) run(dir, program string, args ...string) error {
	if out, err := a.command(dir, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}

// start runs a server until it answers.
func start(cmd *exec.Cmd, shutdown syscall.Signal, port int, scheme, administrator string, answers func() error) (*Server, error) {
	s := &Server{cmd: cmd, shutdown: shutdown, ended: make(chan struct{})}
	u := url.URL{Scheme: scheme, User: url.UserPassword(administrator, password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	s.URL = u.String()
	var log bytes.Buffer // read after the end
	cmd.Stdout, cmd.Stderr = &log, &log
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // a child dies with the thread that started it
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	s.PID = cmd.Process.Pid
	deadline := time.Now().Add(startTime)
	for {
		err := answers()
		if err == nil {
			return s, nil
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("%s ended: %s", cmd.Path, &log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Kill()
			return nil, fmt.Errorf("%s does not answer: %w: %s", cmd.Path, err, &log)
		}
	}
}

// freePort is a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// program finds one that is on PATH, or where its package puts it.
func program(name, pkg string, patterns ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", errors.New("there is no " + name + ": run `make tools` (Debian package " + pkg + ")")
}
