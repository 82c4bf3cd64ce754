package localfs

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/databasement/backup/storage"
)

// Stat implements [storage.Volume].
func (v *Volume) Stat(ctx context.Context, name string) (storage.Object, error) {
	if err := check(ctx, name); err != nil {
		return storage.Object{}, v.wrap("stat", name, err)
	}
	info, err := v.lstat(name)
	if err != nil {
		return storage.Object{}, v.wrap("stat", name, err)
	}
	return object(name, info), nil
}

// Open implements [storage.Volume]. The reader keeps serving the object that
// it opened when that is replaced or deleted meanwhile.
func (v *Volume) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := v.open(ctx, name, off, n)
	if err != nil {
		return nil, v.wrap("open", name, err)
	}
	return r, nil
}

func (v *Volume) open(ctx context.Context, name string, off, n int64) (_ *reader, err error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	// First: opening a named pipe would wait for its writer.
	if _, err := v.lstat(name); err != nil {
		return nil, err
	}
	f, err := v.fs.OpenFile(name, os.O_RDONLY, 0)
	if isMissing(err) {
		return nil, storage.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	size, err := f.Seek(0, io.SeekEnd) // of this file: the name may have another by now
	if err != nil {
		return nil, err
	}
	if off < 0 || off > size {
		return nil, fmt.Errorf("%w: offset %d of %d bytes", storage.ErrInvalidRange, off, size)
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, err
	}
	left := size - off
	if n >= 0 {
		left = min(left, n)
	}
	return &reader{ctx: ctx, v: v, name: name, f: f, left: left}, nil
}

// reader serves the next left bytes of a file.
type reader struct {
	ctx  context.Context
	v    *Volume
	name string
	f    file
	left int64
	err  error // sticky
}

func (r *reader) Read(p []byte) (n int, err error) {
	if r.err == nil {
		n, err = r.read(p)
		if err == io.EOF {
			r.err = io.EOF // bare, as readers compare it
		} else {
			r.err = r.v.wrap("read", r.name, err)
		}
	}
	return n, r.err
}

func (r *reader) read(p []byte) (int, error) {
	if err := done(r.ctx); err != nil {
		return 0, err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		err = fmt.Errorf("file was truncated, %d bytes are missing: %w", r.left, io.ErrUnexpectedEOF)
	}
	return n, err
}

func (r *reader) Close() error { return r.v.wrap("close", r.name, r.f.Close()) }

// check is what each call on one object begins with.
func check(ctx context.Context, name string) error {
	if err := storage.CheckName(name); err != nil {
		return err
	}
	return done(ctx)
}

// done returns why ctx is done, or nil if it is not. Err is cheaper than Cause,
// and sources may hand out single bytes.
func done(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}
