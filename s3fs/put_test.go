package s3fs

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// TestNoTrailers: what is sent is covered by Content-MD5 and by the signature, also over https, and no body has a trailer
// (PITFALLS 10, 12, 13).
func TestNoTrailers(t *testing.T) {
	for _, endpoint := range []string{"https://s3.test", "http://s3.test"} {
		for _, checksum := range []Checksum{ChecksumNone, ChecksumSHA256} {
			t.Run(endpoint+" "+string(checksum), func(t *testing.T) {
				bubble(t, func(o *Options) { o.Endpoint, o.Checksum = endpoint, checksum }, func(t *testing.T, w *world) {
					w.RefuseTrailers, w.ObjectLock = true, true
					w.put(t, "empty", nil)
					w.put(t, "small", random(1, 1000))
					w.put(t, "large", random(2, 3*testPart+1))
					w.stored(t, "large", random(2, 3*testPart+1))
					if n := w.Count("PutObject", "UploadPart"); n != 6 {
						t.Errorf("%d requests with data, want 6", n)
					}
					for _, r := range w.of("PutObject", "UploadPart") {
						plainBody(t, r)
					}
				})
			})
		}
	}
}

// plainBody holds a request to having its body described beside it. That the digests are right the fake sees.
func plainBody(t *testing.T, r fakes3.Request) {
	t.Helper()
	h := r.Header
	if h.Get("Content-Md5") == "" || len(h.Get("X-Amz-Content-Sha256")) != 64 {
		t.Errorf("%s without digests: Content-MD5 %q, x-amz-content-sha256 %q", r.Op, h.Get("Content-Md5"), h.Get("X-Amz-Content-Sha256"))
	}
	if r.Size < 0 {
		t.Errorf("%s without Content-Length", r.Op)
	}
	for _, name := range []string{"X-Amz-Trailer", "Content-Encoding", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Decoded-Content-Length", "X-Amz-Checksum-Crc32"} {
		if v := h.Get(name); v != "" {
			t.Errorf("%s has %s: %s", r.Op, name, v)
		}
	}
	if !strings.Contains(h.Get("Authorization"), "content-md5;") || !strings.Contains(h.Get("Authorization"), "x-amz-content-sha256;") {
		t.Errorf("%s does not sign its digests: %s", r.Op, h.Get("Authorization"))
	}
}

// TestDamaged: a bit that flips on the way is refused by the store and sent again (PITFALLS 12).
func TestDamaged(t *testing.T) {
	for _, endpoint := range []string{"https://s3.test", "http://s3.test"} {
		t.Run(endpoint, func(t *testing.T) {
			bubble(t, func(o *Options) { o.Endpoint = endpoint }, func(t *testing.T, w *world) {
				w.play(script{"PutObject": times(2, fakes3.Fault{Damage: true}), "UploadPart 2": times(2, fakes3.Fault{Damage: true})})
				w.put(t, "small", random(1, 1000))
				w.put(t, "large", random(2, 3*testPart))
				w.stored(t, "small", random(1, 1000))
				w.stored(t, "large", random(2, 3*testPart))
				w.counts(t, map[string]int{"PutObject": 3, "UploadPart": 5})
			})
		})
	}
}

// TestAcceptEncodingRewritten: proxies change the header, so it is not signed (aws/aws-sdk-go-v2#1816; PITFALLS 11).
func TestAcceptEncodingRewritten(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		seen := map[string]bool{}
		w.Rewrite = func(r *http.Request) {
			w.mu.Lock()
			defer w.mu.Unlock()
			seen[r.Header.Get("Accept-Encoding")] = true
			r.Header.Set("Accept-Encoding", "gzip,gzip(gfe)")
		}
		everyOperation(t, w)
		if len(seen) != 1 || !seen["identity"] {
			t.Errorf("requests had Accept-Encoding %v, want identity", seen)
		}
	})
}

