package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// waitDelay is how long the pipes of a program that has ended may stay open, held by what it left behind. That is a
// failure: the exit status says nothing about those (golang/go#19685).
var waitDelay = 5 * time.Second // shorter in tests

// tool is a program with its arguments, to be run in a process group of its own.
type tool struct {
	path    string
	args    []string
	env     []string // beyond the environment of this process
	dir     string
	secrets []string // never in an error
}

// find returns the first of the programs that is on PATH.
func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: there is no %s on PATH: install the database's client programs", exec.ErrNotFound, strings.Join(names, " and no "))
}

// process is a running tool.
type process struct {
	t      *tool
	cmd    *exec.Cmd
	ctx    context.Context
	kill   context.CancelCauseFunc // with why
	stderr excerpt
}

// start runs the tool. It is killed, with all of its group, when ctx is done.
func (t *tool) start(ctx context.Context, stdin, stdout *os.File) (*process, error) {
	p := &process{t: t}
	p.ctx, p.kill = context.WithCancelCause(ctx)
	p.cmd = exec.CommandContext(p.ctx, t.path, t.args...)
	p.cmd.Env = append(os.Environ(), t.env...)
	p.cmd.Dir = t.dir
	if stdin != nil { // else a nil *os.File would be a Reader that is not nil
		p.cmd.Stdin = stdin
	}
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = waitDelay
	ownGroup(p.cmd)
	p.cmd.Cancel = func() error { return killGroup(p.cmd) }
	if err := p.cmd.Start(); err != nil {
		defer p.kill(nil)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, t.error(err, "")
	}
	return p, nil
}

// wait waits for the end, and returns the first cause of a failure.
func (p *process) wait() error {
	err := p.cmd.Wait()
	cause := context.Cause(p.ctx) // of the kill, if there was one
	if errors.Is(err, exec.ErrWaitDelay) {
		_ = killGroup(p.cmd) // what holds the pipes
	}
	p.kill(nil)
	switch {
	case p.killed(err, cause):
		return cause
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrWaitDelay):
		err = fmt.Errorf("it has ended, but what it started has not, so its success is not known: %w", err)
	}
	return p.t.error(err, p.stderr.String())
}

