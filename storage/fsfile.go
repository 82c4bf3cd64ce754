package storage

import (
	"errors"
	"io"
	"io/fs"
)

// file is an open file of [FS]. Reading on uses one body; seeking elsewhere
// opens another at the next Read, and ReadAt opens one for itself.
type file struct {
	f      *volumeFS
	info   fileInfo
	off    int64         // of the next Read
	body   io.ReadCloser // nil, or at off
	closed bool
}

var (
	_ io.ReadSeekCloser = (*file)(nil)
	_ io.ReaderAt       = (*file)(nil)
)

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *file) Close() error {
	if f.closed {
		return f.error("close", fs.ErrClosed)
	}
	f.closed = true
	return f.closeBody("close")
}

func (f *file) Read(p []byte) (int, error) {
	switch {
	case f.closed:
		return 0, f.error("read", fs.ErrClosed)
	case len(p) == 0:
		return 0, nil
	case f.off >= f.info.Size():
		return 0, io.EOF
	}
	if f.body == nil {
		body, err := f.f.v.Open(f.f.ctx, f.info.object.Name, f.off, f.info.Size()-f.off)
		if err != nil {
			return 0, f.error("read", err)
		}
		f.body = body
	}
	n, err := f.body.Read(p)
	f.off += int64(n)
	if err == io.EOF {
		if f.off == f.info.Size() {
			return n, io.EOF
		}
		err = io.ErrUnexpectedEOF
	}
	return n, f.error("read", err)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, f.error("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += f.info.Size()
	default:
		return 0, f.error("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.error("seek", fs.ErrInvalid)
	}
	if offset != f.off {
		f.off = offset
		if err := f.closeBody("seek"); err != nil {
			return 0, err
		}
	}
	return offset, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case f.closed:
		return 0, f.error("read", fs.ErrClosed)
	case off < 0:
		return 0, f.error("read", fs.ErrInvalid)
	case off >= f.info.Size():
		return 0, io.EOF
	}
	want := min(int64(len(p)), f.info.Size()-off)
	body, err := f.f.v.Open(f.f.ctx, f.info.object.Name, off, want)
	if err != nil {
		return 0, f.error("read", err)
	}
	n, err := io.ReadFull(body, p[:want])
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return n, f.error("read", err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) closeBody(op string) error {
	if f.body == nil {
		return nil
	}
	err := f.body.Close()
	f.body = nil
	return f.error(op, err)
}

func (f *file) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return pathError(op, f.info.object.Name, err)
}
