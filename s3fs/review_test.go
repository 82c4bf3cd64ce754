package s3fs

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// What a review found that nobody had thought of. Each was wrong once.

// S3 says InternalError and carries Complete out all the same, soon after. On this store a second one deletes the object.
func TestCompleteAppliedAfterError(t *testing.T) {
	for _, late := range []time.Duration{time.Millisecond, 20 * time.Millisecond, time.Second} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.Fragile = true
			w.play(script{"CompleteMultipartUpload": {{Late: late, Status: 500, Code: "InternalError"}}})
			data := random(1, 3*testPart)
			w.put(t, "x", data)
			w.stored(t, "x", data)
			w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
		})
	}
}

// Nothing is sent again on the word of a store that does not say what it has.
func TestCompleteFailedAndNoWord(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.plan(nil, script{
			"CompleteMultipartUpload": {{Status: 503, Code: "SlowDown"}},
			"HeadObject":              {{At: fakes3.Arrived, Pause: never}},
		})
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 3*testPart)))
		leavesOpen(t, err)
		fails(t, err, nil, "not known")
		w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
	})
}

// The object is there, and the HEAD that shows it fails once.
func TestFoundAfterFailedHead(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{
			"CompleteMultipartUpload": {{At: fakes3.Applied, Status: 404, Code: "NoSuchUpload"}},
			"HeadObject":              {{Status: 503}},
		})
		large := random(1, 3*testPart)
		w.put(t, "large", large)
		w.stored(t, "large", large)
		w.play(script{"PutObject": {{At: fakes3.Applied, Drop: true}, {Status: 403, Code: "AccessDenied"}}, "HeadObject": {{Status: 503}}})
		w.put(t, "small", []byte("small"))
	})
}

// What cannot have been completed is removed at once, and said to be.
func TestCompleteRefusedLeavesNothing(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"CompleteMultipartUpload": {{Status: 400, Code: "EntityTooSmall"}}})
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 3*testPart)))
		fails(t, err, storage.ErrNotApplied, "EntityTooSmall")
		w.nothing(t, "x")
	})
}

// A gateway that has lost its route says 404, too.
func TestNotFoundElsewhere(t *testing.T) {
	gone := fakes3.Fault{Status: 404, Body: "404 page not found"}
	bubble(t, nil, func(t *testing.T, w *world) {
		w.put(t, "x", []byte("data"))
		w.always("DeleteObject", gone)
		fails(t, w.v.Delete(t.Context(), "x"), nil, "HTTP 404", "after 12 attempts")
		w.stored(t, "x", []byte("data"))
		w.play(script{"GetObject": {gone}})
		if got, err := w.read(t, "x", 0, -1); err != nil || string(got) != "data" {
			t.Errorf("read %q, %v", got, err)
		}
		w.always("GetObject", gone)
		if _, err := w.read(t, "x", 0, -1); err == nil || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("read: %v, want an error that is not that there is no object", err)
		}
		w.plan(nil, nil)
		if err := w.v.Delete(t.Context(), "x"); err != nil {
			t.Error(err)
		}
	})
}

// A store that ignores If-Match gives bytes of another object.
func TestIfMatchIgnored(t *testing.T) {
	setenv(t, nil)
	store := fakes3.New() // which checks no signatures, so that headers can be lost
	defer store.Close()
	store.Rewrite = func(r *http.Request) { r.Header.Del("If-Match") }
	bucket := store.CreateBucket("bucket")
	v, err := Open(t.Context(), "bucket", &Options{
		Endpoint: testEndpoint, PathStyle: true, AccessKeyID: "AKIATEST", SecretAccessKey: testSecret, HTTPClient: store.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	bucket.Put("x", bytes.Repeat([]byte("a"), 6*rangeSize), nil)
	r, err := v.Open(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bucket.Put("x", bytes.Repeat([]byte("b"), 6*rangeSize), nil)
	var got bytes.Buffer
	_, err = got.ReadFrom(r)
	if bytes.ContainsRune(got.Bytes(), 'b') {
		t.Error("bytes of two objects were mixed")
	}
	fails(t, err, nil, "replaced")
}

// A store says, falsely, that a range is outside the object.
func TestFalseRange(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.put(t, "x", []byte("0123456789"))
		w.play(script{"GetObject": {{Status: 416, Code: "InvalidRange"}}})
		got, err := w.read(t, "x", 3, 5)
		if string(got) != "" || err == nil {
			t.Errorf("read %q, %v, want an error", got, err)
		}
	})
}

// A name that does not resolve for a moment, as while a cluster's DNS changes, ends no upload that has reached the store.
func TestNameLostForAMoment(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		transport := w.v.o.HTTPClient.Transport.(*http.Transport)
		dial := transport.DialContext
		var broken atomic.Bool
		transport.DisableKeepAlives = true
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if broken.Load() {
				return nil, &net.DNSError{Err: "no such host", Name: "s3.test", IsNotFound: true}
			}
			return dial(ctx, network, address)
		}
		transport.DialTLSContext = transport.DialContext
		data := random(1, 6*testPart)
		time.AfterFunc(5*time.Second, func() { broken.Store(false) })
		_, err := w.v.Put(t.Context(), "x", &tripwire{bytes.NewReader(data), 3 * testPart, func() { broken.Store(true) }})
		if err != nil {
			t.Fatal(err)
		}
		w.stored(t, "x", data)
	})
}

