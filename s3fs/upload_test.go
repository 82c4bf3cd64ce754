package s3fs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// TestParts: all parts but the last have one size, whatever the reader's (PITFALLS 15), and what fits into one is one request.
func TestParts(t *testing.T) {
	for _, size := range []int{0, 1, testPart - 1, testPart, testPart + 1, 2 * testPart, 2*testPart + 1, 7*testPart + 5} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.EqualParts, w.RefuseTrailers = true, true
				data := random(1, size)
				if _, err := w.v.Put(t.Context(), "x", iotest.HalfReader(bytes.NewReader(data))); err != nil {
					t.Fatal(err)
				}
				w.stored(t, "x", data)
				want := 0
				if size > testPart {
					want = (size + testPart - 1) / testPart
				}
				if got := w.bucket.Object("x").Parts; got != want {
					t.Errorf("%d parts, want %d", got, want)
				}
				for _, r := range w.of("UploadPart") {
					if r.Part < want && r.Size != testPart {
						t.Errorf("part %d has %d bytes", r.Part, r.Size)
					}
				}
				w.noParts(t)
			})
		})
	}
}

// TestPartFails: a part's error is the upload's, whatever the others do (pingcap/tidb#71162; PITFALLS 2). The upload is aborted
// when all parts' attempts have ended. The others have the time to end: a store may still apply one that is cut short, after the abort.
func TestPartFails(t *testing.T) {
	for what, test := range map[string]struct {
		fault fakes3.Fault
		is    error
		text  string
	}{
		"denied":        {fakes3.Fault{Pause: time.Second, Status: 403, Code: "AccessDenied"}, storage.ErrPermission, "s3:PutObject"},
		"ever busy":     {fakes3.Fault{Status: 503, Code: "SlowDown"}, nil, "after 12 attempts"},
		"ever dropped":  {fakes3.Fault{At: fakes3.Receiving, Bytes: 100, Drop: true}, nil, "after 12 attempts"},
		"upload gone":   {fakes3.Fault{Pause: time.Second, Status: 404, Code: "NoSuchUpload"}, nil, "MinIO does so after a day"},
		"never answers": {fakes3.Fault{At: fakes3.Applied, Pause: never}, nil, "no byte moved for 1m0s (after 12 attempts)"},
	} {
		for _, part := range []int{1, 2, 6} {
			t.Run(fmt.Sprint(what, " ", part), func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					w.bucket.Put("x", []byte("old"), nil)
					w.always(fmt.Sprint("UploadPart ", part), test.fault)
					_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 6*testPart)))
					fails(t, err, storage.ErrNotApplied, fmt.Sprintf("part %d: UploadPart: ", part), test.text)
					fails(t, err, test.is)
					w.stored(t, "x", []byte("old"))
					w.noParts(t)
					w.counts(t, map[string]int{"CompleteMultipartUpload": 0})
					if n := w.Count("AbortMultipartUpload"); n < 1 || n > 2 {
						t.Errorf("%d Aborts, want one, or two where other parts were cut off", n)
					}
					if last := w.Requests()[w.Count()-1]; last.Op != "AbortMultipartUpload" {
						t.Errorf("%s came after the Abort", last.Op)
					}
				})
			})
		}
	}
}

// TestFirstErrorWins: the others, which it cancels, do not hide it.
func TestFirstErrorWins(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.plan(nil, script{
			"UploadPart":   {{At: fakes3.Applied, Pause: 30 * time.Second}},
			"UploadPart 2": {{Status: 403, Code: "AccessDenied", Pause: time.Second}},
		})
		start := time.Now()
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 6*testPart)))
		fails(t, err, storage.ErrPermission, "part 2: ")
		took(t, start, time.Second, 2*time.Second)
		w.noParts(t)
	})
}

