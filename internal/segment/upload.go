package segment

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/databasement/backup/internal/ring"
	"github.com/databasement/backup/storage"
)

type putFunc func(ctx context.Context, name string, r io.Reader) (storage.Object, error)

// upload is one segment on its way.
type upload struct {
	object  string
	size    int64            // given so far
	in      chan *ring.Block // closed when the segment is complete, and only then
	chunker *chunker
	head    chan []byte // the late head, once
	done    chan struct{}
	err     error // after done
}

// start runs put. Its failure cancels the whole stream.
func (u *upload) start(ctx context.Context, cancel context.CancelCauseFunc, put putFunc) {
	u.in = make(chan *ring.Block, blocks)
	u.done = make(chan struct{})
	go func() {
		defer close(u.done)
		r := &reader{ctx: ctx, in: u.in}
		object, err := put(ctx, u.object, r)
		switch {
		case err != nil:
		case !r.ended:
			err = fmt.Errorf("the volume ended its Put of %q after %d bytes, before the stream did", u.object, r.size)
		case object.Size != r.size:
			err = fmt.Errorf("the volume has stored %d bytes of %q, %d were sent", object.Size, u.object, r.size)
		}
		if err != nil {
			u.err = err
			cancel(err)
		}
	}()
}

// complete gives io.EOF to Put, after all blocks.
func (u *upload) complete() {
	close(u.in)
	u.chunker.stop()
}

func (u *upload) wait() error {
	<-u.done
	return u.err
}

// putLate is a Put of which the first size bytes come from giveHead.
func (u *upload) putLate(v storage.Volume, size int) putFunc {
	u.head = make(chan []byte, 1)
	return func(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		putter, ok := storage.As[storage.HeadPutter](v)
		if !ok {
			return storage.Object{}, errors.New("the volume cannot store an object whose first bytes come last")
		}
		return putter.PutHead(ctx, name, r, size, func() ([]byte, error) {
			select {
			case head := <-u.head:
				return head, nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		})
	}
}

// giveHead lets putLate's Put end.
func (u *upload) giveHead(get func() ([]byte, error), size int) error {
	head, err := get()
	if err != nil {
		return err
	}
	if len(head) != size {
		return fmt.Errorf("late head of %d bytes, %d were announced", len(head), size)
	}
	if err := u.chunker.setHead(head); err != nil {
		return err
	}
	u.head <- head
	return nil
}

// reader is what Put reads. It gives io.EOF only when the segment is complete: whatever else happens ends ctx.
type reader struct {
	ctx   context.Context
	in    <-chan *ring.Block
	block *ring.Block
	rest  []byte
	size  int64
	ended bool
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.block != nil {
			r.block.Release()
			r.block = nil
		}
		if r.ended {
			return 0, io.EOF
		}
		select {
		case b, ok := <-r.in:
			if !ok {
				r.ended = true
				return 0, io.EOF
			}
			r.block, r.rest = b, b.Data
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	r.size += int64(n)
	return n, nil
}
