package fakes3_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/databasement/backup/internal/fakes3"
)

// once has f happen to the first request of each key, part and operation op.
func once(op string, f fakes3.Fault) func(fakes3.Request) fakes3.Fault {
	return func(r fakes3.Request) fakes3.Fault {
		if r.Op == op && r.Attempt == 1 {
			return f
		}
		return fakes3.Fault{}
	}
}

// What a Put meets, and what it leaves in the store.
func TestPutFaults(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	released := make(chan struct{})
	close(released)
	for what, test := range map[string]struct {
		fault  fakes3.Fault
		code   string // of the answer, "" for success, "dropped" for none
		stored bool
		took   time.Duration
	}{
		"none":                   {fakes3.Fault{}, "", true, 0},
		"pause":                  {fakes3.Fault{Pause: time.Minute}, "", true, time.Minute},
		"released":               {fakes3.Fault{At: fakes3.Received, Wait: released}, "", true, 0},
		"503 on arrival":         {fakes3.Fault{Status: 503, Code: "SlowDown"}, "SlowDown", false, 0},
		"503 before applying":    {fakes3.Fault{At: fakes3.Received, Status: 503, Code: "SlowDown"}, "SlowDown", false, 0},
		"500 after applying":     {fakes3.Fault{At: fakes3.Applied, Status: 500, Code: "InternalError"}, "InternalError", true, 0},
		"dropped on arrival":     {fakes3.Fault{Drop: true}, "dropped", false, 0},
		"dropped in the body":    {fakes3.Fault{At: fakes3.Receiving, Bytes: 50_000, Drop: true}, "dropped", false, 0},
		"503 in the body":        {fakes3.Fault{At: fakes3.Receiving, Bytes: 50_000, Status: 503, Code: "SlowDown"}, "SlowDown", false, 0},
		"dropped after the body": {fakes3.Fault{At: fakes3.Received, Drop: true}, "dropped", false, 0},
		"dropped after applying": {fakes3.Fault{At: fakes3.Applied, Drop: true}, "dropped", true, 0},
		"damaged":                {fakes3.Fault{Damage: true}, "XAmzContentSHA256Mismatch", false, 0},
		"slow":                   {fakes3.Fault{Slow: time.Second}, "", true, 7 * time.Second},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.Faults = once("PutObject", test.fault)
				start := time.Now()
				_, err := connect(s).PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("k"), Body: strings.NewReader(body)},
					func(o *s3.Options) { o.BaseEndpoint = ptr("http://fake.test") }) // over http the SDK declares the payload's SHA-256
				took := time.Since(start)
				if test.code == "dropped" {
					if err == nil || s.Requests()[0].Status != 0 {
						t.Errorf("error %v, status %d", err, s.Requests()[0].Status)
					}
				} else if got := code(t, err); got != test.code || s.Requests()[0].Code != test.code {
					t.Errorf("code %q, want %q", got, test.code)
				}
				if took < test.took || took > test.took+5*time.Second {
					t.Errorf("took %s, want %s", took, test.took)
				}
				if data, ok := b.Bytes("k"); ok != test.stored || ok && string(data) != body {
					t.Errorf("stored: %v, %d bytes", ok, len(data))
				}
			})
		})
	}
}

// A Put that seems to fail and shows later (thanos-io/thanos#3626).
func TestLate(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		s.Faults = once("PutObject", fakes3.Fault{Late: time.Minute, Status: 500, Code: "InternalError"})
		c := connect(s)
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("k"), Body: strings.NewReader("first")})
		if got := code(t, err); got != "InternalError" {
			t.Fatal(got)
		}
		put(t, c, "k", "second")
		time.Sleep(59 * time.Second)
		if data, _ := b.Bytes("k"); string(data) != "second" {
			t.Errorf("at first it is %q", data)
		}
		time.Sleep(2 * time.Second)
		if data, _ := b.Bytes("k"); string(data) != "first" {
			t.Errorf("later it is %q", data)
		}
	})
}

