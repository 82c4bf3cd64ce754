package faultproxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/pipenet"
)

// got is a request as upstream saw it.
type got struct {
	method, uri, host string
	header            http.Header
	body              string
	err               error // of reading the body
}

// server is an upstream that keeps what it was asked, and answers by reply.
type server struct {
	mu    sync.Mutex
	asked []got
	reply http.HandlerFunc
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	s.asked = append(s.asked, got{r.Method, r.RequestURI, r.Host, r.Header.Clone(), string(body), err})
	s.mu.Unlock()
	s.reply(w, r)
}

// requests is what came so far.
func (s *server) requests() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]got(nil), s.asked...)
}

// wire is a client, a proxy and an upstream.
type wire struct {
	proxy    *Proxy
	upstream *server
	client   *http.Client
	url      string
}

// tcp connects the three over the loopback interface.
func tcp(t *testing.T, reply http.HandlerFunc) *wire {
	t.Helper()
	s := &server{reply: reply}
	up := httptest.NewServer(s)
	t.Cleanup(up.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return connect(t, s, up.URL, nil, l, &http.Transport{DisableCompression: true, DisableKeepAlives: true})
}

// pipes connects them in memory, for a bubble.
func pipes(t *testing.T, reply http.HandlerFunc) *wire {
	t.Helper()
	s := &server{reply: reply}
	behind, front := pipenet.Listen(), pipenet.Listen()
	up := &http.Server{Handler: s}
	go up.Serve(behind)
	t.Cleanup(func() { up.Close() })
	return connect(t, s, "http://upstream", &Options{&http.Transport{DisableCompression: true, DialContext: behind.DialContext}},
		front, &http.Transport{DisableKeepAlives: true, DialContext: front.DialContext})
}

func connect(t *testing.T, s *server, upstream string, o *Options, l net.Listener, transport *http.Transport) *wire {
	t.Helper()
	p, err := New(upstream, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	t.Cleanup(transport.CloseIdleConnections)
	return &wire{p, s, &http.Client{Transport: transport}, "http://" + l.Addr().String()}
}

// answer is what the client saw.
type answer struct {
	status int
	header http.Header
	body   string
	err    error // of the request, or of reading the body
}

// do sends a request; header is of pairs.
func (w *wire) do(t *testing.T, method, uri, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.url+uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(b), err}
}

// plan plans faults that can happen.
func (w *wire) plan(t *testing.T, faults ...Fault) {
	t.Helper()
	if err := w.proxy.Plan(faults...); err != nil {
		t.Fatal(err)
	}
}

// fine answers with an ETag and four bytes.
func fine(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("ETag", `"e"`)
	io.WriteString(w, "fine")
}

// What is not to fail must arrive as if there were no proxy: the client has signed it.
func TestTransparent(t *testing.T) {
	body := strings.Repeat("0123456789", 100_000)
	w := tcp(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["x-amz-Odd"] = []string{"a", "b"}
		w.Header()["Date"] = []string{"yesterday"}
		w.Header()["Content-Type"] = nil
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, body)
	})
	uri := "/bucket/a%2Fb%20c+d//e/./%C3%A9*?x-id=PutObject&versionId=%2f&empty&b=1&a=2"
	header := []string{"Expect", "100-continue", "Accept-Encoding", "identity", "X-Amz-Date", "20260101T000000Z", "User-Agent", "ua"}

	through := w.do(t, "PUT", uri, body, header...)
	direct := w.direct().do(t, "PUT", uri, body, header...)
	asked := w.upstream.requests()
	if len(asked) != 2 {
		t.Fatalf("upstream got %d requests", len(asked))
	}
	asked[1].host = asked[0].host // the only difference: where the client wanted to go,
	for _, a := range []http.Header{asked[0].header, asked[1].header, through.header, direct.header} {
		a.Del("Connection") // and what is said of each connection
	}
	if a, b := dump(asked[0]), dump(asked[1]); a != b {
		t.Errorf("upstream got through the proxy\n%.400s\nwithout it\n%.400s", a, b)
	}
	if asked[0].uri != uri || asked[0].body != body || asked[0].host != strings.TrimPrefix(w.url, "http://") {
		t.Errorf("upstream got %s of %s with %d bytes", asked[0].uri, asked[0].host, len(asked[0].body))
	}
	if a, b := through, direct; a.err != nil || a.status != b.status || a.body != b.body || headers(a.header) != headers(b.header) {
		t.Errorf("the client got %d %v %v and %d bytes, without the proxy %d %v", a.status, a.err, a.header, len(a.body), b.status, b.header)
	}
	if l := w.proxy.Injected(); len(l) != 0 {
		t.Errorf("injected %q", l)
	}
}

