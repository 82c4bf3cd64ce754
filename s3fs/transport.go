package s3fs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
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
	d := &watchdog{ctx: ctx, cancel: cancel, stall: w.stall, begun: time.Now()}
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
	body := &receiving{resp.Body, d, mostText}
	if resp.StatusCode == http.StatusPartialContent {
		body.left = math.MaxInt64 // an object's bytes, which are not kept
	}
	resp.Body = body
	return resp, nil
}

// mostText is the longest answer that the SDK may read into memory, in bytes. A page of a listing has 1,000 keys.
const mostText = 16 << 20

// watchdog cancels a request when its timer, which every byte winds up again, runs out.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
	begun  time.Time
	timer  *time.Timer

	mu       sync.Mutex
	answered bool // from then on only reading the answer counts
}

// sent winds the timer up. A transport may still read a request's body when the answer is here. When all is read,
// the last of it is in buffers that nobody sees drain: on a slow line for as long as all before it, at most.
func (d *watchdog) sent(all bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.answered:
	case all:
		d.timer.Reset(max(d.stall, time.Since(d.begun)))
	default:
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
	n, err := s.ReadCloser.Read(p)
	s.d.sent(err == io.EOF)
	return n, err
}

// receiving is an answer's body. The time that its reader takes between reads does not count.
type receiving struct {
	io.ReadCloser
	d    *watchdog
	left int64 // bytes that may come
}

func (r *receiving) Read(p []byte) (int, error) {
	r.d.timer.Reset(r.d.stall)
	n, err := r.ReadCloser.Read(p)
	r.d.timer.Stop()
	if r.left -= int64(n); r.left < 0 {
		return 0, fmt.Errorf("%w: it has more than %d bytes", errAnswer, mostText)
	}
	if err != nil && err != io.EOF {
		err = r.d.reason(err)
	}
	return n, err
}

func (r *receiving) Close() error {
	defer r.d.cancel(nil)
	return r.ReadCloser.Close()
}
