package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
)

// content is a stream that its seed and length tell, and that does not compress.
func content(seed uint64, size int64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return io.LimitReader(rand.NewChaCha8(key), size)
}

// errSource is what a dump that fails ends with.
var errSource = errors.New("the dump failed")

// failing gives the first n bytes of r, and then err.
func failing(r io.Reader, n int64, err error) io.Reader {
	return io.MultiReader(io.LimitReader(r, n), &failure{err})
}

type failure struct{ err error }

func (f *failure) Read([]byte) (int, error) { return 0, f.err }

// comparer takes what is read, and notices the first byte that is not of the stream.
type comparer struct {
	want  io.Reader
	left  int64
	buf   []byte
	wrong error
}

func compare(seed uint64, size int64) *comparer {
	return &comparer{want: content(seed, size), left: size}
}

func (c *comparer) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		c.wrong = fmt.Errorf("%d bytes more than there were", int64(len(p))-c.left)
	}
	c.buf = append(c.buf[:0], p...)
	n, _ := io.ReadFull(c.want, c.buf) // less only at its end, which is noticed above
	if c.wrong == nil && !bytes.Equal(c.buf[:n], p) {
		c.wrong = fmt.Errorf("other bytes, %d before the end", c.left)
	}
	c.left -= int64(len(p))
	return len(p), c.wrong
}

// check judges what was read: all of it, or a part of it and an error.
func (c *comparer) check(err error) error {
	switch {
	case c.wrong != nil:
		return c.wrong
	case err == nil && c.left != 0:
		return fmt.Errorf("success, and the last %d bytes are missing", c.left)
	}
	return nil
}
