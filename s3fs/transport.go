package s3fs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// tune makes a transport fit for parts. With HTTP/2 all parts would share one connection, and its stalls.
func tune(t *http.Transport, o *Options) {
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 2*o.Concurrency + 4
	t.WriteBufferSize = 64 << 10
	t.ReadBufferSize = 64 << 10
}

// errStalled is a request on which no byte moved for Options.StallTimeout.
var errStalled = errors.New("no byte moved")

// watch ends requests on which nothing moves. There is no limit on the whole: a slow part is a good part.
func watch(next aws.HTTPClient, stall time.Duration) aws.HTTPClient { return &watched{next, stall} }

type watched struct {
	next  aws.HTTPClient
	stall time.Duration
}

func (w *watched) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	d := &watchdog{ctx: ctx, cancel: cancel, stall: w.stall}
	d.timer = time.AfterFunc(w.stall, func() { cancel(fmt.Errorf("%w for %s", errStalled, w.stall)) })
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &sending{req.Body, d}
	}
	resp, err := w.next.Do(req)
	d.answer()
	if err != nil {
		defer cancel(nil)
		return resp, d.reason(err)
	}
	resp.Body = &receiving{resp.Body, d}
	return resp, nil
}

// watchdog cancels a request when its timer, which every byte winds up again, runs out.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	timer  *time.Timer

	mu       sync.Mutex
	answered bool // from then on only reading the answer counts
}

// sent winds the timer up. A transport may still read a request's body when the answer is here.
func (d *watchdog) sent() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.answered {
		d.timer.Reset(d.stall)
	}
}

func (d *watchdog) answer() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answered = true
	d.timer.Stop()
}

// reason is why the request ended, where the watchdog ended it.
func (d *watchdog) reason(err error) error {
	if cause := context.Cause(d.ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

// sending is a request's body.
type sending struct {
	io.ReadCloser
	d *watchdog
}

func (s *sending) Read(p []byte) (int, error) {
	s.d.sent()
	return s.ReadCloser.Read(p)
}

// receiving is an answer's body. The time that its reader takes between reads does not count.
type receiving struct {
	io.ReadCloser
	d *watchdog
}

func (r *receiving) Read(p []byte) (int, error) {
	r.d.timer.Reset(r.d.stall)
	n, err := r.ReadCloser.Read(p)
	r.d.timer.Stop()
	if err != nil && err != io.EOF {
		err = r.d.reason(err)
	}
	return n, err
}

func (r *receiving) Close() error {
	defer r.d.cancel(nil)
	return r.ReadCloser.Close()
}
