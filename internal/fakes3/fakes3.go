// Package fakes3 is an S3 server in memory, for tests that need faults, odd
// stores and time that does not pass. It is strict where AWS is strict: what
// AWS refuses, it refuses with the same code and status.
//
// What belongs here is the server's side of S3: requests in, state in memory,
// answers out. What a client should make of them is for the client's tests.
//
//	s := fakes3.New()
//	defer s.Close()
//	b := s.CreateBucket("bucket")
//	client := s3.New(s3.Options{HTTPClient: s.Client(), BaseEndpoint: aws.String("https://fake.test"), …})
//
// The connections of [Server.Client] are in memory, so all of it works inside a
// synctest bubble. The source of formats and codes is the Amazon S3 API
// Reference, https://docs.aws.amazon.com/AmazonS3/latest/API/.
package fakes3

import (
	"net/http"
	"sync"
	"time"
)

// Server is the store, an http.Handler. Its fields are set while no request is
// under way; their zero values make it behave as AWS does.
type Server struct {
	// Now is the server's clock; default: time.Now. It is called concurrently.
	Now func() time.Time
	// Region is the only one that signatures may name; default: any.
	Region string

	// Rewrite changes each request as a proxy in front of the server would.
	Rewrite func(*http.Request)
	// Faults is asked about each request, on its arrival. It is called concurrently.
	Faults func(Request) Fault
	// Sealed is told of each object that has become visible, before its request is answered. It is called concurrently.
	Sealed func(*Object)
	// Deny has the operations that the caller has no permission for. Without ListObjectsV2 a missing key is 403, as AWS has it.
	Deny map[string]bool

	MinPartSize int64 // of all parts but the last, in bytes; default: 5 MiB
	MaxParts    int   // the largest part number; default: 10,000. Scaleway has 1,000
	PageSize    int   // the most entries of a page of a listing; default: 1,000
	EqualParts  bool  // R2: all parts but the last have one size, else Complete fails with InvalidPart

	Versioned      bool        // answers have x-amz-version-id, and Delete adds a marker
	ObjectLock     bool        // the bucket is made for it: lock headers are taken, and each body needs Content-MD5 or a checksum
	RefuseTrailers bool        // B2, R2, GCS: a body in aws-chunked encoding is 501
	Conditional    Conditional // what If-None-Match: * does
	Fragile        bool        // an Abort or a second Complete of a completed upload deletes the object (minio/minio#17858)
	Archived       bool        // every object is, so that reading is 403 InvalidObjectState
	IgnoreRange    bool        // GetObject answers 200 and the whole object
	Framing        Framing     // how the end of a body is told
	Lie            Lie         // what is wrong with listings

	mu       sync.Mutex
	sequence int64 // of ids
	buckets  map[string]*Bucket
	keys     map[string]Key
	log      []*Request
	attempts map[string]int
	memory   network
	requests sync.WaitGroup
	closing  chan struct{}
	late     []*time.Timer
}

// Conditional is what a store makes of a Put that asks for If-None-Match: *.
type Conditional int

const (
	Exact   Conditional = iota // as AWS: exactly one succeeds, others are 412
	Refused                    // 501
	Ignored                    // the object is replaced
	Racy                       // checked, and written 50 ms later without another check
)

// Framing is how a client learns where the body of GetObject ends.
type Framing int

const (
	Length  Framing = iota // Content-Length
	Chunked                // chunked transfer encoding without a length
	Closing                // neither: the body ends with the connection, so that a cut looks like the end
)

// Lie is what is wrong with the answers of ListObjectsV2 and ListMultipartUploads.
type Lie int

const (
	Honest      Lie = iota
	RepeatToken     // the next token (marker) is the one of the request
	DropToken       // IsTruncated, and no token
	Disorder        // each page is in descending order
	Foreign         // each page ends with a key of another prefix
	EmptyFirst      // the first page of ListObjectsV2 is empty though truncated, which is odd but legal
)

// New returns a server without buckets that takes unsigned requests.
func New() *Server {
	return &Server{
		buckets:  map[string]*Bucket{},
		keys:     map[string]Key{},
		attempts: map[string]int{},
		closing:  make(chan struct{}),
	}
}

// CreateBucket makes a bucket, or returns the one of that name.
func (s *Server) CreateBucket(name string) *Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[name]
	if !ok {
		b = &Bucket{Name: name, s: s, objects: map[string][]*Object{}, uploads: map[string]*Upload{}, ended: map[string]*Upload{}}
		s.buckets[name] = b
	}
	return b
}

// Close ends what the server has running: connections of [Server.Dial],
// requests that wait for a fault to end, and requests still to be applied late.
// It returns once all of it has ended, and may be called again.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.closing:
	default:
		close(s.closing)
	}
	for _, t := range s.late {
		if t.Stop() {
			s.requests.Done()
		}
	}
	s.late = nil
	s.mu.Unlock()
	s.memory.close()
	s.requests.Wait()
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
