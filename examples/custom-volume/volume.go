package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/databasement/backup/storage"
)

// HTTPVolume is a [storage.Volume] in a [Server]. Its methods may be called concurrently.
//
// A server that stalls in the middle of an object holds a call until its ctx ends: give that a deadline.
type HTTPVolume struct {
	base   *url.URL // its path ends with a slash
	token  string
	client *http.Client
}

var _ storage.Volume = (*HTTPVolume)(nil)

// OpenHTTP returns the volume in the server at an http or https URL, for those who know the token. It sends nothing
// yet. Over plain http the token and what is not encrypted can be read on the way.
func OpenHTTP(rawURL, token string) (*HTTPVolume, error) {
	base, err := url.Parse(rawURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("open volume: want http://HOST/PATH or https://HOST/PATH, without user and query") // which may be secrets
	}
	if token == "" {
		return nil, errors.New("open volume: no token")
	}
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/")+"/", ""
	return &HTTPVolume{base: base, token: token, client: &http.Client{
		// A redirected PUT becomes a GET, whose 200 stores nothing; and the token is for this server alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No Timeout for the whole: a large object takes what it takes.
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       30 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: 2 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute, // from the end of the request
		},
	}}, nil
}

// String returns the volume's URL.
func (v *HTTPVolume) String() string { return v.base.String() }

// Close ends the connections that are kept for later calls.
func (v *HTTPVolume) Close() { v.client.CloseIdleConnections() }

// Put implements [storage.Volume].
func (v *HTTPVolume) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	up := newUpload(ctx, r)
	resp, err := v.put(ctx, name, up)
	end := up.stop() // the client may be about to read r even now
	o := storage.Object{Name: name, Size: up.size}
	switch {
	case err == nil && end == io.EOF:
		o.ModTime, err = lastModified(resp)
	case err == nil:
		err = errors.New("the server said that it has stored the object before it had all of it")
	case end != io.EOF:
		// The server never saw the end, without which it stores nothing: that is certain. After
		// the end it is not, unless the server says so: an answer can be lost.
		err = cmp.Or(end, err)
		if !errors.Is(err, storage.ErrNotApplied) {
			err = fmt.Errorf("%w: %w", storage.ErrNotApplied, err)
		}
	}
	if err != nil {
		return storage.Object{}, v.failure("put", name, err)
	}
	return o, nil
}

// put returns the answer of a server that says that it has stored the object.
func (v *HTTPVolume) put(ctx context.Context, name string, up *upload) (*http.Response, error) {
	req, err := v.request(ctx, http.MethodPut, name)
	if err != nil {
		return nil, err
	}
	req.Body, req.Trailer, req.ContentLength = up, up.trailer, -1
	req.Header.Set("Expect", "100-continue") // so that a refusal comes before the object went there
	resp, err := v.do(req, http.StatusCreated)
	if err != nil {
		return nil, err
	}
	resp.Body.Close() // it is empty
	return resp, nil
}

// Open implements [storage.Volume]. It reads one answer, and so one version of the object.
func (v *HTTPVolume) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	d, err := v.open(ctx, name, off, n)
	if err != nil {
		return nil, v.failure("open", name, err)
	}
	return d, nil
}

func (v *HTTPVolume) open(ctx context.Context, name string, off, n int64) (*download, error) {
	req, err := v.request(ctx, http.MethodGet, name)
	if err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("%w: offset %d", storage.ErrInvalidRange, off)
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", off))
	if n >= 0 && n <= math.MaxInt64-off {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+max(n, 1)-1)) // HTTP has no empty ranges
	}
	resp, err := v.do(req, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable, http.StatusOK)
	if err != nil {
		return nil, err
	}
	last, size, err := contentRange(resp, off)
	left := size - off
	if n >= 0 {
		left = min(left, n)
	}
	switch {
	case err == nil && off > size:
		err = fmt.Errorf("%w: offset %d of %d bytes", storage.ErrInvalidRange, off, size)
	case err == nil && last-off+1 < left:
		err = fmt.Errorf("the server answered %d of %d bytes", last-off+1, left)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return &download{ctx: ctx, v: v, name: name, body: resp.Body, left: left}, nil
}

// Stat implements [storage.Volume].
func (v *HTTPVolume) Stat(ctx context.Context, name string) (storage.Object, error) {
	o, err := v.stat(ctx, name)
	if err != nil {
		return storage.Object{}, v.failure("stat", name, err)
	}
	return o, nil
}

func (v *HTTPVolume) stat(ctx context.Context, name string) (storage.Object, error) {
	req, err := v.request(ctx, http.MethodHead, name)
	if err != nil {
		return storage.Object{}, err
	}
	resp, err := v.do(req, http.StatusOK)
	if err != nil {
		return storage.Object{}, err
	}
	defer resp.Body.Close()
	modTime, err := lastModified(resp)
	if err == nil && resp.ContentLength < 0 {
		err = errors.New("the server's answer has no Content-Length")
	}
	return storage.Object{Name: name, Size: resp.ContentLength, ModTime: modTime}, err
}

// List implements [storage.Volume]. The listing is one answer, a line of JSON for each object, read as it comes.
func (v *HTTPVolume) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		err := v.list(ctx, prefix, func(o storage.Object) bool { return yield(o, nil) })
		if err != nil {
			yield(storage.Object{}, v.failure("list", prefix, err))
		}
	}
}

// list calls each until that returns false.
func (v *HTTPVolume) list(ctx context.Context, prefix string, each func(storage.Object) bool) error {
	req, err := v.newRequest(ctx, http.MethodGet, "", url.Values{"prefix": {prefix}})
	if err != nil {
		return err
	}
	resp, err := v.do(req, http.StatusOK)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body) // of at most 64 KiB
	for lines.Scan() {
		var e entry
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("a line of the server's listing: %w", err)
		}
		if e.End || !each(storage.Object{Name: e.Name, Size: e.Size, ModTime: e.ModTime}) {
			return nil
		}
	}
	// What half a listing lacks would pass for absent.
	return fmt.Errorf("the listing broke off: %w", cause(ctx, cmp.Or(lines.Err(), io.ErrUnexpectedEOF)))
}

// Delete implements [storage.Volume].
func (v *HTTPVolume) Delete(ctx context.Context, name string) error {
	req, err := v.request(ctx, http.MethodDelete, name)
	if err != nil {
		return v.failure("delete", name, err)
	}
	resp, err := v.do(req, http.StatusNoContent) // whether or not there was one
	if err != nil {
		return v.failure("delete", name, err)
	}
	return resp.Body.Close()
}

// failure is the one place where errors are wrapped.
func (v *HTTPVolume) failure(op, name string, err error) error {
	return &storage.Error{Op: op, Volume: v.String(), Name: name, Err: err}
}
