package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"

	"github.com/databasement/backup/storage"
)

// digestTrailer follows an object on its way to the server (RFC 9530). A connection that breaks, or a proxy that takes
// its end for the object's, brings none, and the server stores nothing.
const digestTrailer = "Content-Digest"

func digest(h hash.Hash) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(h.Sum(nil)) + ":"
}

// upload is the body of a PUT. [http.Client] reads it from a goroutine that goes on for a moment after Do has returned,
// closes it, and does not tell whether it came to the end; Put owes its caller all three.
type upload struct {
	ctx     context.Context
	trailer http.Header // gets the digest at the end

	mu   sync.Mutex // held while reading
	r    io.Reader
	sum  hash.Hash
	size int64
	err  error // why no more is read: io.EOF after all of r
}

func newUpload(ctx context.Context, r io.Reader) *upload {
	return &upload{ctx: ctx, r: r, sum: sha256.New(), trailer: http.Header{digestTrailer: nil}}
}

func (u *upload) Read(p []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return 0, u.err
	}
	if u.ctx.Err() == nil {
		n, u.err = u.r.Read(p)
	}
	if n < 0 || n > len(p) {
		n, u.err = 0, errors.New("a Reader returned an impossible count")
	}
	u.sum.Write(p[:n])
	u.size += int64(n)
	if u.ctx.Err() != nil {
		u.err = context.Cause(u.ctx) // at the end too: the client does not know of it yet
	}
	if u.err == io.EOF {
		u.trailer.Set(digestTrailer, digest(u.sum))
	}
	return n, u.err
}

// Close leaves r open.
func (u *upload) Close() error { return nil }

// stop waits for a Read in progress and allows no other. It returns io.EOF if the client got all of r, the error of r or
// ctx that ended it, and nil if the client did not come to the end.
func (u *upload) stop() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	end := u.err
	if end == nil {
		u.err = errors.New("read after the end of Put")
	}
	return end
}

// download is what Open returns: the next left bytes of an answer.
type download struct {
	ctx  context.Context
	v    *HTTPVolume
	name string
	body io.ReadCloser
	left int64
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.read(p)
	if err != nil && err != io.EOF {
		err = d.v.failure("read", d.name, err)
	}
	return n, err
}

func (d *download) read(p []byte) (int, error) {
	if d.ctx.Err() != nil { // what is buffered would still come
		return 0, context.Cause(d.ctx)
	}
	if d.left == 0 {
		return 0, io.EOF
	}
	n, err := d.body.Read(p[:min(int64(len(p)), d.left)])
	d.left -= int64(n)
	switch {
	case d.left == 0 || err == nil:
		return n, nil
	case err == io.EOF: // all that the server sent, which is not all that it promised
		err = io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("%d bytes are missing: %w", d.left, cause(d.ctx, err))
}

func (d *download) Close() error { return d.body.Close() }

// contentRange returns the last byte of the range that the answer holds, which must begin at off, and the size of the
// object. Beyond the end of an object, or of an empty one, it holds nothing, and last is size-1.
func contentRange(resp *http.Response, off int64) (last, size int64, err error) {
	header := resp.Header.Get("Content-Range")
	first := off
	switch resp.StatusCode {
	case http.StatusPartialContent:
		_, err = fmt.Sscanf(header, "bytes %d-%d/%d", &first, &last, &size)
		if err == nil && (first != off || last < first || last >= size) {
			err = storage.ErrInvalidRange
		}
	case http.StatusRequestedRangeNotSatisfiable:
		_, err = fmt.Sscanf(header, "bytes */%d", &size)
		last = size - 1
		if err == nil && off < size {
			err = storage.ErrInvalidRange
		}
	default: // 200: empty, or all of it, from a server that knows no ranges
		last = -1
		if resp.ContentLength != 0 {
			err = errors.ErrUnsupported
		}
	}
	if err != nil {
		err = fmt.Errorf("bytes from %d were asked for, the server answered %d with Content-Range %.100q", off, resp.StatusCode, header)
	}
	return last, size, err
}
