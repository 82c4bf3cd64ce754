// Package toxic puts Toxiproxy, in this process, between a client and a server.
//
// What belongs here is faults of connections, which know nothing of HTTP.
package toxic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Direction is that of the bytes that a toxic acts on.
type Direction string

const (
	Up   Direction = "upstream"   // from the client to the server
	Down Direction = "downstream" // from the server to the client
)

// Proxy forwards connections to a server.
type Proxy struct {
	proxy *toxiproxy.Proxy
}

// Start forwards connections from a free loopback port to upstream, host:port.
func Start(upstream string) (*Proxy, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log to the global one
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := toxiproxy.NewProxy(server, upstream, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("proxy to %s: %w", upstream, err)
	}
	return &Proxy{p}, nil
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.proxy.Listen }

// Add makes every connection suffer from now on. Kind and attributes are Toxiproxy's: latency, bandwidth, slicer, timeout,
// reset_peer, limit_data. Several kinds add up; one kind is there once for each direction.
func (p *Proxy) Add(kind string, direction Direction, attributes map[string]int) error {
	body, err := json.Marshal(map[string]any{"type": kind, "stream": direction, "attributes": attributes})
	if err != nil {
		return err
	}
	if _, err := p.proxy.Toxics.AddToxicJson(bytes.NewReader(body)); err != nil {
		return fmt.Errorf("toxic %s: %w", kind, err)
	}
	return nil
}

// Heal takes all toxics away.
func (p *Proxy) Heal(ctx context.Context) { p.proxy.Toxics.ResetToxics(ctx) }

// Stop closes the port and every connection.
func (p *Proxy) Stop() { p.proxy.Stop() }
