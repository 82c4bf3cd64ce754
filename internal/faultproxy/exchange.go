package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
)

// maxKept is the longest body that is kept in memory: a request's to be forwarded later, or an answer's of XML.
const maxKept = 64 << 20

// hopByHop are the headers that concern one connection. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// exchange is one request on its way through the proxy.
type exchange struct {
	p     *Proxy
	w     http.ResponseWriter
	r     *http.Request // its context ends with the client's connection, and with Close
	op    Operation
	id    string
	try   int
	fault Fault
}

// record notes that f happened, for Injected and Faults.
func (x *exchange) record(f Fault) {
	x.p.note(fmt.Sprintf("%s: %v", x.name(), f), 1)
}

// name tells the request from others in a test's log. No query, which has the signature in a presigned URL.
func (x *exchange) name() string {
	s := fmt.Sprintf("%s %s", x.op, x.r.URL.EscapedPath())
	if part := x.r.URL.Query().Get("partNumber"); part != "" {
		s += " part " + part
	}
	if byteRange := x.r.Header.Get("Range"); byteRange != "" {
		s += " " + byteRange
	}
	return fmt.Sprintf("%s, try %d", s, x.try)
}

// rewrite changes the request's header.
func (x *exchange) rewrite(f Fault) {
	x.record(f)
	x.r.Header = x.r.Header.Clone()
	switch f.Kind {
	case DropPrecondition:
		x.r.Header.Del("If-None-Match")
	case RewriteAcceptEncoding: // the words are those of GCS
		encodings := append(x.r.Header.Values("Accept-Encoding"), "gzip(gfe)")
		x.r.Header.Set("Accept-Encoding", strings.Join(encodings, ","))
	}
}

// serve lets happen what was chosen.
func (x *exchange) serve() {
	switch x.fault.Kind {
	case "":
		x.pass()
	case DropRequest:
		x.record(x.fault)
		x.readAll()
		x.drop()
	case DropAnswer:
		x.record(x.fault)
		x.forwardBlindly()
		x.drop()
	case ResetRequest, StallRequest, FlipRequest:
		x.tamperRequest()
	case ResetResponse, StallResponse, FlipResponse, ShortBody:
		x.tamperAnswer()
	case MissingETag:
		x.omitETag()
	case ApplyLate, HoldPastRetry:
		x.hold()
	case SameToken, NoToken, Reordered, ForeignName:
		x.lie()
	default:
		x.refuse()
	}
}

// outgoing is the request as upstream gets it: all that the client has signed is unchanged.
func (x *exchange) outgoing(ctx context.Context, body io.ReadCloser) *http.Request {
	out := x.r.Clone(ctx) // keeps Host
	out.RequestURI, out.Close = "", false
	out.URL.Scheme, out.URL.Host = x.p.upstream.Scheme, x.p.upstream.Host
	out.Body = body
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	for _, h := range hopByHop {
		out.Header.Del(h)
	}
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = nil // or Transport adds its own
	}
	return out
}

// send forwards the request with body, while ctx lasts. If upstream cannot be asked the connection to the client ends
// as the one to upstream did.
func (x *exchange) send(ctx context.Context, body io.ReadCloser) *http.Response {
	resp, err := x.p.transport.RoundTrip(x.outgoing(ctx, body))
	switch {
	case errors.Is(err, errBroken):
		x.reset()
	case err != nil:
		x.drop()
	}
	return resp
}

// pass forwards the request and its answer unchanged.
func (x *exchange) pass() {
	resp := x.send(x.r.Context(), x.r.Body)
	x.answer(resp, resp.Body)
}

// answer sends resp to the client, with body in place of its own, and closes its own.
func (x *exchange) answer(resp *http.Response, body io.Reader) {
	defer resp.Body.Close()
	x.header(resp)
	_, err := io.Copy(flushing{x.w, http.NewResponseController(x.w)}, body)
	switch {
	case errors.Is(err, errBroken):
		x.reset()
	case err != nil:
		x.drop()
	case resp.StatusCode < 300:
		x.p.succeeded(x.id)
	}
}

// header sends the header of resp.
func (x *exchange) header(resp *http.Response) {
	h := x.w.Header()
	maps.Copy(h, resp.Header)
	for _, name := range hopByHop {
		h.Del(name)
	}
	for _, added := range []string{"Content-Type", "Date"} { // by net/http, if upstream said nothing
		if _, ok := h[added]; !ok {
			h[added] = nil
		}
	}
	x.w.WriteHeader(resp.StatusCode)
}

// flushing is an http.ResponseWriter that keeps nothing back: what a tampered body lets through before it breaks or
// stalls has reached the connection.
type flushing struct {
	io.Writer
	*http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	return n, errors.Join(err, f.Flush())
}

// forwardBlindly forwards the request even if the client goes away meanwhile, and drops the answer.
func (x *exchange) forwardBlindly() {
	resp := x.send(x.p.ctx, x.r.Body)
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
}

// readAll reads the request's body, unless the client waits to be asked for it.
func (x *exchange) readAll() {
	if x.r.Header.Get("Expect") == "" {
		io.Copy(io.Discard, x.r.Body)
	}
}

// drop closes the connection to the client without an answer, or in the middle of it.
func (x *exchange) drop() { panic(http.ErrAbortHandler) }

// reset ends the connection to the client by RST, where it is TCP.
func (x *exchange) reset() {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		x.drop()
	}
	defer x.drop()
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS
		conn = wrapped.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
