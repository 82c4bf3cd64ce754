package s3fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// large is what the tests of Complete upload.
var large = random(9, 3*testPart+5)

// TestCompleteLost: the object is there though the store did not say so, and HEAD finds it. On this store an abort, or a
// second Complete, would destroy it (minio/minio#17858, seaweedfs/seaweedfs#10663; PITFALLS 3, 4).
func TestCompleteLost(t *testing.T) {
	at := fakes3.Applied
	for what, fault := range map[string]fakes3.Fault{
		"dropped":           {At: at, Drop: true},
		"dropped in answer": {At: fakes3.Sending, Bytes: 20, Drop: true},
		"stalled":           {At: at, Pause: never},
		"empty body":        {At: at, Status: 200},
		"web page":          {At: at, Status: 200, Body: "<html><body>Please log in</body></html>"},
		"error in 200":      {At: at, Status: 200, Code: "InternalError"},
		"no ETag":           {At: at, Status: 200, Body: "<CompleteMultipartUploadResult><Key>x</Key></CompleteMultipartUploadResult>"},
		"500":               {At: at, Status: 500, Code: "InternalError"},
		"503":               {At: at, Status: 503, Code: "SlowDown"},
		"gateway's 502":     {At: at, Status: 502, Body: "<html>bad gateway</html>"},
		"400":               {At: at, Status: 400, Code: "RequestTimeout"},
		"408":               {At: at, Status: 408, Code: "RequestTimeout"},
		"409":               {At: at, Status: 409, Code: "OperationAborted"},
		"NoSuchUpload":      {At: at, Status: 404, Code: "NoSuchUpload"},
		"a minute late":     {Late: time.Minute},
		"gateway's 503":     {Late: 200 * time.Millisecond, Status: 503, Body: "<html>busy</html>"},
		"503 without body":  {Late: 200 * time.Millisecond, Status: 503},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.Fragile = true
				w.bucket.Put("x", []byte("old"), nil)
				w.play(script{"CompleteMultipartUpload": {fault}})
				w.put(t, "x", large)
				time.Sleep(time.Hour)
				w.stored(t, "x", large)
				w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
			})
		})
	}
}

// TestCompleteNeverApplied: the answer is lost, and the object does not appear. It may yet, so nothing is aborted, and the error
// says so; a sweep removes what stayed. An older object is not taken for ours, though it has the same size.
func TestCompleteNeverApplied(t *testing.T) {
	at := fakes3.Received
	for what, fault := range map[string]fakes3.Fault{
		"dropped":      {At: at, Drop: true},
		"stalled":      {At: at, Pause: never},
		"empty body":   {At: at, Status: 200},
		"web page":     {At: at, Status: 200, Body: "<html><body>Please log in</body></html>"},
		"504":          {At: at, Status: 504, Body: "<html>gateway timeout</html>"},
		"NoSuchUpload": {At: at, Status: 404, Code: "NoSuchUpload"},
	} {
		for _, older := range []bool{false, true} {
			t.Run(fmt.Sprint(what, " ", older), func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					old := random(8, len(large))
					if older {
						w.bucket.Put(snapshotName, old, map[string]string{tokenKey: newToken()})
					}
					w.play(script{"CompleteMultipartUpload": {fault}})
					_, err := w.v.Put(t.Context(), snapshotName, bytes.NewReader(large))
					leavesOpen(t, err)
					fails(t, err, nil, "CompleteMultipartUpload", "not known whether")
					w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
					if older {
						w.stored(t, snapshotName, old)
					}
					if n, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
						t.Errorf("Sweep removed %d, %v", n, err)
					}
					w.noParts(t)
				})
			})
		}
	}
}

// TestCompleteRepeated: where S3 itself says that it failed, and the object is not there, Complete is sent again.
func TestCompleteRepeated(t *testing.T) {
	at := fakes3.Received
	for what, fault := range map[string]fakes3.Fault{
		"SlowDown":         {At: at, Status: 503, Code: "SlowDown"},
		"InternalError":    {At: at, Status: 500, Code: "InternalError"},
		"error in 200":     {At: at, Status: 200, Code: "InternalError"},
		"TooManyRequests":  {At: at, Status: 429, Code: "TooManyRequests"},
		"gateway's 429":    {At: at, Status: 429, Body: "<html>slowly</html>"},
		"OperationAborted": {At: at, Status: 409, Code: "OperationAborted"},
		"clock":            {At: at, Status: 403, Code: "RequestTimeTooSkewed"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.Fragile = true
				w.play(script{"CompleteMultipartUpload": times(5, fault)})
				w.put(t, "x", large)
				w.stored(t, "x", large)
				w.counts(t, map[string]int{"CompleteMultipartUpload": 6, "AbortMultipartUpload": 0})
			})
		})
	}
}

