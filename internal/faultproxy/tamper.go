package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// errBroken ends a body whose connection is to break there.
var errBroken = errors.New("faultproxy: broken here, as planned")

// trap is a body that lets its first left bytes through and then springs, once: spring may wait, fail, or give a mask
// that changes the next byte.
type trap struct {
	io.ReadCloser
	left   int64
	spring func() (mask byte, err error)
	sprung bool
}

func (t *trap) Read(b []byte) (int, error) {
	if t.sprung || len(b) == 0 {
		return t.ReadCloser.Read(b)
	}
	if t.left > 0 {
		n, err := t.ReadCloser.Read(b[:min(int64(len(b)), t.left)])
		t.left -= int64(n)
		return n, err
	}
	mask, err := t.spring()
	if err != nil {
		return 0, err
	}
	t.sprung = true
	n, err := io.ReadFull(t.ReadCloser, b[:1])
	b[0] ^= mask
	return n, err
}

// trap makes the fault happen in body, which has length bytes, -1 for unknown.
func (x *exchange) trap(ctx context.Context, body io.ReadCloser, length int64) io.ReadCloser {
	at := x.fault.Bytes
	if length > 0 {
		at = min(at, length-1)
	}
	return &trap{ReadCloser: body, left: at, spring: func() (byte, error) {
		x.record(x.fault)
		switch x.fault.Kind {
		case StallRequest, StallResponse:
			return 0, x.p.stall(ctx)
		case FlipRequest, FlipResponse:
			return 1, nil
		default:
			return 0, errBroken
		}
	}}
}

// stall waits for Release, or for the end of ctx.
func (p *Proxy) stall(ctx context.Context) error {
	p.mu.Lock()
	release := p.release
	p.mu.Unlock()
	select {
	case <-release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tamperRequest forwards a body that is not what the client sent.
func (x *exchange) tamperRequest() {
	resp := x.send(x.r.Context(), x.trap(x.r.Context(), x.r.Body, x.r.ContentLength))
	x.answer(resp, resp.Body)
}

// tamperAnswer answers with a body that is not what upstream sent, unless that was an error.
func (x *exchange) tamperAnswer() {
	resp := x.send(x.r.Context(), x.r.Body)
	if resp.StatusCode >= 300 {
		x.answer(resp, resp.Body)
		return
	}
	if x.op != GetObject { // XML may come in chunks: its length is known when it is here
		body := x.keep(resp.Body)
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	f := x.fault
	switch {
	case f.Kind == StallResponse && (f.Bytes == 0 || resp.ContentLength == 0):
		x.record(f)
		if x.p.stall(x.r.Context()) != nil {
			resp.Body.Close()
			x.drop()
		}
		x.answer(resp, resp.Body)
	case f.Kind == ShortBody:
		x.record(f)
		resp.Header.Del("Content-Length")
		x.w.Header().Set("Transfer-Encoding", "identity") // net/http then ends the body by closing the connection
		x.answer(resp, io.LimitReader(resp.Body, min(f.Bytes, max(resp.ContentLength-1, 0))))
	default:
		x.answer(resp, x.trap(x.r.Context(), resp.Body, resp.ContentLength))
	}
}

// omitETag answers without the ETag that upstream gave.
func (x *exchange) omitETag() {
	resp := x.send(x.r.Context(), x.r.Body)
	if resp.Header.Get("ETag") != "" {
		x.record(x.fault)
		resp.Header.Del("ETag")
	}
	x.answer(resp, resp.Body)
}

// keep reads a body into memory. One that is too long, or breaks, ends the connection.
func (x *exchange) keep(body io.ReadCloser) []byte {
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxKept+1))
	if err != nil || len(b) > maxKept {
		x.drop()
	}
	return b
}
