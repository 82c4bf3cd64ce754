package fakes3

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Request is what the server knows of a request.
type Request struct {
	ID       string // the answer's x-amz-request-id
	Op       string // such as PutObject; "PUT key?acl" for what the server cannot do
	Bucket   string // empty if there is no such bucket
	Key      string
	UploadID string
	Part     int // the number of UploadPart's part
	// Attempt counts, from 1, requests that ask for the same: operation, key, query and range.
	Attempt int

	Method string
	Host   string
	Header http.Header
	Query  url.Values
	Size   int64 // Content-Length; -1 without one
	Time   time.Time

	Status int    // of the answer; 0 while there is none, and for a dropped connection
	Code   string // S3's error code, if the answer has one
}

// Requests returns all requests so far in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.log))
	for i, r := range s.log {
		all[i] = *r
	}
	return all
}

// Count returns how many requests there were of the operations, or of all.
func (s *Server) Count(ops ...string) int {
	n := 0
	for _, r := range s.Requests() {
		if len(ops) == 0 || slices.Contains(ops, r.Op) {
			n++
		}
	}
	return n
}

// record enters the request into the log.
func (s *Server) record(r Request) *Request {
	identity := strings.Join([]string{r.Op, r.Host, r.Key, r.Query.Encode(), r.Header.Get("Range")}, "\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts[identity]++
	r.Attempt = s.attempts[identity]
	r.ID = fmt.Sprintf("FAKE%012d", len(s.log)+1)
	s.log = append(s.log, &r)
	return &r
}

// answered completes the log's entry.
func (s *Server) answered(r *Request, status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Status, r.Code = status, code
}
