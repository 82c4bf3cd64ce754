package faultproxy

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"time"
)

// perRequest is how many tries of one request a campaign lets fail, so that a client that tries ten times gets through.
const perRequest = 4

// campaign draws faults at random.
type campaign struct {
	seed  uint64
	rate  float64
	kinds []Kind

	drawn  map[string]uint64 // by shape
	failed map[string]int    // by identity
	storms map[string]storm  // by identity
}

// storm is a fault that the next left tries of a request have too.
type storm struct {
	Fault
	left int
}

// Random starts a campaign, in place of an earlier one: each request fails with probability rate, 0 to 1, in one of
// those kinds that fit it, with parameters drawn too; some fail again and again, but no request more than 4 times.
// What is drawn depends only on seed and on how many requests of the same operation, part and end of range came before,
// so the order of concurrent parts does not matter. A kind that there is not is an error.
func (p *Proxy) Random(seed uint64, rate float64, kinds ...Kind) error {
	for _, k := range kinds {
		if err := (Fault{Kind: k}).check(); err != nil {
			return err
		}
	}
	if !(rate >= 0 && rate <= 1) {
		return fmt.Errorf("faultproxy: a rate of %v is no probability", rate)
	}
	p.note(fmt.Sprintf("campaign: seed %d, rate %v, kinds %v", seed, rate, kinds), 0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.campaign = &campaign{seed, rate, kinds, map[string]uint64{}, map[string]int{}, map[string]storm{}}
	return nil
}

// draw decides about one request. Each has a generator of its own.
func (c *campaign) draw(op Operation, r *http.Request, id string) Fault {
	s := shape(op, r)
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", s, c.drawn[s])
	c.drawn[s]++
	rng := rand.New(rand.NewPCG(c.seed, h.Sum64()))

	if c.failed[id] >= perRequest {
		return Fault{}
	}
	f := c.again(id)
	if f.Kind == "" && rng.Float64() < c.rate {
		f = c.fresh(rng, op, r, id)
	}
	if f.Kind != "" {
		c.failed[id]++
	}
	return f
}

// again is the fault of a storm that a request is in.
func (c *campaign) again(id string) Fault {
	s, ok := c.storms[id]
	if !ok {
		return Fault{}
	}
	if s.left--; s.left == 0 {
		delete(c.storms, id)
	} else {
		c.storms[id] = s
	}
	return s.Fault
}

// fresh draws a fault, and its parameters, for a request.
func (c *campaign) fresh(rng *rand.Rand, op Operation, r *http.Request, id string) Fault {
	var fitting []Kind
	for _, k := range c.kinds {
		if k.fits(op, r) {
			fitting = append(fitting, k)
		}
	}
	if len(fitting) == 0 {
		return Fault{}
	}
	f := Fault{Kind: fitting[rng.IntN(len(fitting))]}
	switch f.Kind {
	case ResetRequest, ResetResponse, StallRequest, StallResponse, FlipRequest, FlipResponse, ShortBody:
		f.Bytes = rng.Int64N(1 << rng.IntN(24)) // the beginning of a body and the middle of a part are as likely
	case SlowDown, TooManyRequests, InternalError:
		f.Forwarded = rng.IntN(4) == 0
		if rng.IntN(4) == 0 {
			f.RetryAfter = "1"
		}
		if more := rng.IntN(perRequest); more > 0 && !f.Forwarded {
			c.storms[id] = storm{f, more}
		}
	case ErrorInOK, EmptyOK, HTMLOK:
		f.Forwarded = rng.IntN(2) == 0
	case ApplyLate:
		f.Delay = time.Duration(rng.IntN(3)) * 100 * time.Millisecond // 0: on Release
	}
	return f
}
