package digest

import (
	"errors"
	"io"

	"github.com/databasement/backup/internal/ring"
)

// Check judges a stream at its end, or when it is longer than it may be. Its error is given in the
// place of io.EOF; it must have one for a stream that is too long.
type Check func(size int64, sum Sum) error

// Reader reads src, and withholds its io.EOF until check has passed.
type Reader struct {
	src   io.Reader
	max   int64
	check Check
	seen  func(size int64)
	hash  *hasher
	ring  *ring.Ring
	size  int64
	err   error
}

// NewReader starts one. Close must be called, to end its goroutine. Bytes beyond max are not
// given out, but are check's error at once. seen is told, after each read, how many bytes have passed.
func NewReader(src io.Reader, max int64, seen func(size int64), check Check) *Reader {
	return &Reader{src: src, max: max, seen: seen, check: check, hash: newHasher(), ring: ring.New(blocks, blockSize)}
}

// Read copies what it gives out for the hash; WriteTo need not.
func (r *Reader) Read(p []byte) (n int, err error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err = r.src.Read(p[:min(len(p), blockSize)])
	if n > 0 && r.grow(n) {
		b := r.ring.Get()
		b.Grow(copy(b.Room(), p[:n]))
		r.hash.in <- b
	}
	r.end(err)
	if r.size > r.max {
		n = 0
	}
	return n, r.err
}

// WriteTo gives each block to the hash and to w at the same time. Like io.Copy it returns nil at the
// (verified) end.
func (r *Reader) WriteTo(w io.Writer) (total int64, err error) {
	for r.err == nil {
		b := r.ring.Get()
		readErr := fill(b, r.src)
		if !r.grow(len(b.Data)) {
			b.Release()
			break
		}
		r.hash.in <- b.Share()
		n, err := w.Write(b.Data)
		short := n < len(b.Data)
		b.Release()
		total += int64(n)
		if err == nil && short {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
		r.end(readErr)
	}
	if r.err == io.EOF {
		return total, nil
	}
	return total, r.err
}

// grow counts n more bytes, and reports whether they are within the limit.
func (r *Reader) grow(n int) bool {
	if r.size += int64(n); r.size > r.max {
		r.err = r.check(r.size, Sum{})
		return false
	}
	r.seen(r.size)
	return true
}

// end takes src's error; io.EOF only after the check.
func (r *Reader) end(err error) {
	if r.err != nil || err == nil {
		return
	}
	if err == io.EOF {
		sum := r.hash.end()
		r.hash = nil
		if failed := r.check(r.size, sum); failed != nil {
			err = failed
		}
	}
	r.err = err
}

// Close ends the goroutine; it does not close src.
func (r *Reader) Close() error {
	if r.hash != nil {
		r.hash.end()
		r.hash = nil
	}
	if r.err == nil {
		r.err = errors.New("read after Close")
	}
	return nil
}
