// Package ring has a fixed set of equal blocks that goroutines share: a block is
// reused when its last holder lets go, and whoever wants one while all are held waits.
package ring

import "sync/atomic"

// Ring is a set of blocks.
type Ring struct {
	free chan *Block
	size int
}

// Block is a piece of a stream.
type Block struct {
	Data []byte // empty when got, with the ring's block size as capacity
	refs atomic.Int32
	ring *Ring
}

// New makes a ring of n blocks of size bytes, each allocated when first used.
func New(n, size int) *Ring {
	r := &Ring{make(chan *Block, n), size}
	for range n {
		r.free <- &Block{ring: r}
	}
	return r
}

// Free is where free blocks come from, for a select; follow it with Take.
func (r *Ring) Free() <-chan *Block { return r.free }

// Get waits for a free block.
func (r *Ring) Get() *Block { return (<-r.free).Take() }

// Take makes a block received from Free the caller's own.
func (b *Block) Take() *Block {
	if b.Data == nil {
		b.Data = make([]byte, 0, b.ring.size)
	}
	b.Data = b.Data[:0]
	b.refs.Store(1)
	return b
}

// Share adds a holder.
func (b *Block) Share() *Block {
	b.refs.Add(1)
	return b
}

// Release lets go; the holder must not touch the block again.
func (b *Block) Release() {
	if b.refs.Add(-1) == 0 {
		b.ring.free <- b
	}
}

// Room is what can still be appended.
func (b *Block) Room() []byte { return b.Data[len(b.Data):cap(b.Data)] }

// Grow counts n bytes of Room as filled.
func (b *Block) Grow(n int) { b.Data = b.Data[:len(b.Data)+n] }

// Full reports whether there is no room left.
func (b *Block) Full() bool { return len(b.Data) == cap(b.Data) }
