package compress

import "io"

// None stores the stream as it is: for dumps that are compressed already.
var None Compressor = none{}

type none struct{}

func (none) Name() string              { return "none" }
func (none) Extension() string         { return "" }
func (none) Params() map[string]string { return nil }

func (none) Compress(dst io.Writer) (io.WriteCloser, error) { return &plainWriter{dst: dst}, nil }

func (none) Decompress(src io.Reader) (io.ReadCloser, error) { return &plainReader{src: src}, nil }

type plainWriter struct {
	dst io.Writer
	err error
}

func (w *plainWriter) Write(p []byte) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err = w.dst.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
	return n, err
}

func (w *plainWriter) Close() error {
	switch w.err {
	case nil:
		w.err = errWriteClosed
		return nil
	case errWriteClosed:
		return nil
	}
	return w.err
}

type plainReader struct {
	src io.Reader
	err error
}

func (r *plainReader) Read(p []byte) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	n, r.err = r.src.Read(p)
	return n, r.err
}

func (r *plainReader) Close() error {
	r.err = errReadClosed
	return nil
}
