package fakes3_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/databasement/backup/internal/fakes3"
)

func roundTrip(t *testing.T, b *fakes3.Bucket, c *s3.Client) {
	t.Helper()
	key := "a b/+%2F/ü~*'()!"
	put(t, c, key, "hello")
	if data, _ := b.Bytes(key); string(data) != "hello" {
		t.Fatalf("stored %q", data)
	}
	if got, out := get(t, c, key, ""); got != "hello" || *out.ETag != `"5d41402abc4b2a76b9719d911017c592"` {
		t.Fatalf("read %q, ETag %s", got, *out.ETag)
	}
	_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: &key})
	check(t, err)
	if len(b.Objects()) != 0 {
		t.Fatal("not deleted")
	}
}

func TestRoundTrip(t *testing.T) {
	for what, option := range map[string]func(*s3.Options){
		"path": func(*s3.Options) {},
		"host": func(o *s3.Options) { o.UsePathStyle = false },
		"http": func(o *s3.Options) { o.BaseEndpoint = ptr("http://fake.test:9000") },
		// What the SDK does unless told otherwise: over https, aws-chunked with a trailer.
		"trailer": func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported },
		"verified": func(o *s3.Options) {
			o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
			o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.SetKey("id", fakes3.Key{Secret: "secret"})
				roundTrip(t, b, connect(s, option))
			})
		})
	}
}

// The server is an http.Handler, so it works over TCP too.
func TestTCP(t *testing.T) {
	s := fakes3.New()
	defer s.Close()
	s.SetKey("id", fakes3.Key{Secret: "secret"})
	server := httptest.NewTLSServer(s)
	defer server.Close()
	roundTrip(t, s.CreateBucket("bucket"), connect(s, func(o *s3.Options) {
		o.BaseEndpoint, o.HTTPClient = ptr(server.URL), server.Client()
	}))
}

// Close ends what waits: a stalled request, one to be applied late, and idle connections. The bubble fails if a
// goroutine is left.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		c := connect(s)
		put(t, c, "before", "x")
		s.Faults = func(r fakes3.Request) fakes3.Fault {
			switch r.Key {
			case "stalled":
				return fakes3.Fault{Wait: make(chan struct{})}
			case "late":
				return fakes3.Fault{Late: time.Hour}
			}
			return fakes3.Fault{}
		}
		ended := make(chan error)
		for _, key := range []string{"stalled", "late"} {
			go func() {
				_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: &key})
				ended <- err
			}()
		}
		time.Sleep(time.Minute)
		start := time.Now()
		s.Close()
		s.Close()
		if took := time.Since(start); took > time.Second {
			t.Errorf("Close took %s", took)
		}
		for range 2 {
			if err := <-ended; err == nil {
				t.Error("a request succeeded")
			}
		}
		if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("after")}); err == nil {
			t.Error("a request after Close succeeded")
		}
		time.Sleep(2 * time.Hour)
		if got := len(b.Objects()); got != 1 {
			t.Errorf("%d objects, want 1", got)
		}
	})
}

func TestRequests(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		c := connect(s)
		for range 2 {
			put(t, c, "k", "x")
		}
		get(t, c, "k", "bytes=0-0")
		_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: ptr("absent")})
		if got := code(t, err); got != "NotFound" { // the SDK's word for a HEAD without a body
			t.Error(got)
		}
		_, err = c.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: name, Key: ptr("k")})
		if got := code(t, err); got != "NotImplemented" {
			t.Error(got)
		}
		type entry struct {
			op, key string
			attempt int
			size    int64
			status  int
			code    string
		}
		want := []entry{
			{"PutObject", "k", 1, 1, 200, ""}, {"PutObject", "k", 2, 1, 200, ""}, {"GetObject", "k", 1, 0, 206, ""},
			{"HeadObject", "absent", 1, 0, 404, "NoSuchKey"}, {"GET key?acl", "k", 1, 0, 501, "NotImplemented"},
		}
		for i, r := range s.Requests() {
			if got := (entry{r.Op, r.Key, r.Attempt, r.Size, r.Status, r.Code}); got != want[i] || r.Bucket != "bucket" {
				t.Errorf("request %d: %v, want %v", i, got, want[i])
			}
		}
		if n := s.Count("PutObject", "GetObject"); n != 3 || s.Count() != len(want) {
			t.Errorf("counts %d of %d", n, s.Count())
		}
	})
}
