package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

var (
	// errAborted is what the volume's Put reads when a Writer is closed before Commit.
	errAborted = errors.New("closed before Commit")
	// errStopped is for Writes after a Put that ended by itself, without an error.
	errStopped = errors.New("the volume stopped reading before the end")
)

// Writer stores what is written to it as one object, at Commit and only then.
// It is used by one goroutine at a time.
//
//	w := storage.Create(ctx, v, name)
//	defer w.Close()
//	... write to w; on an error return
//	_, err := w.Commit()
type Writer struct {
	ctx     context.Context
	name    string
	pipe    *io.PipeWriter
	cancel  context.CancelCauseFunc
	done    chan struct{} // closed when Put has returned obj and putErr
	obj     Object
	putErr  error
	written int64
	ended   bool  // Commit or Close was called
	err     error // the first error, which all later calls return
}

// Create returns a Writer for the object of that name. Commit or Close must be
// called to release it. Nothing is written to the volume in the name's place
// before Commit; an error of the volume may come from any Write.
func Create(ctx context.Context, v Volume, name string) *Writer {
	ctx, cancel := context.WithCancelCause(ctx)
	pr, pw := io.Pipe()
	w := &Writer{ctx: ctx, name: name, pipe: pw, cancel: cancel, done: make(chan struct{})}
	// A Put that waits for the next Write must learn that ctx is done.
	stop := context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer close(w.done)
		defer stop()
		w.obj, w.putErr = v.Put(ctx, name, pr)
		if w.putErr != nil {
			pr.CloseWithError(w.putErr)
		} else {
			pr.CloseWithError(errStopped)
		}
	}()
	return w
}

// Write passes p on to the volume. The first error is final: nothing will be stored.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.ended {
		return 0, w.failure(fs.ErrClosed)
	}
	n, err := w.pipe.Write(p)
	w.written += int64(n)
	if err == io.ErrClosedPipe { // closed by Create when ctx ended
		err = context.Cause(w.ctx)
	}
	if err != nil {
		w.err = w.failure(err)
	}
	return n, w.err
}

// Commit ends the object and returns once it is stored, or why it is not. Whether
// a failed one can still appear is as with [Volume]'s Put. After a failed Write
// it stores nothing and returns that error. Called again it returns the same.
func (w *Writer) Commit() (Object, error) {
	if w.ended {
		return w.obj, w.err
	}
	if w.err != nil {
		w.Close()
		return Object{}, w.err
	}
	w.ended = true
	w.pipe.Close()
	<-w.done
	w.cancel(nil)
	switch {
	case w.putErr != nil:
		w.err = w.failure(w.putErr)
	case w.obj.Size != w.written:
		w.err = w.failure(fmt.Errorf("the volume stored %d of %d bytes", w.obj.Size, w.written))
	}
	if w.err != nil {
		w.obj = Object{}
	}
	return w.obj, w.err
}

// Close aborts, unless Commit was called: then it does nothing. It returns when
// the volume is done, with an error only if the volume stored the object all the same.
func (w *Writer) Close() error {
	if w.ended {
		return nil
	}
	w.ended = true
	w.pipe.CloseWithError(errAborted)
	w.cancel(errAborted)
	<-w.done
	stored := w.putErr == nil
	w.obj = Object{}
	if w.err == nil {
		w.err = w.failure(fs.ErrClosed)
	}
	if stored {
		return w.failure(errors.New("the volume stored it although it was closed before Commit"))
	}
	return nil
}

func (w *Writer) failure(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return err
	}
	return &Error{Op: "put", Name: w.name, Err: err}
}
