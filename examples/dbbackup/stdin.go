package main

import (
	"io"
	"os"
	"time"
)

// stdinReader is standard input with a Read that can be cut short, which Create does when it is interrupted. The
// descriptor itself stays as it is: non-blocking mode would be shared with whoever else has the
// pipe or the terminal, and does not exist on every system.
type stdinReader struct {
	io.Reader
	pipe *io.PipeWriter // feeds Reader
}

// interruptible reads r in a goroutine of its own, which a silent r keeps until the program ends.
// A regular file is never silent, and is read as it is.
func interruptible(r io.Reader) io.Reader {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return f
		}
	}
	out, in := io.Pipe()
	go func() {
		buf := make([]byte, 256<<10)
		_, err := io.CopyBuffer(in, struct{ io.Reader }{r}, buf)
		in.CloseWithError(err) // nil is io.EOF
	}()
	return stdinReader{out, in}
}

// SetReadDeadline ends all reading if t has passed. It knows no other deadlines.
func (s stdinReader) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(time.Now()) {
		return os.ErrNoDeadline
	}
	return s.pipe.CloseWithError(os.ErrDeadlineExceeded)
}