// TestLatePart: an attempt of a part that the store gets to when all is over changes nothing (seaweedfs/seaweedfs#5460;
// PITFALLS 8). After an abort it leaves parts, which Sweep removes.
func TestLatePart(t *testing.T) {
	for _, late := range []time.Duration{time.Millisecond, time.Second, time.Hour} {
		bubble(t, nil, func(t *testing.T, w *world) {
			data := random(1, 5*testPart)
			w.play(script{"UploadPart 2": {{Late: late}}, "UploadPart 5": {{Late: late}}})
			w.put(t, "x", data)
			time.Sleep(2 * time.Hour)
			w.stored(t, "x", data)
			w.noParts(t)
		})
	}
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"UploadPart 2": {{Late: time.Hour}}})
		_, err := w.v.Put(t.Context(), snapshotName, broken(4*testPart))
		fails(t, err, storage.ErrNotApplied)
		w.nothing(t, snapshotName)
		time.Sleep(2 * time.Hour)
		if len(w.bucket.Uploads()) != 1 {
			t.Fatal("the late part has left nothing: this test has nothing to show")
		}
		if n, err := w.v.SweepUnfinished(t.Context(), time.Now()); n != 1 || err != nil {
			t.Errorf("Sweep removed %d, %v", n, err)
		}
		w.nothing(t, snapshotName)
	})
}

// TestCreateFails: nothing is there to be aborted.
func TestCreateFails(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"denied": {Status: 403, Code: "AccessDenied"},
		"html":   {Status: 200, Body: "<html>welcome</html>"},
		"empty":  {Status: 200},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.always("CreateMultipartUpload", fault)
				_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 2*testPart)))
				fails(t, err, storage.ErrNotApplied, "CreateMultipartUpload")
				w.counts(t, map[string]int{"UploadPart": 0, "AbortMultipartUpload": 0})
			})
		})
	}
}

// TestTooManyParts: the stream that is longer than an object may be is refused, not cut (rclone/rclone#6436,
// go-gitea/gitea#38753; PITFALLS 14).
func TestTooManyParts(t *testing.T) {
	bubble(t, func(o *Options) { o.MaxParts = 3 }, func(t *testing.T, w *world) {
		w.MaxParts = 3
		if got := w.v.MaxObjectSize(); got != 3*testPart {
			t.Errorf("MaxObjectSize is %d", got)
		}
		w.put(t, "fits", random(1, 3*testPart))
		_, err := w.v.Put(t.Context(), "x", pausing(bytes.NewReader(random(1, 3*testPart+1)), 3*testPart))
		fails(t, err, storage.ErrTooLarge, "more than 3 parts")
		fails(t, err, storage.ErrNotApplied)
		w.nothing(t, "x")
	})
	bubble(t, func(o *Options) { o.MaxParts = 1 }, func(t *testing.T, w *world) {
		w.put(t, "fits", random(1, testPart))
		_, err := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, testPart+1)))
		fails(t, err, storage.ErrTooLarge)
		w.nothing(t, "x")
	})
}

