package segment

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"

	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/ring"
)

// chunker digests a segment by chunk, in a goroutine of its own.
type chunker struct {
	size   int64
	in     chan *ring.Block
	once   sync.Once
	done   chan struct{}
	sums   []manifest.Digest
	filled int64 // of the current chunk
	hash   hash.Hash
	keep   bool   // the first chunk, whose first bytes come last
	kept   []byte // its bytes
}

func newChunker(size int64, keepFirst bool) *chunker {
	c := &chunker{size: size, in: make(chan *ring.Block, blocks), done: make(chan struct{}), hash: sha256.New(), keep: keepFirst}
	if keepFirst {
		c.kept = make([]byte, 0, size)
	}
	go func() {
		defer close(c.done)
		for b := range c.in {
			c.add(b.Data)
			b.Release()
		}
		if c.filled > 0 {
			c.cut()
		}
	}()
	return c
}

func (c *chunker) add(p []byte) {
	for len(p) > 0 {
		n := min(int64(len(p)), c.size-c.filled)
		if c.keep && len(c.sums) == 0 {
			c.kept = append(c.kept, p[:n]...)
		}
		c.hash.Write(p[:n])
		c.filled, p = c.filled+n, p[n:]
		if c.filled == c.size {
			c.cut()
		}
	}
}

// cut ends a chunk.
func (c *chunker) cut() {
	c.sums = append(c.sums, manifest.Digest(c.hash.Sum(nil)))
	c.hash.Reset()
	c.filled = 0
}

// stop lets the goroutine end once it has digested what it got.
func (c *chunker) stop() { c.once.Do(func() { close(c.in) }) }

// digests waits for the end and returns all.
func (c *chunker) digests() []manifest.Digest {
	<-c.done
	return c.sums
}

// setHead digests the first chunk again with its true first bytes.
func (c *chunker) setHead(head []byte) error {
	<-c.done
	if len(c.kept) < len(head) {
		return io.ErrUnexpectedEOF
	}
	copy(c.kept, head)
	c.sums[0] = sha256.Sum256(c.kept)
	return nil
}