// everyOperation makes at least one request of each operation, and all must succeed.
func everyOperation(t *testing.T, w *world) {
	t.Helper()
	w.put(t, "small", random(1, 1000))
	w.put(t, "large", random(2, 3*testPart))
	_, err := w.read(t, "large", 5, 1000)
	errs := []error{err}
	_, err = w.v.Stat(t.Context(), "small")
	errs = append(errs, err)
	_, err = storage.ListAll(t.Context(), w.v, "")
	errs = append(errs, err)
	_, err = w.v.PutIfAbsent(t.Context(), "lock", []byte("x"))
	errs = append(errs, err)
	_, _ = w.v.Put(t.Context(), snapshotName, broken(2*testPart)) // Abort
	_, err = w.v.SweepUnfinished(t.Context(), time.Now())
	errs = append(errs, err, w.v.Delete(t.Context(), "small"))
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	for _, op := range []string{
		"PutObject", "GetObject", "HeadObject", "DeleteObject", "ListObjectsV2", "CreateMultipartUpload", "UploadPart",
		"CompleteMultipartUpload", "AbortMultipartUpload", "ListMultipartUploads",
	} {
		if w.Count(op) == 0 {
			t.Errorf("there was no %s", op)
		}
	}
}

// TestNoETag: an answer of 200 without an ETag is none (rclone/rclone#9823; PITFALLS 9).
func TestNoETag(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"PutObject": times(3, fakes3.Fault{NoETag: true}), "UploadPart 2": times(3, fakes3.Fault{NoETag: true})})
		w.put(t, "small", random(1, 1000))
		w.put(t, "large", random(2, 3*testPart))
		w.stored(t, "large", random(2, 3*testPart))
		w.counts(t, map[string]int{"PutObject": 4, "UploadPart": 6, "CompleteMultipartUpload": 1})
	})
}

// TestNoETagEver: where the object turns out to be there the Put has succeeded all the same; parts cannot be looked at.
func TestNoETagEver(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("PutObject", fakes3.Fault{NoETag: true})
		w.put(t, "small", random(1, 1000))
		w.always("UploadPart", fakes3.Fault{NoETag: true})
		_, err := w.v.Put(t.Context(), "large", bytes.NewReader(random(2, 3*testPart)))
		fails(t, err, storage.ErrNotApplied, "lacks the ETag", "after 12 attempts")
		w.nothing(t, "large")
	})
}

// TestAppliedLate: a PUT that fails may appear later, so its error leaves that open (thanos-io/thanos#3626; PITFALLS 5).
func TestAppliedLate(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"dropped": {Late: time.Hour},
		"500":     {Late: time.Hour, Status: 500, Code: "InternalError"},
		"timeout": {Late: time.Hour, Status: 504, Body: "<html>gateway timeout</html>"},
		"408":     {Late: time.Hour, Status: 408, Body: "<html>request timeout</html>"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.put(t, "other", nil) // the store can be reached
				w.always("PutObject", fault)
				_, err := w.v.Put(t.Context(), "small", strings.NewReader("data"))
				leavesOpen(t, err)
				fails(t, err, nil, "after 12 attempts")
				time.Sleep(2 * time.Hour)
				w.stored(t, "small", []byte("data"))
			})
		})
	}
}

// TestLateAttempt: the attempt that comes late has the same bytes as that which passed.
func TestLateAttempt(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"PutObject": {{Late: time.Minute}}})
		w.put(t, "small", []byte("data"))
		time.Sleep(time.Hour)
		w.stored(t, "small", []byte("data"))
	})
}

// TestAnswerLost: what was stored although no attempt was answered is found.
func TestAnswerLost(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("PutObject", fakes3.Fault{At: fakes3.Applied, Drop: true})
		w.put(t, "small", []byte("data"))
		w.stored(t, "small", []byte("data"))
	})
}

// TestNotMistaken: an older object of the same name and size is not taken for the one that was not stored.
func TestNotMistaken(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.put(t, "small", []byte("old1"))
		w.always("PutObject", fakes3.Fault{At: fakes3.Received, Drop: true})
		_, err := w.v.Put(t.Context(), "small", strings.NewReader("new1"))
		leavesOpen(t, err)
		w.stored(t, "small", []byte("old1"))
	})
}

