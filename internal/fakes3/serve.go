package fakes3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is one request on its way through the server.
type call struct {
	s      *Server
	r      *http.Request
	op     operation
	bucket *Bucket // nil if there is none of that name
	key    string
	query  url.Values
	logged *Request
	fault  Fault
	open   *Upload // that of UploadPart, as it was on arrival
	body   []byte
	sum    checksum // of the body, that the request declared
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	defer s.requests.Done()
	if s.Rewrite != nil {
		s.Rewrite(r)
	}
	c := s.accept(r)
	answer, err := c.answer()
	if err == nil {
		err = c.send(w, answer, "")
	} else if f := (*failure)(nil); errors.As(err, &f) {
		err = c.send(w, c.refusal(f), f.Code)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's way to close the connection
	}
}

// accept finds out what is asked for.
func (s *Server) accept(r *http.Request) *call {
	c := &call{s: s, r: r, query: r.URL.Query()}
	c.locate()
	c.op = route(r.Method, c.key != "", c.query)
	part, _ := strconv.Atoi(c.query.Get("partNumber"))
	entry := Request{
		Op: c.op.name, Key: c.key, UploadID: c.query.Get("uploadId"), Part: part,
		Method: r.Method, Host: r.Host, Header: r.Header, Query: c.query, Size: r.ContentLength, Time: s.now(),
	}
	if c.bucket != nil {
		entry.Bucket = c.bucket.Name
	}
	c.logged = s.record(entry)
	if s.Faults != nil {
		c.fault = s.Faults(*c.logged)
	}
	if c.fault.Late > 0 {
		c.fault.At = Received
	}
	return c
}

// locate finds bucket and key: the bucket is the beginning of the host's name, else of the path.
func (c *call) locate() {
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for name, b := range c.s.buckets {
		if strings.HasPrefix(c.r.Host, name+".") {
			c.bucket, c.key = b, path
			return
		}
	}
	name, key, _ := strings.Cut(path, "/")
	c.bucket, c.key = c.s.buckets[name], key
}

// answer does what is asked for, as far as the fault lets it.
func (c *call) answer() (reply, error) {
	if err := c.strike(Arrived); err != nil {
		return reply{}, err
	}
	if err := c.admit(); err != nil {
		return reply{}, err
	}
	if err := c.receive(); err != nil {
		return reply{}, err
	}
	if c.fault.Late > 0 {
		return reply{}, c.delay()
	}
	if err := c.strike(Received); err != nil {
		return reply{}, err
	}
	answer, err := c.op.apply(c)
	if fault := c.strike(Applied); fault != nil {
		return reply{}, fault
	}
	return answer, err
}

// admit checks all that does not need the body.
func (c *call) admit() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	switch {
	case c.op.apply == nil:
		return fail("NotImplemented", "this server does not do %s", c.op.name)
	case c.s.Deny[c.op.name]:
		return fail("AccessDenied", "not allowed: %s", c.op.name)
	case c.bucket == nil:
		return fail("NoSuchBucket", "The specified bucket does not exist")
	case len(c.key) > 1024:
		return fail("KeyTooLongError", "Your key is too long")
	case c.op.name == "UploadPart":
		return c.findUpload()
	}
	return nil
}

// refusal is the answer that tells of a failure.
func (c *call) refusal(f *failure) reply {
	answer := reply{status: f.status, header: http.Header{}}
	for name, values := range f.header {
		answer.header[http.CanonicalHeaderKey(name)] = values
	}
	if f.raw != nil {
		answer.header.Set("Content-Type", "text/html")
		answer.body = []byte(*f.raw)
		return answer
	}
	f.Resource, f.RequestID = c.r.URL.Path, c.logged.ID
	return answer.xml(f)
}

// xml gives the answer a body.
func (a reply) xml(v any) reply {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Content-Type", "application/xml")
	text, err := xml.Marshal(v)
	if err != nil { // a type of this package that cannot be marshalled
		text = []byte("<Error><Code>InternalError</Code><Message>" + err.Error() + "</Message></Error>")
		a.status = http.StatusInternalServerError
	}
	a.body = append([]byte(xml.Header), text...)
	return a
}

// send writes the answer.
func (c *call) send(w http.ResponseWriter, a reply, code string) error {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if c.fault.NoETag {
		h.Del("ETag")
	}
	if c.fault.Damage && len(c.body) == 0 {
		a.body = damage(a.body)
	}
	h.Set("Date", c.s.now().UTC().Format(http.TimeFormat))
	h.Set("X-Amz-Request-Id", c.logged.ID)
	c.s.answered(c.logged, a.status, code)

	bodyless := c.r.Method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified
	framing := Length
	if c.op.name == "GetObject" && a.status < 300 {
		framing = c.s.Framing
	}
	switch {
	case framing != Length:
		h.Del("Content-Length")
	case !bodyless:
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	if framing == Closing {
		return c.sendRaw(w, a)
	}
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w).Flush
	if framing == Chunked {
		_ = flush() // before the end, so that net/http does not learn the length
	}
	if bodyless {
		a.body = nil
	}
	_, err := (&flow{c: c, at: Sending, to: w, flush: flush}).Write(a.body)
	return err
}

// sendRaw writes an answer whose body ends with the connection, which net/http's writer does not do for HTTP/1.1.
func (c *call) sendRaw(w http.ResponseWriter, a reply) error {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	h := w.Header()
	h.Set("Connection", "close")
	fmt.Fprintf(buffered, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	_ = h.Write(buffered)
	_, _ = buffered.WriteString("\r\n")
	_, _ = (&flow{c: c, at: Sending, to: buffered, flush: buffered.Flush}).Write(a.body)
	return buffered.Flush()
}
