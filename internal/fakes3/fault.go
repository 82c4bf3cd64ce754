package fakes3

import (
	"io"
	"net/http"
	"time"
)

// Moment is when a fault strikes.
type Moment int

const (
	Arrived   Moment = iota // the header has been read
	Receiving               // Fault.Bytes of the body, fewer than it has, have been read
	Received                // all of the body has been read and verified
	Applied                 // what was asked for has been done, successfully or not
	Sending                 // the answer's header and Fault.Bytes of its body have been sent
)

// Fault is what goes wrong with one request; its zero value is nothing. At its
// moment come, in this order, Pause, Wait, and then Drop or the answer of
// Status; without both of these the request goes on.
type Fault struct {
	At    Moment
	Bytes int64 // for Receiving and Sending

	Pause time.Duration
	// Wait is waited for until it is closed, the server is closed or, from Received on, the client has gone away.
	Wait <-chan struct{}

	Drop   bool        // close the connection
	Status int         // answer with it; ignored when Sending
	Code   string      // of S3's error XML in that answer, under any Status; empty: the body is Body
	Body   string      // such as an HTML page, or empty
	Header http.Header // of that answer, such as Retry-After

	// Late has the request applied so long after it was received. It implies At: Received, and Drop if there is no Status.
	Late time.Duration
	// NoETag leaves the ETag out of the answer.
	NoETag bool
	// Damage flips a bit of the request's body or, if that is empty, of the answer's.
	Damage bool
	// Slow is a pause before each 16 KiB of body in both directions.
	Slow time.Duration
}

// strike has the fault of this moment happen. An error is the end of the request.
func (c *call) strike(now Moment) error {
	if f := c.fault; f.At != now {
		return nil
	}
	if !c.pause(c.fault.Pause) {
		return errDropped
	}
	if c.fault.Wait != nil {
		select {
		case <-c.fault.Wait:
		case <-c.r.Context().Done():
			return errDropped
		case <-c.s.closing:
			return errDropped
		}
	}
	switch {
	case c.fault.Drop:
		return errDropped
	case c.fault.Status == 0:
		return nil
	case c.fault.Code == "":
		return &failure{status: c.fault.Status, header: c.fault.Header, raw: &c.fault.Body}
	}
	f := fail(c.fault.Code, "a fault that the test asked for")
	f.status, f.header = c.fault.Status, c.fault.Header
	return f
}

// pause sleeps, and reports false if client or server went away.
func (c *call) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.r.Context().Done():
	case <-c.s.closing:
	}
	return false
}

// delay applies the request after Fault.Late.
func (c *call) delay() error {
	c.s.mu.Lock()
	select {
	case <-c.s.closing: // too late
	default:
		c.s.requests.Add(1)
		c.s.late = append(c.s.late, time.AfterFunc(c.fault.Late, func() {
			defer c.s.requests.Done()
			_, _ = c.op.apply(c)
		}))
	}
	c.s.mu.Unlock()
	if err := c.strike(Received); err != nil {
		return err
	}
	return errDropped
}

// damage returns data with a bit flipped.
func damage(data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	data = append([]byte(nil), data...)
	data[len(data)/2] ^= 1
	return data
}

// step is how much of a body moves between two pauses of Fault.Slow.
const step = 16 << 10

// flow is a body on its way, to which Slow and the moments Receiving and Sending happen.
type flow struct {
	c     *call
	at    Moment
	moved int64
	from  io.Reader // for Receiving
	to    io.Writer // for Sending
	flush func() error
}

// next says how many of n bytes move now.
func (f *flow) next(n int) (int, error) {
	if left := f.c.fault.Bytes - f.moved; f.c.fault.At == f.at && left >= 0 {
		if left == 0 {
			if f.at == Sending {
				_ = f.flush()
			}
			if err := f.c.strike(f.at); err != nil {
				return 0, err
			}
		} else {
			n = int(min(int64(n), left))
		}
	}
	if f.c.fault.Slow > 0 && n > 0 {
		n = min(n, step)
		if !f.c.pause(f.c.fault.Slow) {
			return 0, errDropped
		}
	}
	return n, nil
}

func (f *flow) Read(p []byte) (int, error) {
	n, err := f.next(len(p))
	if err != nil {
		return 0, err
	}
	n, err = f.from.Read(p[:n])
	f.moved += int64(n)
	return n, err
}

func (f *flow) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := f.next(len(p) - done)
		if err != nil || done == len(p) {
			return done, err
		}
		n, err = f.to.Write(p[done : done+n])
		done, f.moved = done+n, f.moved+int64(n)
		if err != nil {
			return done, err
		}
		if f.c.fault.Slow > 0 {
			_ = f.flush()
		}
	}
}
