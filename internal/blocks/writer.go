package blocks

import "io"

// Encoding is a format written as blocks. Nil functions and zero fields are not needed, but Size, Workers and Encode.
type Encoding struct {
	Size    int                // plain bytes in a block
	Overlap int                // bytes of the block before that Encode wants to see
	Workers int                // blocks encoded at the same time
	Head    []byte             // begins the stream
	Encode  func(*Block) error // appends to Out, in any order, on any goroutine
	Written func(*Block)       // sees each encoded block, in order
	Tail    func() []byte      // ends the stream
}

// Writer cuts a stream into blocks, encodes them side by side and writes the
// results in order. Only callers of Write and Close write to dst. At most workers
// blocks are in flight beside the one that is being filled.
type Writer struct {
	Encoding
	dst      io.Writer
	filling  *Block
	inFlight []*Block // oldest first
	closed   bool
	err      error
}

// NewWriter makes a Writer to dst.
func NewWriter(dst io.Writer, e Encoding) *Writer {
	return &Writer{Encoding: e, dst: dst}
}

// Write returns the first error of all, of dst or of encoding.
func (w *Writer) Write(p []byte) (n int, err error) {
	if w.err == nil && w.closed {
		return 0, errWriteClosed
	}
	for w.err == nil && len(p) > 0 {
		if w.filling == nil {
			w.filling = w.newBlock()
		} else if len(w.filling.Plain()) == w.Size {
			w.dispatch()
			continue
		}
		b := w.filling
		k := min(len(p), w.Size-len(b.Plain()))
		b.In = append(b.In, p[:k]...)
		p, n = p[k:], n+k
	}
	return n, w.err
}

// Close encodes the rest, even if that is nothing, and waits for every goroutine.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		if w.filling == nil {
			w.filling = w.newBlock()
		}
		w.filling.Last = true
		w.dispatch()
	}
	for len(w.inFlight) > 0 {
		w.put(w.oldest())
	}
	w.filling = nil
	if w.Tail != nil {
		w.write(w.Tail())
	}
	return w.err
}

// dispatch starts encoding the block that has been filled and makes room for the next.
func (w *Writer) dispatch() {
	full, free := w.filling, (*Block)(nil)
	if len(w.inFlight) == w.Workers {
		free = w.oldest()
	}
	full.run(w.Encode)
	w.inFlight = append(w.inFlight, full)
	w.put(free)
	if full.Last {
		return
	}
	if free == nil {
		free = w.newBlock()
	}
	// full is only read while it is encoded, so its end can be copied meanwhile.
	free.Overlap = min(w.Overlap, len(full.In))
	free.In = append(free.In[:0], full.In[len(full.In)-free.Overlap:]...)
	w.filling = free
}

func (w *Writer) newBlock() *Block {
	return &Block{In: make([]byte, 0, w.Overlap+w.Size)}
}

// oldest waits for the block that is to be written next.
func (w *Writer) oldest() *Block {
	b := w.inFlight[0]
	w.inFlight = append(w.inFlight[:0], w.inFlight[1:]...)
	<-b.done
	return b
}

// put writes what b was encoded to.
func (w *Writer) put(b *Block) {
	if b == nil {
		return
	}
	if w.err == nil {
		w.err = b.err
	}
	w.write(w.Head)
	w.Head = nil
	w.write(b.Out)
	if w.Written != nil && w.err == nil {
		w.Written(b)
	}
	b.Out = b.Out[:0]
}

func (w *Writer) write(p []byte) {
	if w.err != nil || len(p) == 0 {
		return
	}
	n, err := w.dst.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
}
