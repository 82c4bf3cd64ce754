package faultproxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	part     = "/b/k?partNumber=3&uploadId=u&x-id=UploadPart"
	complete = "/b/k?uploadId=u"
)

// Each kind must be seen by the client, and upstream must have seen what the kind says.
func TestKinds(t *testing.T) {
	const sent = "0123456789"
	for _, c := range []struct {
		fault       Fault
		method, uri string
		header      []string
		client      string // what it got: "status body", or what it got of the body before an error
		fails       bool
		upstream    string // the body that arrived, "-" for no request, "!" for one that broke
	}{
		{Fault{Kind: DropRequest}, "PUT", part, nil, "0 ", true, "-"},
		{Fault{Kind: DropAnswer}, "POST", complete, nil, "0 ", true, sent},
		{Fault{Kind: ResetRequest, Bytes: 4}, "PUT", part, nil, "0 ", true, "!"},
		{Fault{Kind: ResetRequest, Bytes: 1 << 40}, "PUT", part, nil, "0 ", true, "!"},
		{Fault{Kind: ResetResponse, Bytes: 3}, "GET", "/b/k", nil, "200 fin", true, sent},
		{Fault{Kind: ResetResponse, Bytes: 1 << 40}, "GET", "/b/k", nil, "200 fin", true, sent},
		{Fault{Kind: ResetResponse, Bytes: 1}, "POST", complete, nil, "200 f", true, sent},
		{Fault{Kind: SlowDown}, "PUT", part, nil, "503 <Code>SlowDown</Code>", false, "-"},
		{Fault{Kind: SlowDown, Forwarded: true, RetryAfter: "7"}, "PUT", part, nil, "503 <Code>SlowDown</Code>", false, sent},
		{Fault{Kind: TooManyRequests}, "DELETE", "/b/k", nil, "429 <Code>TooManyRequests</Code>", false, "-"},
		{Fault{Kind: InternalError}, "PUT", part, nil, "500 <Code>InternalError</Code>", false, "-"},
		{Fault{Kind: RefuseTrailers}, "PUT", part, []string{"Content-Encoding", "aws-chunked"}, "501 <Code>NotImplemented<", false, "-"},
		{Fault{Kind: RefuseTrailers}, "PUT", part, []string{"X-Amz-Trailer", "x-amz-checksum-crc32"}, "501 <Code>NotImplemented<", false, "-"},
		{Fault{Kind: RefuseTrailers}, "PUT", part, nil, "200 fine", false, sent},
		{Fault{Kind: ErrorInOK}, "POST", complete, nil, "200 <Code>InternalError</Code>", false, "-"},
		{Fault{Kind: ErrorInOK, Forwarded: true}, "POST", complete, nil, "200 <Code>InternalError</Code>", false, sent},
		{Fault{Kind: EmptyOK, Forwarded: true}, "POST", complete, nil, "200 ", false, sent},
		{Fault{Kind: EmptyOK}, "POST", "/b/k?uploads", nil, "200 ", false, "-"},
		{Fault{Kind: HTMLOK}, "POST", complete, nil, "200 <html>", false, "-"},
		{Fault{Kind: FlipRequest, Bytes: 4}, "PUT", part, nil, "200 fine", false, "0123556789"},
		{Fault{Kind: FlipRequest, Bytes: 1 << 40}, "PUT", part, nil, "200 fine", false, "0123456788"},
		{Fault{Kind: FlipResponse, Bytes: 1}, "GET", "/b/k", nil, "200 fhne", false, sent},
		{Fault{Kind: FlipResponse}, "GET", "/b?list-type=2", nil, "200 gine", false, sent},
		{Fault{Kind: ShortBody, Bytes: 2}, "GET", "/b/k", nil, "200 fi", false, sent},
		{Fault{Kind: ShortBody, Bytes: 1 << 40}, "GET", "/b/k", nil, "200 fin", false, sent},
	} {
		t.Run(c.fault.String()+" of "+c.method+" "+strings.Join(c.header, " "), func(t *testing.T) {
			w := tcp(t, fine)
			w.plan(t, c.fault)
			a := w.do(t, c.method, c.uri, sent, c.header...)
			seen := strconv.Itoa(a.status) + " " + a.body
			if status, has, _ := strings.Cut(c.client, " "); status == strconv.Itoa(a.status) && has != "" && has[0] == '<' && strings.Contains(a.body, has) {
				seen = c.client
			}
			if seen != c.client || (a.err != nil) != c.fails {
				t.Errorf("the client got %q, %v, not %q", seen, a.err, c.client)
			}
			if a.header.Get("Retry-After") != c.fault.RetryAfter {
				t.Errorf("Retry-After: %q", a.header.Get("Retry-After"))
			}
			if got := arrived(w, t); got != c.upstream {
				t.Errorf("upstream got %q, not %q", got, c.upstream)
			}
			inapplicable := c.client == "200 fine" && c.upstream == sent
			if l := w.proxy.Injected(); len(l) == 1 == inapplicable || !inapplicable && !strings.HasSuffix(l[0], c.fault.String()) {
				t.Errorf("injected %q", l)
			}
			if a := w.do(t, c.method, c.uri, sent, c.header...); a.err != nil || a.body != "fine" {
				t.Errorf("a second try: %+v", a)
			}
		})
	}
}