// TestRollOver: a backup of a longer stream takes several objects (PITFALLS 14).
func TestRollOver(t *testing.T) {
	bubble(t, func(o *Options) { o.MaxParts = 2 }, func(t *testing.T, w *world) {
		w.v.o.PartSize = 4 << 20
		b, err := backup.New(w.v, &backup.Options{Compressor: compress.None, Encryptor: crypto.None})
		if err != nil {
			t.Fatal(err)
		}
		const size = 36 << 20
		snap, err := b.Create(t.Context(), "long", bytes.NewReader(random(1, size)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := snap.Details.Objects; len(got) != 5 {
			t.Errorf("36 MiB in objects of 8 MiB are %q, want 5", got)
		}
		var restored bytes.Buffer
		if err := b.Restore(t.Context(), snap.Ref(), &restored); err != nil || !bytes.Equal(restored.Bytes(), random(1, size)) {
			t.Errorf("restored %d bytes, %v", restored.Len(), err)
		}
	})
}

// inFlight counts the requests for parts that are under way.
type inFlight struct {
	http.RoundTripper
	now, most atomic.Int32
}

func (f *inFlight) RoundTrip(req *http.Request) (*http.Response, error) {
	if !req.URL.Query().Has("partNumber") {
		return f.RoundTripper.RoundTrip(req)
	}
	for n, most := f.now.Add(1), f.most.Load(); n > most && !f.most.CompareAndSwap(most, n); most = f.most.Load() {
	}
	defer f.now.Add(-1)
	return f.RoundTripper.RoundTrip(req)
}

// TestConcurrency: as many parts are on their way as the options say, never more, and 429 is no end (benbjohnson/litestream#951;
// PITFALLS 15).
func TestConcurrency(t *testing.T) {
	for _, concurrency := range []int{1, 2, 3, 8} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			counter := new(inFlight)
			wrap := func(o *Options) {
				o.Concurrency = concurrency
				counter.RoundTripper = o.HTTPClient.Transport
				o.HTTPClient = &http.Client{Transport: counter}
			}
			bubble(t, wrap, func(t *testing.T, w *world) {
				w.EqualParts = true
				seen := map[int]int{}
				w.Faults = func(r fakes3.Request) fakes3.Fault {
					w.mu.Lock()
					defer w.mu.Unlock()
					if seen[r.Part]++; r.Op == "UploadPart" && seen[r.Part] <= 2 {
						return fakes3.Fault{Status: 429, Code: "TooManyRequests"}
					}
					return fakes3.Fault{Pause: time.Second}
				}
				w.put(t, "x", random(1, 20*testPart))
				if got := int(counter.most.Load()); got != concurrency {
					t.Errorf("%d parts were on their way at once, want %d", got, concurrency)
				}
				w.counts(t, map[string]int{"UploadPart": 60})
			})
		})
	}
}

// TestHeadLast: the part with the late head is uploaded last, and has the head.
func TestHeadLast(t *testing.T) {
	for _, size := range []int{100, testPart, testPart + 1, 6 * testPart} {
		bubble(t, nil, func(t *testing.T, w *world) {
			data := random(1, size)
			head := bytes.Repeat([]byte("H"), 32)
			asked := 0
			_, err := w.v.PutHead(t.Context(), "x", bytes.NewReader(data), 32, func() ([]byte, error) {
				asked++
				time.Sleep(10 * time.Hour)
				return head, nil
			})
			if err != nil || asked != 1 {
				t.Fatalf("head was called %d times, %v", asked, err)
			}
			w.stored(t, "x", slices.Concat(head, data[32:]))
			if parts := w.of("UploadPart"); len(parts) > 0 && parts[len(parts)-1].Part != 1 {
				t.Errorf("part %d came last", parts[len(parts)-1].Part)
			}
		})
	}
}

// TestHeadFails: nothing is stored, and nothing left.
func TestHeadFails(t *testing.T) {
	for what, test := range map[string]struct {
		head func(cancel func()) ([]byte, error)
		is   error
		text string
	}{
		"error":     {func(func()) ([]byte, error) { return nil, io.ErrNoProgress }, io.ErrNoProgress, ""},
		"short":     {func(func()) ([]byte, error) { return make([]byte, 31), nil }, nil, "31 bytes, not 32"},
		"long":      {func(func()) ([]byte, error) { return make([]byte, 33), nil }, nil, "33 bytes, not 32"},
		"cancelled": {func(cancel func()) ([]byte, error) { cancel(); return make([]byte, 32), nil }, context.Canceled, ""},
	} {
		for _, size := range []int{100, 4 * testPart} {
			t.Run(fmt.Sprint(what, " ", size), func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					_, err := w.v.PutHead(ctx, "x", bytes.NewReader(random(1, size)), 32, func() ([]byte, error) { return test.head(cancel) })
					fails(t, err, storage.ErrNotApplied, test.text)
					fails(t, err, test.is)
					w.nothing(t, "x")
				})
			})
		}
	}
}
