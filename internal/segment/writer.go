// Package segment writes the stored stream into objects: it rolls over from one to
// the next, and digests the stream by chunk beside that.
package segment

import (
	"context"
	"errors"
	"fmt"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/ring"
	"github.com/databasement/backup/storage"
)

const (
	blockSize = 512 << 10
	blocks    = 4
)

// Config says where a stored stream goes.
type Config struct {
	Volume storage.Volume
	Object func(i int) string // whole name of segment i, from 1
	Size   int64              // most bytes of a segment, > 0
	Chunk  int64              // bytes of a chunk, > 0

	// HeadSize is how many of the first bytes are placeholders. Head is then asked for the
	// bytes themselves, in Finish. The volume must be a storage.HeadPutter.
	HeadSize int
	Head     func() ([]byte, error)

	// Stored, if there is more than one segment, is called for each once it is complete; for the first in Finish.
	Stored func(ctx context.Context, i int, s Segment) error
	// Progress is told how many bytes were given to the volume in all.
	Progress func(stored int64)
}

// Segment is one stored object.
type Segment struct {
	Object string
	Size   int64
	Digest manifest.Digest
	Chunks []manifest.Digest // kept for the first segment only
}

// Writer is the last stage of a pipeline. It is used by one goroutine; each Put runs in another.
type Writer struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelCauseFunc
	ring   *ring.Ring
	block  *ring.Block
	cur    *upload
	first  *upload   // while it waits for its late head
	all    []Segment // complete
	begun  []string
	stored int64
	err    error
}

// New begins the first segment. Abort must be called at the end, after Finish too.
func New(ctx context.Context, cfg Config) *Writer {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &Writer{cfg: cfg, ctx: ctx, cancel: cancel, ring: ring.New(blocks, blockSize)}
	w.block = w.ring.Get()
	w.begin()
	return w
}

func (w *Writer) begin() {
	i := len(w.all) + 1
	w.begun = append(w.begun, w.cfg.Object(i))
	w.cur = &upload{object: w.begun[i-1], chunker: newChunker(w.cfg.Chunk, i == 1 && w.cfg.HeadSize > 0)}
	w.cur.start(w.ctx, w.cancel, w.put(i))
}

// put is the way in which segment i gets to the volume.
func (w *Writer) put(i int) putFunc {
	if i > 1 || w.cfg.HeadSize == 0 {
		return w.cfg.Volume.Put
	}
	return w.cur.putLate(w.cfg.Volume, w.cfg.HeadSize)
}

// Context is done when the stream can no longer be stored; its cause says why.
func (w *Writer) Context() context.Context { return w.ctx }

// Write takes p. The first error, of a Put too, is sticky.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		left := w.cfg.Size - w.cur.size
		if left == 0 {
			w.err = w.roll()
			continue
		}
		room := w.block.Room()
		c := copy(room[:min(int64(len(room)), left)], p)
		w.block.Grow(c)
		w.cur.size += int64(c)
		n, p = n+c, p[c:]
		if w.block.Full() {
			w.err = w.emit()
		}
	}
	return n, w.err
}

// emit gives the block to the digests and to the volume at the same time.
func (w *Writer) emit() error {
	if len(w.block.Data) == 0 {
		return nil
	}
	w.stored += int64(len(w.block.Data))
	w.cur.chunker.in <- w.block.Share()
	select {
	case w.cur.in <- w.block:
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	select {
	case b := <-w.ring.Free():
		w.block = b.Take()
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	}
	w.cfg.Progress(w.stored)
	return nil
}

// roll ends a full segment and begins the next.
func (w *Writer) roll() error {
	if len(w.all)+1 == layout.MaxSegments {
		return fmt.Errorf("%w: the stream is longer than %d segments of %d bytes", storage.ErrTooLarge, layout.MaxSegments, w.cfg.Size)
	}
	if err := w.complete(); err != nil {
		return err
	}
	w.begin()
	return nil
}

// complete lets the volume see the end of the current segment. One with a late head stays open.
func (w *Writer) complete() error {
	if err := w.emit(); err != nil {
		return err
	}
	u := w.cur
	u.complete()
	i := len(w.all) + 1
	w.all = append(w.all, Segment{Object: u.object, Size: u.size})
	if i == 1 && w.cfg.HeadSize > 0 {
		w.first = u
		return nil
	}
	return w.settle(i, u)
}

// settle waits for the Put of segment i.
func (w *Writer) settle(i int, u *upload) error {
	if err := u.wait(); err != nil {
		return err
	}
	chunks := u.chunker.digests()
	s := &w.all[i-1]
	s.Digest = manifest.DigestOf(chunks)
	if i == 1 {
		s.Chunks = chunks
		return nil
	}
	return w.report(i, Segment{s.Object, s.Size, s.Digest, chunks})
}

func (w *Writer) report(i int, s Segment) error {
	return w.cfg.Stored(w.ctx, i, s)
}

// Finish ends the stream, and returns its segments once the volume has them all.
func (w *Writer) Finish() ([]Segment, error) {
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		return nil, w.err
	}
	w.err = errors.New("write after the end of the stream")
	return w.all, nil
}

func (w *Writer) finish() error {
	if err := w.complete(); err != nil {
		return err
	}
	if w.first != nil {
		if err := w.first.giveHead(w.cfg.Head, w.cfg.HeadSize); err != nil {
			return err
		}
		if err := w.settle(1, w.first); err != nil {
			return err
		}
	}
	if len(w.all) > 1 {
		return w.report(1, w.all[0])
	}
	return nil
}

// Abort ends everything that has not ended: what was not complete is not stored. It returns when no Put runs
// any more.
func (w *Writer) Abort(cause error) {
	w.cancel(cause)
	for _, u := range []*upload{w.cur, w.first} {
		if u != nil {
			u.chunker.stop()
			<-u.chunker.done
			<-u.done
		}
	}
	if w.err == nil {
		w.err = cause
	}
}

// Begun names the objects that may exist.
func (w *Writer) Begun() []string { return w.begun }
