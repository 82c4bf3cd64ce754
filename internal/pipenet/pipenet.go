// Package pipenet is a network in memory, for tests under testing/synctest: a listener and a dialer whose connections are
// the two ends of a net.Pipe. No operating system is waited for, so a bubble's clock can go on.
package pipenet

import (
	"context"
	"net"
	"sync"
)

// Listener is a net.Listener that DialContext reaches, and nothing else. Its connections have no buffer: what one end
// writes has moved when the other end has read it.
type Listener struct {
	dialed chan net.Conn
	closed chan struct{}
	close  func()
}

// Listen makes a Listener; in a bubble of testing/synctest, call it there.
func Listen() *Listener {
	closed := make(chan struct{})
	return &Listener{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

// Accept waits for the next DialContext and returns its other end, or net.ErrClosed after Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialed:
		return c, nil
	case <-l.closed:
		return nil, l.error("accept", net.ErrClosed)
	}
}

// DialContext connects to l, whatever network and address it is given: it is for http.Transport's field of this name. It
// waits for an Accept; after Close it fails with net.ErrClosed.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.dialed <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, l.error("dial", net.ErrClosed)
	case <-ctx.Done():
		return nil, l.error("dial", context.Cause(ctx))
	}
}

// Close ends all Accepts and DialContexts; connections stay open. It may be called again.
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr is the address "pipe", which only names l in errors.
func (l *Listener) Addr() net.Addr { return addr{} }

func (l *Listener) error(op string, err error) error {
	return &net.OpError{Op: op, Net: "pipe", Addr: l.Addr(), Err: err}
}

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "pipe" }
