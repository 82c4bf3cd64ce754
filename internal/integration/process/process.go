// Package process runs a server as a child of the test, on a loopback port of its own.
//
// What belongs here is what every such server needs: a port, a log, the wait until it answers, pause and stop.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Server is a running process.
type Server struct {
	cmd   *exec.Cmd
	log   log
	ended chan struct{}
	err   error // of Wait; read it after ended
}

// Start runs the binary. The child dies with this process, however that ends, where the system can do that.
func Start(binary string, args, env []string) (*Server, error) {
	s := &Server{cmd: exec.Command(binary, args...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	dieWithParent(s.cmd)
	started := make(chan error)
	go func() {
		// A child dies with the thread that started it, so that thread waits for it.
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.err = s.cmd.Wait()
		}
		close(s.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	return s, nil
}

// Await waits until a GET of url gives status 200, and fails at the end of ctx, or when the server has ended.
func (s *Server) Await(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.ended:
			cancel(errors.New("the process has ended"))
		case <-ctx.Done():
		}
	}()
	if err := Await(ctx, client, url); err != nil {
		return fmt.Errorf("%w; its log ends with:\n%s", err, s.log.String())
	}
	return nil
}

// Await waits until a GET of url gives status 200, and fails at the end of ctx.
func Await(ctx context.Context, client *http.Client, url string) error {
	var last error
	for {
		if last = get(ctx, client, url); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s: %w (%w)", url, context.Cause(ctx), last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// Signal sends a signal to the process.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Stop kills the process and waits for its end.
func (s *Server) Stop() error {
	err := s.cmd.Process.Kill()
	<-s.ended
	if errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("the server had ended before it was stopped: %v; its log ends with:\n%s", s.err, s.log.String())
	}
	return err
}

// FreeAddress is a loopback address on which nothing listens now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// log keeps the last bytes of what the process writes.
type log struct {
	mu  sync.Mutex
	buf []byte
}

const maxLog = 16 << 10 // bytes

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if over := len(l.buf) - maxLog; over > 0 {
		l.buf = bytes.Clone(l.buf[over:])
	}
	return len(p), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
