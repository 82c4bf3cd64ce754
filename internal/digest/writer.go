package digest

import (
	"errors"
	"io"

	"github.com/databasement/backup/internal/ring"
)

var (
	errCount = errors.New("reader returned an impossible count of bytes")
	errEnded = errors.New("write after the end of the stream")
)

// Writer passes bytes on to next, in blocks.
type Writer struct {
	next io.Writer
	hash *hasher
	ring *ring.Ring
	cur  *ring.Block
	seen func(size int64)
	size int64
	err  error
}

// NewWriter starts one. Flush or Abort must be called, to end its goroutine. seen is told, after each block, how
// many bytes have passed.
func NewWriter(next io.Writer, seen func(size int64)) *Writer {
	r := ring.New(blocks, blockSize)
	return &Writer{next: next, hash: newHasher(), ring: r, cur: r.Get(), seen: seen}
}

// Write takes p; the first error of next is sticky.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		c := copy(w.cur.Room(), p)
		w.cur.Grow(c)
		n, p = n+c, p[c:]
		if w.cur.Full() {
			w.emit()
		}
	}
	return n, w.err
}

// ReadFrom reads straight into the blocks until io.EOF. It returns r's error as it is.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	before := w.size + int64(len(w.cur.Data))
	for w.err == nil {
		if err := fill(w.cur, r); err != nil {
			n := w.size + int64(len(w.cur.Data)) - before
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		w.emit()
	}
	return w.size - before, w.err
}

// emit gives the block to the hash and to next at the same time.
func (w *Writer) emit() {
	w.hash.in <- w.cur.Share()
	w.size += int64(len(w.cur.Data))
	n, err := w.next.Write(w.cur.Data)
	if err == nil && n < len(w.cur.Data) {
		err = io.ErrShortWrite
	}
	w.err = err
	w.cur.Release()
	w.cur = w.ring.Get()
	w.seen(w.size)
}

// Size is how many bytes went on to next.
func (w *Writer) Size() int64 { return w.size }

// Err is the sticky error of next, or nil.
func (w *Writer) Err() error { return w.err }

// Flush passes on what is left, and returns the SHA-256 of all. It ends the Writer.
func (w *Writer) Flush() (Sum, error) {
	if len(w.cur.Data) > 0 && w.err == nil {
		w.emit()
	}
	if w.err != nil {
		w.Abort()
		return Sum{}, w.err
	}
	sum := w.hash.end()
	w.hash, w.err = nil, errEnded
	return sum, nil
}

// Abort ends the Writer without passing on what is left. After Flush it does nothing.
func (w *Writer) Abort() {
	if w.hash != nil {
		w.hash.end()
		w.hash = nil
	}
	if w.err == nil {
		w.err = errEnded
	}
}