// direct is the wire without the proxy.
func (w *wire) direct() *wire {
	return &wire{client: w.client, url: w.proxy.upstream.String()}
}

func headers(h http.Header) string {
	var b bytes.Buffer
	h.Write(&b) // sorted; a Buffer takes all
	return b.String()
}

func dump(g got) string {
	return g.method + " " + g.uri + " " + g.host + "\n" + headers(g.header) + g.body
}

func TestHead(t *testing.T) {
	w := tcp(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "12345") })
	if a := w.do(t, "HEAD", "/b/k", ""); a.err != nil || a.header.Get("Content-Length") != "12345" {
		t.Errorf("%+v", a)
	}
}

// Both sides over TLS: upstream by a Transport that trusts it.
func TestTLS(t *testing.T) {
	s := &server{reply: fine}
	up := httptest.NewTLSServer(s)
	defer up.Close()
	p, err := New(up.URL, &Options{up.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	front := httptest.NewTLSServer(p)
	defer front.Close()
	w := &wire{p, s, front.Client(), front.URL}
	w.plan(t, Fault{Kind: ResetResponse, Operation: GetObject, Bytes: 2})
	if a := w.do(t, "GET", "/b/k", ""); a.err == nil || a.body != "fi" {
		t.Errorf("a reset after 2 bytes: %+v", a)
	}
	if a := w.do(t, "GET", "/b/k", ""); a.err != nil || a.body != "fine" {
		t.Errorf("%+v", a)
	}
}

// Upstream is not there: the client sees what it would see without a proxy.
func TestNoUpstream(t *testing.T) {
	w := tcp(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if a := w.do(t, "PUT", "/b/k", "x"); a.err == nil {
		t.Errorf("%+v", a)
	}
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:9000", "ftp://x", "http://x/path", "http://", "http://a b"} {
		if _, err := New(bad, nil); err == nil {
			t.Errorf("New(%q) was accepted", bad)
		}
	}
}

// A bubble ends only when all its goroutines have: Close must end stalls, held requests and connections.
func TestCloseJoins(t *testing.T) {
	for _, f := range []Fault{
		{Kind: StallRequest}, {Kind: StallResponse}, {Kind: StallResponse, Bytes: 2, Operation: GetObject},
		{Kind: ApplyLate}, {Kind: ApplyLate, Delay: time.Hour}, {Kind: HoldPastRetry, Delay: time.Hour}, {Kind: DropAnswer},
		{Kind: ResetRequest}, {Kind: ResetResponse, Operation: GetObject},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := pipes(t, fine)
			w.plan(t, f)
			method := "PUT"
			if f.Operation == GetObject {
				method = "GET"
			}
			errs := make(chan error)
			go func() {
				a := w.do(t, method, "/b/k", "body")
				if a.status == http.StatusServiceUnavailable {
					a.err = io.ErrUnexpectedEOF // ApplyLate
				}
				errs <- a.err
			}()
			synctest.Wait()
			start := time.Now()
			w.proxy.Close()
			if err := <-errs; err == nil {
				t.Errorf("%v: the client got an answer", f)
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("%v: Close waited %v", f, d)
			}
			if len(w.proxy.Injected()) != 1 {
				t.Errorf("%v: %q", f, w.proxy.Injected())
			}
		})
	}
}
