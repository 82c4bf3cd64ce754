// Package digest counts and hashes a stream beside it: SHA-256 runs in a goroutine
// of its own while the same bytes go on, so that it costs a core and no time in line.
package digest

import (
	"crypto/sha256"
	"io"

	"github.com/databasement/backup/internal/ring"
)

// Sum is a SHA-256.
type Sum = [sha256.Size]byte

const (
	blockSize = 512 << 10
	blocks    = 3 // one being filled, one being hashed, one between
)

// hasher hashes blocks in the order in which it gets them.
type hasher struct {
	in  chan *ring.Block
	sum chan Sum
}

func newHasher() *hasher {
	h := &hasher{make(chan *ring.Block, blocks), make(chan Sum, 1)}
	go func() {
		state := sha256.New()
		for b := range h.in {
			state.Write(b.Data)
			b.Release()
		}
		h.sum <- Sum(state.Sum(nil))
	}()
	return h
}

// end waits for what is under way, and ends the goroutine. It may be called once.
func (h *hasher) end() Sum {
	close(h.in)
	return <-h.sum
}

// fill reads until the block is full or r errs.
func fill(b *ring.Block, r io.Reader) error {
	for empty := 0; !b.Full(); empty++ {
		n, err := r.Read(b.Room())
		if n < 0 || n > len(b.Room()) {
			return errCount
		}
		b.Grow(n)
		if err != nil {
			return err
		}
		if n > 0 {
			empty = 0
		} else if empty == 100 {
			return io.ErrNoProgress
		}
	}
	return nil
}
