package s3fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// stalls are the ways in which a connection stays and nothing moves (restic/restic#4193; PITFALLS 17).
var stalls = map[string]fakes3.Fault{
	"body not read":     {Pause: never},
	"body read halfway": {At: fakes3.Receiving, Bytes: testPart / 2, Pause: never},
	"not answered":      {At: fakes3.Received, Pause: never},
	"answered halfway":  {At: fakes3.Sending, Bytes: 10, Pause: never},
}

// TestStallUpload: the watchdog ends the request after StallTimeout, and it is made again.
func TestStallUpload(t *testing.T) {
	for what, fault := range stalls {
		for _, op := range []string{"PutObject", "UploadPart 2", "CreateMultipartUpload"} {
			if op != "CreateMultipartUpload" && fault.At == fakes3.Sending || op == "CreateMultipartUpload" && fault.At == fakes3.Receiving {
				continue // there is no such body
			}
			t.Run(what+" "+op, func(t *testing.T) {
				bubble(t, func(o *Options) { o.StallTimeout = 90 * time.Second }, func(t *testing.T, w *world) {
					w.play(script{op: {fault}})
					data := random(1, 3*testPart)
					if op == "PutObject" {
						data = data[:testPart]
					}
					start := time.Now()
					w.put(t, "x", data)
					took(t, start, 90*time.Second, 91*time.Second)
					w.stored(t, "x", data)
				})
			})
		}
	}
}

// TestStallDownload: the read goes on where it stalled.
func TestStallDownload(t *testing.T) {
	data := random(1, 9<<20)
	for what, fault := range map[string]fakes3.Fault{
		"not answered":     {At: fakes3.Received, Pause: never},
		"answered halfway": {At: fakes3.Sending, Bytes: testPart / 2, Pause: never},
	} {
		for _, n := range []int64{testPart, -1} {
			t.Run(fmt.Sprint(what, " ", n), func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					w.bucket.Put("x", data, nil)
					w.play(script{"GetObject": times(2, fault)})
					start := time.Now()
					got, err := w.read(t, "x", 0, n)
					if want := data[:min(uint64(n), uint64(len(data)))]; err != nil || !bytes.Equal(got, want) {
						t.Errorf("read %d bytes, %v", len(got), err)
					}
					took(t, start, time.Minute, 2*time.Minute+time.Second)
				})
			})
		}
	}
}

// TestStallEver: it ends, with an error that says what happened.
func TestStallEver(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.put(t, "first", nil)
		w.plan(nil, script{
			"PutObject": {{Pause: never}}, "UploadPart": {{Pause: never}}, "GetObject": {{Pause: never}}, "HeadObject": {{Pause: never}},
			"ListObjectsV2": {{Pause: never}}, "DeleteObject": {{Pause: never}},
		})
		_, small := w.v.Put(t.Context(), "x", bytes.NewReader(nil))
		_, large := w.v.Put(t.Context(), "x", bytes.NewReader(large))
		_, get := w.read(t, "first", 0, 1)
		_, list := storage.ListAll(t.Context(), w.v, "")
		for op, err := range map[string]error{
			"PutObject": small, "UploadPart": large, "GetObject": get, "ListObjectsV2": list, "DeleteObject": w.v.Delete(t.Context(), "x"),
		} {
			fails(t, err, errStalled, op+": no byte moved for 1m0s (after 12 attempts)")
		}
	})
}

// TestSlowIsNotStalled: what moves, however slowly, goes on in one request: there is no limit on the whole.
func TestSlowIsNotStalled(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.v.o.PartSize = 6 << 20
		data, slow := random(1, 6<<20), fakes3.Fault{Slow: 10 * time.Second} // 16 KiB in that time
		w.play(script{"PutObject": {slow}, "GetObject": {slow}, "UploadPart 1": {slow}})
		start := time.Now()
		w.put(t, "x", data)
		took(t, start, time.Hour, 2*time.Hour)
		start = time.Now()
		if got, err := w.read(t, "x", 0, int64(len(data))); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		took(t, start, time.Hour, 2*time.Hour)
		w.put(t, "two parts", random(2, 7<<20))
		w.counts(t, map[string]int{"PutObject": 1, "GetObject": 1, "UploadPart": 2})
	})
}

// TestSlowReader: who reads a byte in an hour stalls nothing: the time between two Reads does not count (PITFALLS 17, 47).
func TestSlowReader(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		data := random(1, 1<<20)
		w.bucket.Put("x", data, nil)
		r, err := w.v.Open(t.Context(), "x", 0, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got := make([]byte, len(data))
		for from := 0; from < len(got); from += 1 << 17 {
			time.Sleep(3 * time.Hour)
			if _, err := io.ReadFull(r, got[from:from+1<<17]); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF || !bytes.Equal(got, data) {
			t.Errorf("%d, %v, or other bytes", n, err)
		}
		w.counts(t, map[string]int{"GetObject": 1})
	})
}

// TestSlowSource: a dump that pauses for hours has no request waiting for it.
func TestSlowSource(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		data := random(1, 4*testPart)
		pause := func() { time.Sleep(10 * time.Hour) }
		r := &tripwire{&tripwire{bytes.NewReader(data), 3*testPart + 9, pause}, 10, pause}
		if _, err := w.v.Put(t.Context(), "x", r); err != nil {
			t.Error(err)
		}
		w.stored(t, "x", data)
		w.counts(t, map[string]int{"UploadPart": 4})
	})
}

// hasty is a transport that gives an answer and goes on reading the request's body.
type hasty struct{ body io.Reader }

func (h *hasty) Do(req *http.Request) (*http.Response, error) {
	h.body = req.Body
	return &http.Response{StatusCode: 503, Body: http.NoBody}, nil
}

// TestWatchdogEnds: no timer is left that could end what comes later.
func TestWatchdogEnds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		h := new(hasty)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://s3.test/x", bytes.NewReader(make([]byte, 100)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := watch(h, time.Minute).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := resp.Body.(*receiving)
		if _, err := io.CopyN(io.Discard, h.body, 50); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if err := context.Cause(body.d.ctx); err != nil {
			t.Errorf("an answered request ended with %v, as its body was still read", err)
		}
		resp.Body.Close()
		if err := context.Cause(body.d.ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after Close: %v", err)
		}
	})
}