// TestRefused: where every attempt was refused it is certain that nothing was stored.
func TestRefused(t *testing.T) {
	for what, test := range map[string]struct {
		fault   fakes3.Fault
		is      error
		certain bool
		tries   int
	}{
		"denied":                {fakes3.Fault{Status: 403, Code: "AccessDenied"}, storage.ErrPermission, true, 1},
		"a bad request":         {fakes3.Fault{Status: 400, Code: "InvalidStorageClass"}, nil, true, 1},
		"too large":             {fakes3.Fault{Status: 400, Code: "EntityTooLarge"}, storage.ErrTooLarge, true, 1},
		"not implemented":       {fakes3.Fault{Status: 501, Code: "NotImplemented"}, errors.ErrUnsupported, true, 1},
		"moved":                 {fakes3.Fault{Status: 301, Code: "PermanentRedirect"}, nil, true, 1},
		"bad digest, each time": {fakes3.Fault{Status: 400, Code: "BadDigest"}, nil, true, 12},
		"busy":                  {fakes3.Fault{Status: 503, Code: "SlowDown"}, nil, false, 12},
		"timed out, says S3":    {fakes3.Fault{Status: 400, Code: "RequestTimeout"}, nil, false, 12},
		"a conflict":            {fakes3.Fault{Status: 409, Code: "OperationAborted"}, nil, false, 12},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.always("PutObject", test.fault)
				_, err := w.v.Put(t.Context(), "small", strings.NewReader("data"))
				fails(t, err, test.is)
				if certain := errors.Is(err, storage.ErrNotApplied); certain != test.certain {
					t.Errorf("certain: %v, want %v: %v", certain, test.certain, err)
				}
				w.counts(t, map[string]int{"PutObject": test.tries})
			})
		})
	}
}

// TestUncertainThenRefused: a refusal says nothing of the attempt before it.
func TestUncertainThenRefused(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"PutObject": {{Late: time.Hour}, {Status: 403, Code: "AccessDenied"}}})
		_, err := w.v.Put(t.Context(), "small", strings.NewReader("data"))
		leavesOpen(t, err)
		fails(t, err, storage.ErrPermission)
	})
}

// TestAttributes: each object is stored as the options say, and the bucket with a lock takes all (PITFALLS 13).
func TestAttributes(t *testing.T) {
	change := func(o *Options) {
		o.StorageClass, o.SSE, o.SSEKMSKeyID = "STANDARD_IA", SSEKMS, "key-1"
		o.Tags = map[string]string{"of": "a backup & more"}
		o.ObjectLock = ObjectLock{Mode: "GOVERNANCE", For: 30 * 24 * time.Hour}
	}
	bubble(t, change, func(t *testing.T, w *world) {
		w.ObjectLock = true
		w.put(t, "small", random(1, 1000))
		w.put(t, "large", random(2, 2*testPart))
		for _, o := range w.bucket.Objects() {
			for name, want := range map[string]string{
				"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Server-Side-Encryption": "aws:kms",
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-1", "X-Amz-Tagging": "of=a+backup+%26+more",
				"X-Amz-Object-Lock-Mode": "GOVERNANCE", "Content-Type": "application/octet-stream",
			} {
				if got := o.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", o.Key, name, got, want)
				}
			}
			until, err := time.Parse(time.RFC3339, o.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
			if want := time.Now().Add(30 * 24 * time.Hour); err != nil || until.After(want) || until.Before(want.Add(-time.Minute)) {
				t.Errorf("%s: locked until %v (%v), want %v", o.Key, until, err, want)
			}
		}
		if len(w.bucket.Objects()) != 2 {
			t.Error("not stored")
		}
	})
}

// TestSourceErrors: any error but io.EOF itself stores nothing and leaves the older object as it is (minio-go; PITFALLS 36).
func TestSourceErrors(t *testing.T) {
	own := errors.New("the dump has failed")
	for _, broken := range []error{own, io.ErrUnexpectedEOF, io.ErrClosedPipe, errors.Join(io.EOF), storage.ErrNotExist} {
		for _, at := range []int{0, 1, testPart - 1, testPart, testPart + 1, 3 * testPart, 3*testPart + 7} {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.bucket.Put("x", []byte("old"), nil)
				data := random(1, at)
				for _, r := range []io.Reader{
					io.MultiReader(bytes.NewReader(data), failing(broken)),
					iotest.DataErrReader(io.MultiReader(bytes.NewReader(data), failing(broken))),
				} {
					_, err := w.v.Put(t.Context(), "x", r)
					fails(t, err, broken, "reading the source")
					fails(t, err, storage.ErrNotApplied)
				}
				w.stored(t, "x", []byte("old"))
				w.noParts(t)
				w.counts(t, map[string]int{"PutObject": 0, "CompleteMultipartUpload": 0})
			})
		}
	}
}
