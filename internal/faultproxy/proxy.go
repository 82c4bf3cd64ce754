// Package faultproxy is a proxy between an S3 client and an S3 server that makes go wrong, between the two, what goes
// wrong between real ones: exactly as planned, or at random by a seed. It forwards what it leaves alone byte for byte,
// with the Host header that the client signed.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// Proxy is an http.Handler that forwards S3 requests, in path style, to one server. Make it with New; Close it at the
// end. All its methods may be called concurrently.
type Proxy struct {
	upstream  *url.URL
	transport http.RoundTripper
	server    http.Server

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup // all that Close waits for

	mu       sync.Mutex
	closed   bool
	planned  []*planned
	campaign *campaign
	tries    map[string]int // of requests, by identity
	injected []string
	faults   int
	release  chan struct{} // closed by Release, which makes a new one
	late     map[*late]struct{}
}

// Options say how a Proxy reaches upstream; nil and zero fields are the defaults.
type Options struct {
	Transport http.RoundTripper // default: one of its own, HTTP/1.1, that trusts the system's roots
}

// New makes a Proxy to upstream, such as http://127.0.0.1:9000. It is used as an http.Handler, or by Start. In a bubble
// of testing/synctest, call it there.
func New(upstream string, o *Options) (*Proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("faultproxy: upstream: %w", err)
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("faultproxy: upstream %q is no http://host:port", u.Redacted())
	}
	p := &Proxy{upstream: u, tries: map[string]int{}, release: make(chan struct{}), late: map[*late]struct{}{}}
	if o != nil {
		p.transport = o.Transport
	}
	if p.transport == nil {
		p.transport = &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.server.Handler, p.server.ConnState = p, p.connState
	return p, nil
}

// Start serves the connections of l until Close, which closes l.
func (p *Proxy) Start(l net.Listener) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errors.Join(http.ErrServerClosed, l.Close())
	}
	p.running.Go(func() { p.server.Serve(l) }) // ends with ErrServerClosed
	return nil
}

// Close ends all connections of Start, all stalls and all requests on their way. What is held to be forwarded later,
// and was not Released, never is. Close returns when all of this has ended.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	err := p.server.Close()
	p.running.Wait()
	if t, ok := p.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return err
}

// Release ends all stalls, forwards now what is held to be forwarded later, and returns when upstream has answered that.
func (p *Proxy) Release() {
	p.mu.Lock()
	close(p.release)
	p.release = make(chan struct{})
	var waiting []*late
	for l := range p.late {
		waiting = append(waiting, l)
	}
	p.mu.Unlock()
	for _, l := range waiting {
		<-l.done
	}
}

// Faults counts what went wrong so far. A fault that found nothing to change, such as the order of one key, did not happen.
func (p *Proxy) Faults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// Injected is what went wrong so far, in order, for a test's log: the request, which try of it, and the Fault. A line
// more tells the seed of each campaign, and what came of each request that was forwarded late.
func (p *Proxy) Injected() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.injected)
}

// note adds a line to Injected, for that many faults.
func (p *Proxy) note(line string, faults int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.injected = append(p.injected, line)
	p.faults += faults
}

// ServeHTTP forwards a request, or lets it fail. Where the server is not that of Start, Close the Proxy first: a server
// waits for its handlers, which may stall.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		panic(http.ErrAbortHandler) // Close is the end of all connections
	}
	defer p.running.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()

	op := operation(r)
	x := &exchange{p: p, w: w, r: r.WithContext(ctx), op: op, id: identity(op, r)}
	var rewrites []Fault
	rewrites, x.fault = p.choose(op, r, x.id)
	x.try = p.count(x.id)
	for _, f := range rewrites {
		x.rewrite(f)
	}
	x.serve()
}

// connState has Close wait for the goroutine of each connection.
func (p *Proxy) connState(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew: // called by Serve, which is counted
		p.running.Add(1)
	case http.StateClosed, http.StateHijacked: // in the latter case the handler is still counted
		p.running.Done()
	}
}

// enter counts a handler, which Close waits for, or reports that Close was called.
func (p *Proxy) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Add(1)
	}
	return !p.closed
}

// count counts the tries of a request.
func (p *Proxy) count(id string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries[id]++
	return p.tries[id]
}
