package faultproxy

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kind is what goes wrong.
type Kind string

// The connection fails.
const (
	DropRequest   Kind = "drop-request"   // read and not forwarded; the connection is closed
	DropAnswer    Kind = "drop-answer"    // forwarded; once upstream has answered, the connection is closed
	ResetRequest  Kind = "reset-request"  // both connections break after Bytes of the request's body
	ResetResponse Kind = "reset-response" // the connection is reset after Bytes of the answer's body
	StallRequest  Kind = "stall-request"  // after Bytes of the request's body no more is read until Release
	StallResponse Kind = "stall-response" // after Bytes of the answer's body, for 0 before its header, no more comes until Release
)

// Upstream, or something before it, refuses.
const (
	SlowDown         Kind = "slow-down"         // 503
	TooManyRequests  Kind = "too-many-requests" // 429
	InternalError    Kind = "internal-error"    // 500
	RefuseTrailers   Kind = "refuse-trailers"   // 501 for a body in aws-chunked, as B2, R2 and GCS say
	ErrorInOK        Kind = "error-in-200"      // Complete: 200, with InternalError in the body
	EmptyOK          Kind = "empty-200"         // 200 without the XML that belongs there
	HTMLOK           Kind = "html-200"          // 200 with a web page instead of XML
	MissingETag      Kind = "missing-etag"      // forwarded; the answer's ETag is left out
	DropPrecondition Kind = "drop-precondition" // forwarded without If-None-Match, as by a store that ignores it

	// RewriteAcceptEncoding forwards another Accept-Encoding than the client sent, and perhaps signed, as GCS and
	// CDNs do.
	RewriteAcceptEncoding Kind = "rewrite-accept-encoding"
)

// What arrives is not what was sent.
const (
	FlipRequest  Kind = "flip-request"  // one bit of the request's body, after Bytes
	FlipResponse Kind = "flip-response" // one bit of the answer's body, after Bytes
	ShortBody    Kind = "short-body"    // the answer ends after Bytes, as if that were all: no Content-Length, no reset
)

// What arrives, arrives when the client no longer expects it.
const (
	ApplyLate Kind = "apply-late" // 503 at once, forwarded after Delay, for 0 on Release
	// HoldPastRetry closes the connection after Delay and forwards the request once a further try of it has
	// succeeded, at the latest on Release.
	HoldPastRetry Kind = "hold-past-retry"
)

// A page of a listing lies.
const (
	SameToken   Kind = "same-token"   // the page after it is the same one again
	NoToken     Kind = "no-token"     // it says that it is truncated, and not how to go on
	Reordered   Kind = "reordered"    // two keys change places
	ForeignName Kind = "foreign-name" // one key more, which does not have the prefix
)

// Always is for Fault.Count: all requests from the Nth on.
const Always = math.MaxInt

// Fault is one thing that goes wrong, once or Count times in a row.
type Fault struct {
	Kind      Kind
	Operation Operation // only with it; default: any
	Path      string    // only where the request's path, /bucket/key, contains it
	Part      int       // only that part's UploadPart; default: any
	Nth       int       // of the requests that all this and Kind fits, the first to fail, from 1 on; default: 1
	Count     int       // how many fail; default: 1

	Bytes      int64         // for Kinds that say so, at most up to before the body's last byte
	Delay      time.Duration // for Kinds that say so
	Forwarded  bool          // a refusal comes only when upstream has answered; default: upstream sees nothing
	RetryAfter string        // of a refusal, the header; default: none
}

// String is Kind with what else matters for it.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	if f.Bytes > 0 {
		fmt.Fprintf(&b, " at %d", f.Bytes)
	}
	if f.Delay > 0 {
		fmt.Fprintf(&b, " for %v", f.Delay)
	}
	if f.Forwarded {
		b.WriteString(", forwarded")
	}
	if f.RetryAfter != "" {
		b.WriteString(", Retry-After " + f.RetryAfter)
	}
	return b.String()
}

