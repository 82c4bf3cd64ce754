package faultproxy

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// late is a request that is forwarded when its client no longer waits for it.
type late struct {
	id       string        // that it has
	retried  chan struct{} // closed when a further try has succeeded, nil if that is not waited for
	released chan struct{} // closed by Release
	done     chan struct{} // closed when upstream has answered, or at Close
}

// hold answers as the fault's kind says, and has the request forwarded later. For a body that is too long to be kept
// this is the same as DropRequest.
func (x *exchange) hold() {
	x.record(x.fault)
	body := x.keep(x.r.Body)
	x.later(body)
	if x.fault.Kind == ApplyLate {
		x.sayError()
		return
	}
	select {
	case <-time.After(x.fault.Delay):
	case <-x.r.Context().Done():
	}
	x.drop()
}

// later starts a goroutine that forwards the request, with body, when its time has come.
func (x *exchange) later(body []byte) {
	p := x.p
	l := &late{id: x.id, done: make(chan struct{})}
	var after <-chan time.Time
	if x.fault.Kind == HoldPastRetry {
		l.retried = make(chan struct{})
	} else if x.fault.Delay > 0 {
		after = time.After(x.fault.Delay)
	}
	out := x.outgoing(p.ctx, io.NopCloser(bytes.NewReader(body)))
	out.ContentLength, out.TransferEncoding = int64(len(body)), nil
	out.Header.Del("Expect")

	p.mu.Lock()
	defer p.mu.Unlock()
	l.released = p.release
	p.late[l] = struct{}{}
	name := x.name()
	p.running.Go(func() { // ServeHTTP is still counted, so this is no race with Close
		defer p.delivered(l)
		select {
		case <-l.retried:
		case <-after:
		case <-l.released:
		case <-p.ctx.Done():
			return
		}
		p.note(name+": "+deliver(p.transport, out), 0)
	})
}

// deliver forwards a request and says how that ended.
func deliver(t http.RoundTripper, out *http.Request) string {
	resp, err := t.RoundTrip(out)
	if err != nil {
		return "forwarded late: " + err.Error()
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return "forwarded late: " + resp.Status
}

// delivered ends the wait for l.
func (p *Proxy) delivered(l *late) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.late, l)
	close(l.done)
}

// succeeded has the first tries of a request forwarded that wait for that.
func (p *Proxy) succeeded(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.late {
		if l.id == id && l.retried != nil {
			close(l.retried)
			l.id = "" // once
		}
	}
}
