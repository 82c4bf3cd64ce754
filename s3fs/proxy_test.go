package s3fs

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/databasement/backup/internal/faultproxy"
	"github.com/databasement/backup/internal/pipenet"
	"github.com/databasement/backup/storage"
)

// behind is a bubble in which a proxy stands before the store, that lets faults happen. They all must.
func behind(t *testing.T, faults []faultproxy.Fault, test func(t *testing.T, w *world, p *faultproxy.Proxy)) {
	t.Helper()
	var p *faultproxy.Proxy
	var failed error
	change := func(o *Options) {
		front := pipenet.Listen()
		p, failed = faultproxy.New("http://fake.test", &faultproxy.Options{Transport: o.HTTPClient.Transport})
		if failed != nil {
			return
		}
		failed = errors.Join(p.Start(front), p.Plan(faults...))
		o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: front.DialContext, DialTLSContext: front.DialContext, MaxIdleConnsPerHost: 16}}
	}
	bubble(t, change, func(t *testing.T, w *world) {
		if failed != nil {
			t.Fatal(failed)
		}
		defer w.v.Close()
		defer p.Close()
		test(t, w, p)
		if p.Faults() == 0 {
			t.Error("no fault happened")
		}
		if t.Failed() {
			t.Logf("%q", p.Injected())
		}
	})
}

// TestHeldPart: the first attempt of a part, delayed on the way, reaches the store when its second one has passed
// (seaweedfs/seaweedfs#5460; PITFALLS 8).
func TestHeldPart(t *testing.T) {
	for _, part := range []int{1, 3, 5} {
		faults := []faultproxy.Fault{{Kind: faultproxy.HoldPastRetry, Operation: faultproxy.UploadPart, Part: part, Delay: time.Second}}
		behind(t, faults, func(t *testing.T, w *world, p *faultproxy.Proxy) {
			data := random(1, 5*testPart)
			w.put(t, "x", data)
			p.Release()
			w.stored(t, "x", data)
			w.noParts(t)
			w.counts(t, map[string]int{"UploadPart": 6, "CompleteMultipartUpload": 1})
		})
	}
}

// TestBehindProxy: what goes wrong on the way is repaired, and what was sent is what is stored.
func TestBehindProxy(t *testing.T) {
	for what, f := range map[string]faultproxy.Fault{
		"part reset":            {Kind: faultproxy.ResetRequest, Operation: faultproxy.UploadPart, Bytes: 5000, Count: 3},
		"part flipped":          {Kind: faultproxy.FlipRequest, Operation: faultproxy.UploadPart, Bytes: 5000, Count: 3},
		"part without ETag":     {Kind: faultproxy.MissingETag, Operation: faultproxy.UploadPart, Count: 3},
		"part refused":          {Kind: faultproxy.TooManyRequests, Operation: faultproxy.UploadPart, Count: 9, RetryAfter: "3"},
		"part applied late":     {Kind: faultproxy.ApplyLate, Operation: faultproxy.UploadPart, Delay: 5 * time.Second, Count: 3},
		"part stalls":           {Kind: faultproxy.StallRequest, Operation: faultproxy.UploadPart, Bytes: 5000, Count: 3},
		"small flipped":         {Kind: faultproxy.FlipRequest, Operation: faultproxy.PutObject, Count: 3},
		"small dropped":         {Kind: faultproxy.DropRequest, Operation: faultproxy.PutObject, Count: 3},
		"Complete lost":         {Kind: faultproxy.DropAnswer, Operation: faultproxy.CompleteMultipartUpload},
		"Complete fails in 200": {Kind: faultproxy.ErrorInOK, Operation: faultproxy.CompleteMultipartUpload, Count: 3},
		"Complete's page":       {Kind: faultproxy.HTMLOK, Operation: faultproxy.CompleteMultipartUpload, Forwarded: true},
		"Complete's silence":    {Kind: faultproxy.EmptyOK, Operation: faultproxy.CompleteMultipartUpload, Forwarded: true},
		"Complete stalls":       {Kind: faultproxy.StallResponse, Operation: faultproxy.CompleteMultipartUpload},
		"read short":            {Kind: faultproxy.ShortBody, Operation: faultproxy.GetObject, Bytes: 1000, Count: 3},
		"read reset":            {Kind: faultproxy.ResetResponse, Operation: faultproxy.GetObject, Bytes: 1000, Count: 3},
		"read stalls":           {Kind: faultproxy.StallResponse, Operation: faultproxy.GetObject, Bytes: 1000},
		"Accept-Encoding":       {Kind: faultproxy.RewriteAcceptEncoding, Count: faultproxy.Always},
	} {
		t.Run(what, func(t *testing.T) {
			behind(t, []faultproxy.Fault{f}, func(t *testing.T, w *world, p *faultproxy.Proxy) {
				data := random(1, 5*testPart+3)
				w.put(t, "x", data)
				w.put(t, "small", data[:100])
				w.stored(t, "x", data)
				w.stored(t, "small", data[:100])
				if got, err := w.read(t, "x", 7, -1); err != nil || !bytes.Equal(got, data[7:]) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
				time.Sleep(time.Hour)
				w.stored(t, "x", data)
				w.counts(t, map[string]int{"AbortMultipartUpload": 0})
			})
		})
	}
}

// TestLyingProxy: the lies of listings, on each page (PITFALLS 24). One that a kind has nothing to change on is skipped by the
// proxy, and the listing is whole.
func TestLyingProxy(t *testing.T) {
	for _, kind := range []faultproxy.Kind{faultproxy.SameToken, faultproxy.NoToken, faultproxy.Reordered, faultproxy.ForeignName} {
		for _, nth := range []int{1, 2} {
			t.Run(fmt.Sprint(kind, nth), func(t *testing.T) {
				faults := []faultproxy.Fault{{Kind: kind, Operation: faultproxy.ListObjectsV2, Nth: nth, Count: faultproxy.Always}}
				behind(t, faults, func(t *testing.T, w *world, p *faultproxy.Proxy) {
					w.PageSize = 3
					for i := range 10 {
						w.bucket.Put(fmt.Sprint("key", i), nil, nil)
					}
					all, err := storage.ListAll(t.Context(), w.v, "key")
					fails(t, err, nil)
					if all != nil || w.Count("ListObjectsV2") > 10 {
						t.Errorf("%d objects are listed in %d requests", len(all), w.Count("ListObjectsV2"))
					}
				})
			})
		}
	}
}

// TestLyingUploadsProxy: a sweep ends, whatever page goes on where.
func TestLyingUploadsProxy(t *testing.T) {
	for _, kind := range []faultproxy.Kind{faultproxy.SameToken, faultproxy.NoToken} {
		for _, nth := range []int{1, 2} {
			t.Run(fmt.Sprint(kind, nth), func(t *testing.T) {
				faults := []faultproxy.Fault{{Kind: kind, Operation: faultproxy.ListMultipartUploads, Nth: nth, Count: faultproxy.Always}}
				behind(t, faults, func(t *testing.T, w *world, p *faultproxy.Proxy) {
					for range 9 {
						w.begin(t, snapshotName)
					}
					w.PageSize = 2
					_, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour))
					fails(t, err, nil)
					if n := w.Count("ListMultipartUploads"); n > 10 || len(w.bucket.Uploads()) != 9 {
						t.Errorf("%d requests, %d uploads are left", n, len(w.bucket.Uploads()))
					}
				})
			})
		}
	}
}