// TestCompleteEverBusy: it ends, and leaves open what the store may do.
func TestCompleteEverBusy(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("CompleteMultipartUpload", fakes3.Fault{At: fakes3.Received, Status: 503, Code: "SlowDown"})
		start := time.Now()
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(large))
		leavesOpen(t, err)
		fails(t, err, nil, "SlowDown", "after 12 attempts")
		took(t, start, 30*time.Second, 3*time.Minute)
		w.counts(t, map[string]int{"AbortMultipartUpload": 0})
	})
}

// TestCompleteRefused: nothing was stored, and nothing will be.
func TestCompleteRefused(t *testing.T) {
	for code, is := range map[string]error{"AccessDenied": storage.ErrPermission, "InvalidPart": nil, "EntityTooSmall": nil, "MalformedXML": nil} {
		t.Run(code, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				status := 400
				if is != nil {
					status = 403
				}
				w.always("CompleteMultipartUpload", fakes3.Fault{Status: status, Code: code})
				_, err := w.v.Put(t.Context(), "x", bytes.NewReader(large))
				fails(t, err, storage.ErrNotApplied, code)
				fails(t, err, is)
				w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "HeadObject": 0})
			})
		})
	}
}

// TestCompleteCancelled: Put returns at once, and what was sent stays sent.
func TestCompleteCancelled(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"not applied": {At: fakes3.Received, Pause: never},
		"applied":     {At: fakes3.Applied, Pause: never},
		"unclear":     {At: fakes3.Received, Drop: true},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				stop := errors.New("stop")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(5*time.Second, func() { cancel(stop) })
				w.always("CompleteMultipartUpload", fault)
				start := time.Now()
				_, err := w.v.Put(ctx, "x", bytes.NewReader(large))
				took(t, start, 5*time.Second, 6*time.Second)
				leavesOpen(t, err)
				fails(t, err, stop)
				w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
			})
		})
	}
}

// lying has HEAD tell of the object of the last upload, with changes.
func (w *world) lying(change http.Header) {
	w.Faults = func(r fakes3.Request) fakes3.Fault {
		if r.Op != "HeadObject" {
			return fakes3.Fault{}
		}
		h := http.Header{
			"Content-Length": {strconv.Itoa(len(large))}, "Etag": {`"0123-4"`}, "Last-Modified": {time.Now().UTC().Format(http.TimeFormat)},
			"X-Amz-Meta-Databasement-Put": w.of("CreateMultipartUpload")[0].Header["X-Amz-Meta-Databasement-Put"],
		}
		for name, values := range change {
			h[name] = values
		}
		return fakes3.Fault{Status: 200, Header: h}
	}
}

// TestCompleteLooked: the store says that it has the object, and then what it has is looked at (pgbackrest/pgbackrest#1438;
// PITFALLS 3).
func TestCompleteLooked(t *testing.T) {
	for what, test := range map[string]struct {
		change http.Header
		text   string
	}{
		"as it is":  {},
		"short":     {http.Header{"Content-Length": {"196612"}}, "196613 bytes were sent, and the store has 196612"},
		"empty":     {http.Header{"Content-Length": {"0"}}, "the store has 0"},
		"another's": {http.Header{"X-Amz-Meta-Databasement-Put": {"x"}}, "another object of that name"},
		"nobody's":  {http.Header{"X-Amz-Meta-Databasement-Put": nil}, "another object of that name"},
		"no time":   {http.Header{"Last-Modified": nil}, "lacks the size or the time"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.lying(test.change)
				_, err := w.v.Put(t.Context(), "x", bytes.NewReader(large))
				if test.text == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				fails(t, err, nil, test.text)
				leavesOpen(t, err)
				w.counts(t, map[string]int{"CompleteMultipartUpload": 1, "AbortMultipartUpload": 0})
			})
		})
	}
}

// TestCompleteUnseen: HEAD does not find what the store says it has completed; or the writer may not look.
func TestCompleteUnseen(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("HeadObject", fakes3.Fault{Status: 404, Code: "NoSuchKey"})
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(large))
		leavesOpen(t, err)
		fails(t, err, nil, "says that the upload is complete")
	})
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Deny = map[string]bool{"HeadObject": true}
		w.put(t, "x", large)
	})
}

// TestCompleteChecksum: with Options.Checksum the store's checksum of the whole is compared.
func TestCompleteChecksum(t *testing.T) {
	sha := func(o *Options) { o.Checksum = ChecksumSHA256 }
	bubble(t, sha, func(t *testing.T, w *world) {
		w.put(t, "x", large)
		w.play(script{"CompleteMultipartUpload": {{At: fakes3.Applied, Drop: true}}})
		w.put(t, "y", large)
		w.put(t, "small", large[:100])
	})
	bubble(t, sha, func(t *testing.T, w *world) {
		w.lying(http.Header{"X-Amz-Checksum-Sha256": {"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-4"}})
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(large))
		leavesOpen(t, err)
		fails(t, err, nil, "the store's checksum is")
	})
}
