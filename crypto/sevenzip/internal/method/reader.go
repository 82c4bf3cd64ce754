package method

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/databasement/backup/crypto"
)

// reader yields as many of a decoder's bytes as the header says.
type reader struct {
	*coder
	decoder
	left  uint64 // bytes that are still to be read
	ended bool   // the decoder has said io.EOF
	err   error
}

func (r *reader) Read(p []byte) (n int, err error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	if r.left == 0 {
		r.err = r.finish()
		return 0, r.err
	}
	n, err = r.decoder.Read(p[:min(uint64(len(p)), r.left)])
	r.left -= uint64(n)
	switch {
	case err == io.EOF && r.left == 0:
		r.ended, err = true, nil
	case err == io.EOF && r.ends:
		err = errors.New("fewer bytes than the header says")
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	r.err = r.explain(err)
	return n, r.err
}

// finish checks that the format and the inputs end too.
func (r *reader) finish() error {
	if !r.ended {
		n, err := io.ReadFull(r.decoder, make([]byte, 1))
		if n > 0 {
			err = errors.New("more bytes than the header says")
		}
		if err != io.EOF {
			return r.explain(err)
		}
	}
	for _, in := range r.in {
		switch _, err := in.Peek(1); err {
		case io.EOF:
		case nil:
			return r.explain(errMore)
		default:
			return r.explain(err)
		}
	}
	return io.EOF
}

// explain turns an error of the decoder into the one to return.
func (r *reader) explain(err error) error {
	if err == nil {
		return nil
	}
	for _, in := range r.in {
		if in.err != nil {
			return in.err
		}
	}
	if unsupported := (*UnsupportedError)(nil); errors.As(err, &unsupported) {
		return unsupported
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the stream is truncated: %w", r.name, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: %v: %w", r.name, err, crypto.ErrDamaged)
}

// Close waits for the decoder's goroutines.
func (r *reader) Close() error {
	if r.decoder.close != nil {
		r.decoder.close()
	}
	r.decoder = decoder{}
	r.err = errClosed
	return nil
}

var (
	errMore   = errors.New("more data than the header says")
	errClosed = fmt.Errorf("read after Close: %w", os.ErrClosed)
)

// source buffers an input and remembers why reading it failed, so that the input's own error is not taken for damage.
// Decoders read it only while they are read.
type source struct {
	*bufio.Reader
	r   io.Reader
	err error // other than io.EOF
}

func newSource(r io.Reader) *source {
	s := &source{r: r}
	s.Reader = bufio.NewReaderSize(failing{s}, 64<<10)
	return s
}

type failing struct{ *source }

func (f failing) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.source.err = err
	}
	return n, err
}

// noEOF is for where the input must not end.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
