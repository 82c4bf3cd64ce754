package compress

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

// block is one piece of a stream on its way through an encoder or decoder. Its
// buffers are reused for later blocks.
type block struct {
	in, out []byte
	state   any  // what a codec keeps with the buffers, such as an encoder
	last    bool // no block follows
	overlap int  // so many bytes of in belong to the block before

	stream io.Reader // for reading: the block's plain bytes, where they are not in out

	done chan struct{} // closed when encode or decode has returned err
	err  error
}

// plain is the part of in that is the block's own.
func (b *block) plain() []byte { return b.in[b.overlap:] }

// run calls f(b) on a goroutine of its own; done says when it has returned.
func (b *block) run(f func(*block) error) {
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		b.err = f(b)
	}()
}

// encoding is a format written as blocks. Nil functions and zero fields are not needed.
type encoding struct {
	size    int                // plain bytes in a block
	overlap int                // bytes of the block before that encode wants to see
	workers int                // blocks encoded at the same time
	head    []byte             // begins the stream
	encode  func(*block) error // appends to out, in any order, on any goroutine
	written func(*block)       // sees each encoded block, in order
	tail    func() []byte      // ends the stream
}

// blockWriter cuts a stream into blocks, encodes them side by side and writes the
// results in order. Only callers of Write and Close write to dst. At most workers
// blocks are in flight beside the one that is being filled.
type blockWriter struct {
	encoding
	dst      io.Writer
	filling  *block
	inFlight []*block // oldest first
	closed   bool
	err      error
}

func newBlockWriter(dst io.Writer, e encoding) *blockWriter {
	return &blockWriter{encoding: e, dst: dst}
}

func (w *blockWriter) Write(p []byte) (n int, err error) {
	if w.err == nil && w.closed {
		return 0, errWriteClosed
	}
	for w.err == nil && len(p) > 0 {
		if w.filling == nil {
			w.filling = w.newBlock()
		} else if len(w.filling.plain()) == w.size {
			w.dispatch()
			continue
		}
		b := w.filling
		k := min(len(p), w.size-len(b.plain()))
		b.in = append(b.in, p[:k]...)
		p, n = p[k:], n+k
	}
	return n, w.err
}

// Close encodes the rest, even if that is nothing, and waits for every goroutine.
func (w *blockWriter) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		if w.filling == nil {
			w.filling = w.newBlock()
		}
		w.filling.last = true
		w.dispatch()
	}
	for len(w.inFlight) > 0 {
		w.put(w.oldest())
	}
	w.filling = nil
	if w.tail != nil {
		w.write(w.tail())
	}
	return w.err
}

// dispatch starts encoding the block that has been filled and makes room for the next.
func (w *blockWriter) dispatch() {
	full, free := w.filling, (*block)(nil)
	if len(w.inFlight) == w.workers {
		free = w.oldest()
	}
	full.run(w.encode)
	w.inFlight = append(w.inFlight, full)
	w.put(free)
	if full.last {
		return
	}
	if free == nil {
		free = w.newBlock()
	}
	// full is only read while it is encoded, so its end can be copied meanwhile.
	free.overlap = min(w.overlap, len(full.in))
	free.in = append(free.in[:0], full.in[len(full.in)-free.overlap:]...)
	w.filling = free
}

func (w *blockWriter) newBlock() *block {
	return &block{in: make([]byte, 0, w.overlap+w.size)}
}

// oldest waits for the block that is to be written next.
func (w *blockWriter) oldest() *block {
	b := w.inFlight[0]
	w.inFlight = append(w.inFlight[:0], w.inFlight[1:]...)
	<-b.done
	return b
}

// put writes what b was encoded to.
func (w *blockWriter) put(b *block) {
	if b == nil {
		return
	}
	if w.err == nil {
		w.err = b.err
	}
	w.write(w.head)
	w.head = nil
	w.write(b.out)
	if w.written != nil && w.err == nil {
		w.written(b)
	}
	b.out = b.out[:0]
}

func (w *blockWriter) write(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	n, err := w.dst.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
}

// workers is n, or GOMAXPROCS where n is not positive.
func workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

var errWriteClosed = fmt.Errorf("compress: write after Close: %w", os.ErrClosed)
