package fakes3

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"

	"github.com/databasement/backup/internal/pipenet"
)

// network is the server's end of connections in memory. It is started by the
// first of them, so that its goroutines belong to the test that dials.
type network struct {
	mu         sync.Mutex
	server     *http.Server
	listener   *pipenet.Listener
	transports []*http.Transport
	running    sync.WaitGroup
}

// Dial connects to the server, whatever address is asked for. It is what
// the DialContext and the DialTLSContext of a transport are set to: there is no
// TLS on these connections.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := s.memory.start(s); err != nil {
		return nil, err
	}
	return s.memory.listener.DialContext(ctx, network, address)
}

// Transport returns a transport with which any host name is the server, for http
// and, without encryption, for https. Close closes its idle connections.
func (s *Server) Transport() *http.Transport {
	t := &http.Transport{DialContext: s.Dial, DialTLSContext: s.Dial, MaxIdleConnsPerHost: 16}
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	s.memory.transports = append(s.memory.transports, t)
	return t
}

// Client returns a client over a [Server.Transport] of its own.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

func (n *network) start(s *Server) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-s.closing:
		return net.ErrClosed
	default:
	}
	if n.server != nil {
		return nil
	}
	n.listener = pipenet.Listen()
	n.server = &http.Server{Handler: s, ConnState: n.state, ErrorLog: log.New(io.Discard, "", 0)}
	n.running.Go(func() { _ = n.server.Serve(n.listener) })
	return nil
}

// state counts connections, so that close can wait for their goroutines.
func (n *network) state(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		n.running.Add(1)
	case http.StateClosed, http.StateHijacked:
		n.running.Done()
	}
}

func (n *network) close() {
	n.mu.Lock()
	server, transports := n.server, n.transports
	n.mu.Unlock()
	for _, t := range transports {
		t.CloseIdleConnections()
	}
	if server != nil {
		_ = server.Close()
	}
	n.running.Wait()
}