// A HEAD has no body, so the end of a token comes as a bare 400.
func TestHeadOfExpiredToken(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.put(t, "x", []byte("data"))
		w.play(script{"HeadObject": times(unexplained, fakes3.Fault{Status: 400})})
		if _, err := w.v.Stat(t.Context(), "x"); err != nil {
			t.Error(err)
		}
		w.always("HeadObject", fakes3.Fault{Status: 400})
		before := w.Count("HeadObject")
		_, err := w.v.Stat(t.Context(), "x")
		fails(t, err, nil, "HTTP 400")
		if n := w.Count("HeadObject") - before; n != unexplained+1 {
			t.Errorf("%d attempts, want %d", n, unexplained+1)
		}
	})
}

// An upload that has failed does not wait for a head that may take hours.
func TestHeadNotAskedFor(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("UploadPart 2", fakes3.Fault{Status: 403, Code: "AccessDenied"})
		_, err := w.v.PutHead(t.Context(), "x", bytes.NewReader(random(1, 2*testPart)), 32, func() ([]byte, error) {
			t.Error("head was called")
			return make([]byte, 32), nil
		})
		fails(t, err, storage.ErrPermission, "part 2: ")
		w.nothing(t, "x")
	})
}

// An error of a hostile store is not read into memory whatever its length.
func TestEndlessError(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.v.o.MaxAttempts = 1
		w.always("DeleteObject", fakes3.Fault{Status: 403, Body: "<Error>" + strings.Repeat("x", mostText+1)})
		fails(t, w.v.Delete(t.Context(), "x"), nil)
	})
}

// The last bytes of a body leave a slow line's buffers long after they were read.
func TestSlowLineDrains(t *testing.T) {
	bubble(t, func(o *Options) { o.StallTimeout = time.Minute }, func(t *testing.T, w *world) {
		w.v.o.MaxAttempts = 1
		begin := time.Now()
		// The body takes ten minutes, and the answer comes nine after its end.
		w.v.o.PartSize = 1 << 20
		w.play(script{"PutObject": {{Slow: 10 * time.Second, At: fakes3.Received, Pause: 9 * time.Minute}}})
		w.put(t, "x", random(1, 1<<20-1))
		if d := time.Since(begin); d < 15*time.Minute {
			t.Fatalf("it took only %s: nothing was shown", d)
		}
	})
}

// Users are told of what is repeated.
func TestOnRetry(t *testing.T) {
	var told []string
	bubble(t, func(o *Options) {
		o.OnRetry = func(operation string, attempt int, err error) { told = append(told, operation+" "+err.Error()) }
	}, func(t *testing.T, w *world) {
		w.play(script{"PutObject": {{Status: 503, Code: "SlowDown"}, {Drop: true}}})
		w.put(t, "x", nil)
	})
	if len(told) != 2 || !strings.Contains(told[0], "SlowDown") || !strings.HasPrefix(told[1], "PutObject ") {
		t.Errorf("told %q", told)
	}
}

// A store that ignores the encryption that it was asked for is found out by Check.
func TestEncryptionIgnored(t *testing.T) {
	for _, ignores := range []bool{false, true} {
		setenv(t, nil)
		store := fakes3.New() // which checks no signatures, so that headers can be lost
		defer store.Close()
		store.CreateBucket("bucket")
		if ignores {
			store.Rewrite = func(r *http.Request) { r.Header.Del("X-Amz-Server-Side-Encryption") }
		}
		v, err := Open(t.Context(), "bucket", &Options{
			Endpoint: testEndpoint, PathStyle: true, AccessKeyID: "AKIATEST", SecretAccessKey: testSecret, HTTPClient: store.Client(), SSE: SSES3,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if item := v.Check(t.Context())[0]; (item.Err != nil) != ignores {
			t.Errorf("ignores %v: %+v", ignores, item)
		}
	}
}

// What Check and the probe write can be removed again.
func TestProbesAreNotLocked(t *testing.T) {
	lock := ObjectLock{Mode: "COMPLIANCE", For: time.Hour}
	bubble(t, func(o *Options) { o.ObjectLock = lock }, func(t *testing.T, w *world) {
		w.ObjectLock = true
		for _, item := range w.v.Check(t.Context()) {
			if item.Err != nil {
				t.Errorf("%s: %v", item.Name, item.Err)
			}
		}
		w.put(t, "x", []byte("data"))
		for _, r := range w.of("PutObject", "CreateMultipartUpload") {
			if locked := r.Header.Get("X-Amz-Object-Lock-Mode") != ""; locked != (r.Key == "x") {
				t.Errorf("%s of %s: locked is %v", r.Op, r.Key, locked)
			}
		}
	})
}

// https to a store that speaks http is a mistake in the endpoint, which no repetition mends.
func TestWrongScheme(t *testing.T) {
	setenv(t, nil)
	store := fakes3.New()
	defer store.Close()
	server := httptest.NewServer(store)
	defer server.Close()
	v, err := Open(t.Context(), "bucket", &Options{
		Endpoint: strings.Replace(server.URL, "http:", "https:", 1), PathStyle: true, AccessKeyID: "AKIATEST", SecretAccessKey: testSecret,
		OnRetry: func(string, int, error) { t.Error("it was tried again") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	_, err = v.Stat(t.Context(), "x")
	fails(t, err, nil, "HTTP response to HTTPS client")
}