// The answers of Complete that say 200 and are none (pgbackrest/pgbackrest#1438).
func TestCompleteFaults(t *testing.T) {
	for what, test := range map[string]struct {
		fault fakes3.Fault
		code  string
	}{
		"error":   {fakes3.Fault{At: fakes3.Received, Status: 200, Code: "InternalError"}, "InternalError"},
		"html":    {fakes3.Fault{At: fakes3.Received, Status: 200, Body: "<html><body>ok</body></html>"}, ""},
		"empty":   {fakes3.Fault{At: fakes3.Received, Status: 200}, ""},
		"no ETag": {fakes3.Fault{NoETag: true}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.Faults = once("CompleteMultipartUpload", test.fault)
				c := connect(s)
				done, err := c.CompleteMultipartUpload(t.Context(), begin(t, c, "k", "x"))
				if got := code(t, err); got != test.code {
					t.Errorf("got %q, want %q", got, test.code)
				}
				if err == nil && aws.ToString(done.ETag) != "" {
					t.Errorf("ETag %q", *done.ETag)
				}
				if applied := b.Object("k") != nil; applied != test.fault.NoETag {
					t.Errorf("applied: %v", applied)
				}
			})
		})
	}
}

// Part 2's first attempt fails, its second does not; Retry-After arrives; and an answer has no ETag (rclone/rclone#9823).
func TestPartFault(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		c := connect(s)
		in := begin(t, c, "k")
		s.Faults = func(r fakes3.Request) fakes3.Fault {
			switch {
			case r.Part == 2 && r.Attempt == 1:
				return fakes3.Fault{Status: 429, Code: "TooManyRequests", Header: http.Header{"Retry-After": {"7"}}}
			case r.Part == 3:
				return fakes3.Fault{NoETag: true}
			}
			return fakes3.Fault{}
		}
		part := func(n int32) (*s3.UploadPartOutput, error) {
			return c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: name, Key: in.Key, UploadId: in.UploadId, PartNumber: &n, Body: strings.NewReader("x"),
			})
		}
		_, err := part(2)
		var answer *smithyhttp.ResponseError
		if !errors.As(err, &answer) || answer.Response.StatusCode != 429 || answer.Response.Header.Get("Retry-After") != "7" {
			t.Errorf("%v", err)
		}
		_, err = part(2)
		check(t, err)
		out, err := part(3)
		check(t, err)
		if out.ETag != nil {
			t.Errorf("ETag %q", *out.ETag)
		}
	})
}

// What a reader meets in the middle of a body.
func TestGetFaults(t *testing.T) {
	data := strings.Repeat("0123456789", 10_000)
	for what, test := range map[string]struct {
		fault   fakes3.Fault
		framing fakes3.Framing
		read    int // bytes that arrive
		err     error
	}{
		"whole":              {fakes3.Fault{}, fakes3.Length, 100_000, nil},
		"cut":                {fakes3.Fault{At: fakes3.Sending, Bytes: 33_333, Drop: true}, fakes3.Length, 33_333, io.ErrUnexpectedEOF},
		"cut at once":        {fakes3.Fault{At: fakes3.Sending, Drop: true}, fakes3.Length, 0, io.ErrUnexpectedEOF},
		"cut chunks":         {fakes3.Fault{At: fakes3.Sending, Bytes: 33_333, Drop: true}, fakes3.Chunked, 33_333, io.ErrUnexpectedEOF},
		"cut, and none sees": {fakes3.Fault{At: fakes3.Sending, Bytes: 33_333, Drop: true}, fakes3.Closing, 33_333, nil}, // aws/aws-sdk-go#1242
		"slow":               {fakes3.Fault{Slow: time.Second}, fakes3.Chunked, 100_000, nil},
		"stalled":            {fakes3.Fault{At: fakes3.Sending, Bytes: 5, Wait: make(chan struct{})}, fakes3.Length, 5, context.DeadlineExceeded},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				if test.fault.Wait != nil {
					test.fault.Wait = make(chan struct{}) // of this bubble
				}
				b.Put("k", []byte(data), nil)
				s.Framing, s.Faults = test.framing, once("GetObject", test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				out, err := connect(s).GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: ptr("k")})
				check(t, err)
				got, err := io.ReadAll(out.Body)
				if len(got) != test.read || string(got) != data[:len(got)] || !errors.Is(err, test.err) {
					t.Errorf("%d bytes, %v; want %d, %v", len(got), err, test.read, test.err)
				}
				_ = out.Body.Close()
			})
		})
	}
}

// Damage changes one bit of an answer.
func TestDamage(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		b.Put("k", []byte("0000"), nil)
		s.Faults = once("GetObject", fakes3.Fault{Damage: true})
		c := connect(s)
		if got, _ := get(t, c, "k", ""); got != "0010" {
			t.Errorf("read %q", got)
		}
		if got, _ := get(t, c, "k", ""); got != "0000" {
			t.Errorf("then %q", got)
		}
	})
}