// killed reports whether a process was killed for cause, rather than ended by itself before that.
func (p *process) killed(err, cause error) bool {
	exit := (*exec.ExitError)(nil)
	switch {
	case cause == nil:
		return false
	case errors.As(err, &exit):
		return !exit.Exited() || runtime.GOOS == "windows" // where a kill is a status, too
	}
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// error adds which program it was and what it said, without secrets.
func (t *tool) error(err error, said string) error {
	if err == nil {
		return nil
	}
	name := t.path[strings.LastIndexAny(t.path, `/\`)+1:]
	if said = t.redact(strings.TrimSpace(said)); said != "" {
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%s: %w, without saying why", name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

func (t *tool) redact(s string) string {
	for _, secret := range t.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[password]")
		}
	}
	return s
}

// dump writes the tool's output to w. It returns nil only if the tool ended with status 0 and all was written.
func (t *tool) dump(ctx context.Context, w io.Writer) error {
	r, stdout, err := os.Pipe()
	if err != nil {
		return t.error(err, "")
	}
	defer r.Close()
	p, err := t.start(ctx, nil, stdout)
	stdout.Close()
	if err != nil {
		return err
	}
	defer killGroup(p.cmd) // what it left behind without the pipes
	out := &output{f: r}
	waited := make(chan error, 1)
	go func() {
		err := p.wait()
		out.ended()
		waited <- err
	}()
	// A killed program may leave behind what keeps its output open.
	stop := context.AfterFunc(p.ctx, func() { out.ended() })
	defer stop()
	written := false
	defer func() {
		if !written { // w has panicked
			p.kill(errors.New("the writer panicked"))
			<-waited
		}
	}()
	_, copied := io.CopyBuffer(struct{ io.Writer }{writer{w, p.kill}}, out, make([]byte, 256<<10))
	written = true
	if out.err != nil {
		p.kill(out.err)
	}
	err = <-waited
	switch {
	case err != nil:
		return err
	case out.err != nil:
		return t.error(out.err, "")
	}
	return copied
}

// writer kills the program when it cannot write.
type writer struct {
	w    io.Writer
	kill context.CancelCauseFunc
}

func (w writer) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.kill(err)
	}
	return n, err
}

// output is what a program writes. Once it has ended only what is in the pipe can follow.
type output struct {
	f    *os.File
	mu   sync.Mutex
	over bool
	left int64 // after the end
	err  error // of reading, but io.EOF
}

// maxPipe is as much as a pipe can hold.
const maxPipe = 1 << 20

func (o *output) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.over {
		o.over, o.left = true, maxPipe
		_ = o.f.SetReadDeadline(time.Now().Add(waitDelay))
	}
}

func (o *output) Read(b []byte) (int, error) {
	o.mu.Lock()
	over := o.over
	if over { // w may have been slow: the time of a Read counts, not that between
		_ = o.f.SetReadDeadline(time.Now().Add(waitDelay))
	}
	o.mu.Unlock()
	n, err := o.f.Read(b)
	if over {
		o.left -= int64(n)
	}
	if os.IsTimeout(err) || over && o.left < 0 { // until then left is written by ended
		err = errors.New("it has ended, but what it started goes on writing or keeps its output open, so its success is not known")
	}
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

// load gives the tool all of r. On an error of r it is killed before its input ends.
func (t *tool) load(ctx context.Context, r io.Reader) error {
	stdin, w, err := os.Pipe()
	if err != nil {
		return t.error(err, "")
	}
	defer w.Close()
	p, err := t.start(ctx, stdin, nil)
	stdin.Close()
	if err != nil {
		return err
	}
	defer killGroup(p.cmd) // what it left behind without the pipes
	stop := context.AfterFunc(p.ctx, func() { _ = w.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	read := false
	defer func() {
		if !read { // r has panicked, and its input is about to be closed
			p.kill(errors.New("the reader panicked"))
			_ = p.wait()
		}
	}()
	src := &source{r: r, kill: p.kill}
	_, copied := io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, 256<<10))
	read = true
	if copied == nil && p.ctx.Err() == nil {
		w.Close()
	}
	err = p.wait() // with the input open, unless it was all there
	switch {
	case err != nil:
		return err
	case copied != nil:
		return t.error(fmt.Errorf("it ended before it had read all of its input: %w", copied), p.stderr.String())
	}
	return nil
}

// source kills the program when it cannot be read. It keeps the last byte back until r has said that this was the end:
// pg_restore needs no end of its input to commit, only the last byte of the archive (pitfall 42).
type source struct {
	r    io.Reader
	kill context.CancelCauseFunc
	last []byte // what is kept back
}

func (s *source) Read(b []byte) (int, error) {
	kept := copy(b, s.last)
	n, err := s.r.Read(b[kept:])
	n += kept
	switch {
	case err == io.EOF:
		s.last = nil
	case err != nil:
		s.kill(err)
		return 0, err
	case n > 0:
		n--
		s.last = append(s.last[:0], b[n])
	}
	return n, err
}

// maxText bounds what query returns, in bytes.
const maxText = 4 << 20

// query runs the tool, and returns what it writes but the last line's end.
func (t *tool) query(ctx context.Context) (string, error) {
	out := &text{}
	if err := t.dump(ctx, out); err != nil {
		return "", err
	}
	return strings.TrimRight(out.String(), "\r\n"), nil
}

// text is a short output.
type text struct{ strings.Builder }

func (t *text) Write(b []byte) (int, error) {
	if t.Len()+len(b) > maxText {
		return 0, fmt.Errorf("it wrote more than %d bytes, where a short answer was expected", maxText)
	}
	return t.Builder.Write(b)
}
