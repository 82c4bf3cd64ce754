// Package blocks encodes and decodes streams in blocks: several at the same time, in order at both
// ends. What a block's bytes mean is its user's.
package blocks

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

// Block is one piece of a stream on its way through an encoder or decoder. Its
// buffers are reused for later blocks.
type Block struct {
	In, Out []byte
	State   any  // what a codec keeps with the buffers, such as an encoder
	Last    bool // no block follows
	Overlap int  // so many bytes of In belong to the block before

	Stream io.Reader // for reading: the block's plain bytes, where they are not in Out

	done chan struct{} // closed when encode or decode has returned err
	err  error
}

// Plain is the part of In that is the block's own.
func (b *Block) Plain() []byte { return b.In[b.Overlap:] }

// run calls f(b) on a goroutine of its own; done says when it has returned.
func (b *Block) run(f func(*Block) error) {
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		b.err = f(b)
	}()
}

// Workers is n, or GOMAXPROCS where n is not positive.
func Workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

var (
	errWriteClosed = fmt.Errorf("write after Close: %w", os.ErrClosed)
	errReadClosed  = fmt.Errorf("read after Close: %w", os.ErrClosed)
)
