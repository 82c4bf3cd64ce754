package compress

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// source buffers what a decoder reads and remembers why reading failed, so that
// the reader's own error is not reported as damage or as a truncated stream.
type source struct {
	*bufio.Reader
	cause *cause
}

type cause struct {
	r   io.Reader
	mu  sync.Mutex // decoders read ahead on goroutines of their own
	err error
}

func newSource(r io.Reader) source {
	c := &cause{r: r}
	return source{bufio.NewReaderSize(c, 64<<10), c}
}

func (c *cause) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && err != io.EOF {
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
	}
	return n, err
}

// atMagic says whether another member, whose first bytes are magic, begins here.
// io.EOF is the end, io.ErrUnexpectedEOF an end within magic.
func (s source) atMagic(magic ...[]byte) error {
	for _, m := range magic {
		p, err := s.Peek(len(m))
		switch {
		case bytes.Equal(p, m):
			return nil
		case err == nil || !bytes.HasPrefix(m, p):
			continue
		case err == io.EOF && len(p) > 0:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return errMagic
}

// explain turns the error of a decoder into the one to return.
func (s source) explain(format string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	s.cause.mu.Lock()
	defer s.cause.mu.Unlock()
	switch {
	case s.cause.err != nil:
		return s.cause.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the stream is truncated: %w", format, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: the stream is damaged: %w", format, err)
}

// explained is a reader whose errors are explained.
type explained struct {
	io.Reader
	src    source
	format string
}

func (e explained) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	return n, e.src.explain(e.format, err)
}

// noEOF is for where the input must not end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errMagic = errors.New("what follows is not of this format")

var (
	errWriteClosed = fmt.Errorf("compress: write after Close: %w", os.ErrClosed)
	errReadClosed  = fmt.Errorf("compress: read after Close: %w", os.ErrClosed)
)
