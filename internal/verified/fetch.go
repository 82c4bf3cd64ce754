package verified

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/internal/ring"
	"github.com/databasement/backup/storage"
)

// fetch is a chunk on its way, or here.
type fetch struct {
	index int64
	block *ring.Block
	done  chan struct{}
	err   error // after done
}

func (r *Reader) start(index int64) *fetch {
	f := &fetch{index: index, block: r.ring.Get(), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		if f.err = r.fetch(f); f.err != nil {
			f.block.Data = f.block.Data[:0]
		}
	}()
	return f
}

// fetch reads a chunk, again where that may help, and checks it.
func (r *Reader) fetch(f *fetch) error {
	segment, off, n := r.locate(f.index)
	s := r.cfg.Segments[segment]
	digests, err := r.digests.of(r.ctx, r.cfg.Volume, segment, s)
	if err != nil {
		return err
	}
	f.block.Grow(int(n))
	damaged := false
	err = retry.Do(r.ctx, func() error {
		if err := readRange(r.ctx, r.cfg.Volume, s.Object, off, f.block.Data); err != nil {
			return lost(s.Object, err)
		}
		if digests == nil || sha256.Sum256(f.block.Data) == digests[off/r.cfg.Chunk] {
			return nil
		}
		err := fmt.Errorf("%w: bytes %d to %d of %q do not match their digest", manifest.ErrDamaged, off, off+n-1, s.Object)
		if damaged { // twice: it is not the transport
			return retry.Stop(err)
		}
		damaged = true
		return err
	}, r.cfg.Again)
	if err == nil {
		r.fetched.add(n)
	}
	return err
}

// readRange fills p, or fails.
func readRange(ctx context.Context, v storage.Volume, object string, off int64, p []byte) error {
	body, err := v.Open(ctx, object, off, int64(len(p)))
	if err != nil {
		return err
	}
	_, err = io.ReadFull(body, p)
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%q ended in the %d bytes from %d: %w", object, len(p), off, io.ErrUnexpectedEOF)
	}
	return err
}

// digests keeps those of two segments, as fetches may be on both sides of a roll-over.
type digests struct {
	turn chan struct{} // of one fetch at a time; a mutex that waiting can leave
	have [2]struct {
		segment int // from 1
		chunks  []manifest.Digest
	}
}

// of returns a segment's, nil if it has none. Before that it looks whether the object has its size, which tells
// a truncated one from a broken connection.
func (d *digests) of(ctx context.Context, v storage.Volume, segment int, s Segment) ([]manifest.Digest, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	slot := &d.have[segment%2]
	if slot.segment == segment+1 {
		return slot.chunks, nil
	}
	var chunks []manifest.Digest
	err := retry.Do(ctx, func() error {
		object, err := v.Stat(ctx, s.Object)
		if err != nil {
			return lost(s.Object, err)
		}
		if object.Size != s.Size {
			return retry.Stop(fmt.Errorf("%w: %q has %d bytes, not %d", manifest.ErrDamaged, s.Object, object.Size, s.Size))
		}
		if s.Digests != nil {
			chunks, err = s.Digests(ctx)
		}
		return lost("the sums of "+s.Object, err)
	}, nil)
	if err != nil {
		return nil, err
	}
	slot.segment, slot.chunks = segment+1, chunks
	return chunks, nil
}

// lost makes a missing object what it is below a manifest: damage, and not an absent snapshot.
func lost(what string, err error) error {
	if errors.Is(err, storage.ErrNotExist) {
		return retry.Stop(fmt.Errorf("%w: %s is missing (%v)", manifest.ErrDamaged, what, err))
	}
	return err
}

// progress counts what concurrent fetches brought.
type progress struct {
	mu     sync.Mutex
	total  int64
	report func(int64)
}

func (p *progress) add(n int64) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
	p.report(p.total)
}
