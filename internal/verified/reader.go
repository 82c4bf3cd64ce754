// Package verified reads a stored stream back: by chunk, some ahead, each held in
// memory until its digest has been checked, so that no byte of a damaged chunk is given out.
package verified

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/ring"
	"github.com/databasement/backup/storage"
)

// Ahead is how many chunks are fetched while one is read.
const Ahead = 3

// Segment is one object of the stream.
type Segment struct {
	Object string
	Size   int64
	// Digests gives those of its chunks, and is called when one is needed. Nil: nothing is known of them.
	Digests func(ctx context.Context) ([]manifest.Digest, error)
}

// Config says what to read.
type Config struct {
	Volume   storage.Volume
	Segments []Segment
	Chunk    int64 // bytes; chunks begin anew in each segment
	// Again, if not nil, is told of each repetition; Progress, of how many bytes were fetched in all.
	// Both are called from several goroutines.
	Again    func(err error)
	Progress func(stored int64)
}

// Reader is a crypto.Source.
type Reader struct {
	cfg     Config
	ctx     context.Context
	cancel  context.CancelFunc
	size    int64
	starts  []place // of each segment
	chunks  int64
	ring    *ring.Ring
	digests digests

	mu      sync.Mutex
	window  []*fetch // at most 1+Ahead, oldest first
	last    int64    // chunk given out last
	pos     int64    // of Read
	fetched progress
}

// place is where a segment begins.
type place struct{ byte, chunk int64 }

// New makes a Reader. It reads nothing yet. Close must be called; ctx governs reading.
func New(ctx context.Context, cfg Config) *Reader {
	r := &Reader{cfg: cfg, last: -1, fetched: progress{report: cfg.Progress}, digests: digests{turn: make(chan struct{}, 1)}}
	r.ctx, r.cancel = context.WithCancel(ctx)
	for _, s := range cfg.Segments {
		r.starts = append(r.starts, place{r.size, r.chunks})
		r.size += s.Size
		r.chunks += (s.Size + cfg.Chunk - 1) / cfg.Chunk
	}
	r.ring = ring.New(1+Ahead, int(min(cfg.Chunk, r.size)))
	return r
}

// Size is the length of the stream in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read reads in order.
func (r *Reader) Read(p []byte) (int, error) {
	if r.size == 0 { // there is no chunk, but there is an object
		if _, err := r.digests.of(r.ctx, r.cfg.Volume, 0, r.cfg.Segments[0]); err != nil {
			return 0, err
		}
	}
	if r.pos >= r.size {
		return 0, io.EOF
	}
	n, err := r.some(p, r.pos)
	r.pos += int64(n)
	return n, err
}

// ReadAt reads anywhere. Reading on from the chunk before is what fetches ahead.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	for n < len(p) && err == nil {
		if off+int64(n) >= r.size {
			return n, io.EOF
		}
		var c int
		c, err = r.some(p[n:], off+int64(n))
		n += c
	}
	return n, err
}

// some copies what p takes of the one chunk that has the byte at off.
func (r *Reader) some(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	index, within := r.chunkAt(off)
	data, err := r.chunk(index)
	if err != nil {
		return 0, err
	}
	return copy(p, data[within:]), nil
}

// chunkAt finds the chunk with the byte at off.
func (r *Reader) chunkAt(off int64) (index, within int64) {
	i := sort.Search(len(r.starts), func(i int) bool { return r.starts[i].byte > off }) - 1
	off -= r.starts[i].byte
	return r.starts[i].chunk + off/r.cfg.Chunk, off % r.cfg.Chunk
}

// locate is the reverse: a chunk's segment and its range there.
func (r *Reader) locate(index int64) (segment int, off, n int64) {
	i := sort.Search(len(r.starts), func(i int) bool { return r.starts[i].chunk > index }) - 1
	off = (index - r.starts[i].chunk) * r.cfg.Chunk
	return i, off, min(r.cfg.Chunk, r.cfg.Segments[i].Size-off)
}

// chunk returns the verified bytes of a chunk, which are good until the next call.
func (r *Reader) chunk(index int64) ([]byte, error) {
	if r.ctx.Err() != nil {
		return nil, context.Cause(r.ctx)
	}
	end := index + 1
	if index == r.last || index == r.last+1 {
		end = min(index+1+Ahead, r.chunks)
	}
	r.keep(index, end)
	for i := index; i < end; i++ {
		if r.find(i) == nil {
			r.window = append(r.window, r.start(i))
		}
	}
	f := r.find(index)
	<-f.done
	r.last = index
	return f.block.Data, f.err
}

func (r *Reader) find(index int64) *fetch {
	for _, f := range r.window {
		if f.index == index {
			return f
		}
	}
	return nil
}

// keep lets go of chunks outside [from, to), oldest first, until what is missing of these has room.
func (r *Reader) keep(from, to int64) {
	missing := 0
	for i := from; i < to; i++ {
		if r.find(i) == nil {
			missing++
		}
	}
	for len(r.window)+missing > 1+Ahead {
		i := slices.IndexFunc(r.window, func(f *fetch) bool { return f.index < from || f.index >= to })
		<-r.window[i].done
		r.window[i].block.Release()
		r.window = slices.Delete(r.window, i, i+1)
	}
}

// Close ends every fetch.
func (r *Reader) Close() error {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.window {
		<-f.done
	}
	r.window = nil
	return nil
}