// arrived waits for what upstream got of a request: its side of a broken connection ends a moment later.
func arrived(w *wire, t *testing.T) string {
	if strings.Contains(strings.Join(w.proxy.Injected(), ""), string(ResetRequest)) {
		for len(w.upstream.requests()) == 0 {
			time.Sleep(time.Millisecond) // go test's time-out ends it
		}
	}
	asked := w.upstream.requests()
	switch {
	case len(asked) == 0:
		return "-"
	case asked[0].err != nil:
		return "!"
	}
	return asked[0].body
}

// A reset must be one: RST, which is another error than the end of a closed connection.
func TestReset(t *testing.T) {
	w := tcp(t, fine)
	w.plan(t, Fault{Kind: ResetResponse, Bytes: 2}, Fault{Kind: DropAnswer, Operation: DeleteObject})
	if a := w.do(t, "GET", "/b/k", ""); a.err == nil || errors.Is(a.err, io.EOF) || errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("reset: %v", a.err)
	}
	if a := w.do(t, "DELETE", "/b/k", ""); !errors.Is(a.err, io.EOF) {
		t.Errorf("dropped: %v", a.err)
	}
}

func TestHeaders(t *testing.T) {
	w := tcp(t, fine)
	w.plan(t, Fault{Kind: RewriteAcceptEncoding, Count: Always}, Fault{Kind: DropPrecondition, Count: Always})
	for range 2 {
		w.do(t, "PUT", "/b/k", "x", "If-None-Match", "*", "Accept-Encoding", "identity")
	}
	for i, g := range w.upstream.requests() {
		if e := g.header.Get("Accept-Encoding"); e != "identity,gzip(gfe)" {
			t.Errorf("request %d: Accept-Encoding: %s", i, e)
		}
		if g.header.Get("If-None-Match") != "" {
			t.Errorf("request %d: If-None-Match arrived", i)
		}
	}
	w = tcp(t, fine)
	w.plan(t, Fault{Kind: MissingETag, Nth: 2})
	for _, want := range []string{`"e"`, "", `"e"`} {
		if a := w.do(t, "PUT", part, "x"); a.err != nil || a.header.Get("ETag") != want {
			t.Errorf("ETag %q, not %q: %v", a.header.Get("ETag"), want, a.err)
		}
	}
}