var (
	written  = []Operation{PutObject, UploadPart, CreateMultipartUpload, CompleteMultipartUpload, AbortMultipartUpload, DeleteObject}
	uploaded = []Operation{PutObject, UploadPart}
	listed   = []Operation{ListObjectsV2, ListMultipartUploads}
	inXML    = []Operation{CreateMultipartUpload, CompleteMultipartUpload, ListObjectsV2, ListMultipartUploads}
)

// known is which requests a kind is for: operations, nil for all, and what else a request must have.
var known = []struct {
	kind       Kind
	operations []Operation
	needs      func(*http.Request) bool
}{
	{DropRequest, nil, nil},
	{DropAnswer, nil, nil},
	{ResetRequest, nil, hasBody},
	{ResetResponse, append([]Operation{GetObject}, inXML...), nil},
	{StallRequest, nil, hasBody},
	{StallResponse, nil, nil},
	{SlowDown, nil, nil},
	{TooManyRequests, nil, nil},
	{InternalError, nil, nil},
	{RefuseTrailers, uploaded, inAWSChunks},
	{ErrorInOK, []Operation{CompleteMultipartUpload}, nil},
	{EmptyOK, inXML, nil},
	{HTMLOK, inXML, nil},
	{MissingETag, uploaded, nil},
	{DropPrecondition, nil, hasIfNoneMatch},
	{RewriteAcceptEncoding, nil, nil},
	{FlipRequest, nil, hasBody},
	{FlipResponse, append([]Operation{GetObject}, inXML...), nil},
	{ShortBody, []Operation{GetObject}, nil},
	{ApplyLate, written, nil},
	{HoldPastRetry, uploaded, nil},
	{SameToken, listed, hasToken},
	{NoToken, listed, nil},
	{Reordered, listed, nil},
	{ForeignName, listed, hasPrefix},
}

// Kinds are all that there are.
func Kinds() []Kind {
	all := make([]Kind, 0, len(known))
	for _, k := range known {
		all = append(all, k.kind)
	}
	return all
}

// fits reports whether the kind can happen to r.
func (k Kind) fits(op Operation, r *http.Request) bool {
	for _, row := range known {
		if row.kind == k {
			return op != other && (row.operations == nil || slices.Contains(row.operations, op)) && (row.needs == nil || row.needs(r))
		}
	}
	return false
}

// rewrites reports whether the kind only changes the request's header: another fault may come on top.
func (k Kind) rewrites() bool { return k == DropPrecondition || k == RewriteAcceptEncoding }

// check says why f could never happen.
func (f Fault) check() error {
	for _, row := range known {
		if row.kind != f.Kind {
			continue
		}
		if f.Operation != AnyOperation && row.operations != nil && !slices.Contains(row.operations, f.Operation) {
			return fmt.Errorf("faultproxy: %s does not happen to %s, only to %v", f.Kind, f.Operation, row.operations)
		}
		if f.Part != 0 && f.Operation != UploadPart {
			return errors.New("faultproxy: only UploadPart has a Part")
		}
		return nil
	}
	return fmt.Errorf("faultproxy: there is no kind of fault %q, only %v", f.Kind, Kinds())
}

func hasBody(r *http.Request) bool        { return r.ContentLength != 0 }
func hasIfNoneMatch(r *http.Request) bool { return r.Header.Get("If-None-Match") != "" }
func hasPrefix(r *http.Request) bool      { return r.URL.Query().Get("prefix") != "" }

func hasToken(r *http.Request) bool {
	return r.URL.Query().Get("continuation-token") != "" || r.URL.Query().Get("key-marker") != ""
}

// inAWSChunks reports whether the body is in the SDKs' own framing, with or without trailers.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func inAWSChunks(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") ||
		r.Header.Get("X-Amz-Trailer") != "" || strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
}