// Without a client that gives up, a stall lasts until Release, and then nothing is missing.
func TestStall(t *testing.T) {
	for _, c := range []struct {
		fault  Fault
		method string
	}{
		{Fault{Kind: StallRequest, Bytes: 3}, "PUT"}, {Fault{Kind: StallResponse}, "PUT"}, {Fault{Kind: StallResponse, Bytes: 2}, "GET"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := pipes(t, fine)
			w.plan(t, c.fault)
			go func() {
				time.Sleep(time.Hour)
				w.proxy.Release()
			}()
			start := time.Now()
			a := w.do(t, c.method, "/b/k", "0123456789")
			if d := time.Since(start); a.err != nil || a.body != "fine" || d != time.Hour {
				t.Errorf("%v: %+v after %v", c.fault, a, d)
			}
			if asked := w.upstream.requests(); len(asked) != 1 || asked[0].body != "0123456789" {
				t.Errorf("%v: upstream got %+v", c.fault, asked)
			}
		})
	}
}

// A client that gives up must be able to try again, while its first connection still stalls.
func TestStallGivenUp(t *testing.T) {
	for _, k := range []Kind{StallRequest, StallResponse} {
		synctest.Test(t, func(t *testing.T) {
			w := pipes(t, fine)
			w.plan(t, Fault{Kind: k, Operation: PutObject})
			w.client.Timeout = time.Minute
			if a := w.do(t, "PUT", "/b/k", "body"); a.err == nil {
				t.Errorf("%s: %+v", k, a)
			}
			if a := w.do(t, "PUT", "/b/k", "body"); a.err != nil {
				t.Errorf("%s, again: %v", k, a.err)
			}
		})
	}
}

func TestApplyLate(t *testing.T) {
	for _, c := range []struct{ delay, after time.Duration }{{time.Minute, time.Minute}, {0, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			var applied time.Time
			w := pipes(t, func(rw http.ResponseWriter, r *http.Request) { applied = time.Now(); fine(rw, r) })
			w.plan(t, Fault{Kind: ApplyLate, Delay: c.delay})
			start := time.Now()
			if a := w.do(t, "PUT", "/b/k", "late"); a.status != http.StatusServiceUnavailable || time.Since(start) != 0 {
				t.Fatalf("%+v after %v", a, time.Since(start))
			}
			time.Sleep(time.Hour)
			w.proxy.Release()
			if asked := w.upstream.requests(); len(asked) != 1 || asked[0].body != "late" || applied.Sub(start) != c.after {
				t.Errorf("upstream got %+v after %v", asked, applied.Sub(start))
			}
			if l := w.proxy.Injected(); !strings.HasSuffix(l[len(l)-1], "forwarded late: 200 OK") {
				t.Errorf("injected %q", l)
			}
		})
	}
}

// The first try of a part must arrive after its retry, and no earlier; without a retry on Release.
func TestHoldPastRetry(t *testing.T) {
	for _, retried := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := pipes(t, fine)
			w.plan(t, Fault{Kind: HoldPastRetry, Operation: UploadPart, Part: 3, Delay: time.Minute},
				Fault{Kind: SlowDown, Operation: UploadPart, Part: 3, Nth: 2})
			start := time.Now()
			if a := w.do(t, "PUT", part, "first"); a.err == nil || time.Since(start) != time.Minute {
				t.Fatalf("%+v after %v", a, time.Since(start))
			}
			w.do(t, "PUT", part, "refused")
			w.do(t, "PUT", strings.Replace(part, "=3", "=4", 1), "other")
			want := []string{"other", "first"}
			if retried {
				w.do(t, "PUT", part, "again")
				want = []string{"other", "again", "first"}
				synctest.Wait()
			} else {
				w.proxy.Release()
			}
			w.do(t, "PUT", part, "again")
			want = append(want, "again")
			var got []string
			for _, g := range w.upstream.requests() {
				got = append(got, g.body)
			}
			if !slices.Equal(got, want) {
				t.Errorf("upstream got %q, not %q", got, want)
			}
		})
	}
}
