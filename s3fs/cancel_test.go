package s3fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// TestCancel: wherever in the stream a Put is cancelled, nothing is stored and no part is left: the abort has a context of its
// own (PITFALLS 18).
func TestCancel(t *testing.T) {
	for _, at := range []int{0, 1, testPart, testPart + 1, 3 * testPart, 6*testPart - 1, 6 * testPart} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.bucket.Put("x", []byte("old"), nil)
				stop := errors.New("stop")
				ctx, cancel := context.WithCancelCause(t.Context())
				_, err := w.v.Put(ctx, "x", &tripwire{bytes.NewReader(random(1, 6*testPart)), at, func() { time.Sleep(time.Second); cancel(stop) }})
				fails(t, err, stop)
				fails(t, err, storage.ErrNotApplied)
				w.stored(t, "x", []byte("old"))
				w.noParts(t)
			})
		})
	}
}

// TestCancelWaiting: Put returns at once also where it waits for the store.
func TestCancelWaiting(t *testing.T) {
	for what, s := range map[string]script{
		"slow parts":    {"UploadPart": times(3, fakes3.Fault{Pause: time.Minute / 2})},
		"busy":          {"UploadPart": times(100, fakes3.Fault{Status: 503, Code: "SlowDown"})},
		"asks to wait":  {"UploadPart": times(3, fakes3.Fault{Status: 503, Code: "SlowDown", Header: map[string][]string{"Retry-After": {"100"}}})},
		"silent":        {"UploadPart": times(3, fakes3.Fault{At: fakes3.Applied, Pause: never})},
		"does not read": {"UploadPart": times(3, fakes3.Fault{Pause: never})},
		"silent begin":  {"CreateMultipartUpload": {{Pause: never}}},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				stop := errors.New("stop")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(stop) })
				w.play(s)
				start := time.Now()
				_, err := w.v.Put(ctx, "x", bytes.NewReader(random(1, 6*testPart)))
				took(t, start, 5*time.Second, 6*time.Second)
				fails(t, err, stop)
				fails(t, err, storage.ErrNotApplied)
				w.nothing(t, "x")
				w.play(nil) // of "busy" not all have happened
			})
		})
	}
}

// TestAbortHangs: what follows a failure is bounded.
func TestAbortHangs(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"silent":       {Pause: never},
		"busy":         {Status: 503, Code: "SlowDown"},
		"asks to wait": {Status: 503, Code: "SlowDown", Header: map[string][]string{"Retry-After": {"100"}}},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.always("AbortMultipartUpload", fault)
				start := time.Now()
				_, err := w.v.Put(t.Context(), "x", broken(4*testPart))
				took(t, start, 0, time.Second+abortTime)
				fails(t, err, storage.ErrNotApplied, "the dump has failed", "could not be removed", "AbortIncompleteMultipartUpload")
			})
		})
	}
}

// TestAbortDenied: the error of the Put is that which made it fail; that parts stay, and what to do, is told beside it.
func TestAbortDenied(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Deny = map[string]bool{"AbortMultipartUpload": true}
		_, err := w.v.Put(t.Context(), "x", broken(4*testPart))
		fails(t, err, storage.ErrNotApplied, "the dump has failed", "could not be removed", "Sweep", "AbortIncompleteMultipartUpload", "s3:AbortMultipartUpload")
		if errors.Is(err, storage.ErrPermission) {
			t.Errorf("the cause is not a permission: %v", err)
		}
		w.counts(t, map[string]int{"AbortMultipartUpload": 1})
	})
}

// TestAbortRepeated: a lost answer, or none, is no reason to leave parts.
func TestAbortRepeated(t *testing.T) {
	for what, faults := range map[string][]fakes3.Fault{
		"busy":    times(5, fakes3.Fault{Status: 503, Code: "SlowDown"}),
		"dropped": {{Drop: true}, {Drop: true}},
		"lost":    {{At: fakes3.Applied, Drop: true}},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.play(script{"AbortMultipartUpload": faults})
				_, err := w.v.Put(t.Context(), "x", broken(4*testPart))
				fails(t, err, storage.ErrNotApplied)
				w.nothing(t, "x")
			})
		})
	}
}

// TestCancelledBefore: no method makes a request for a context that has ended.
func TestCancelledBefore(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		stop := errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stop)
		_, put := w.v.Put(ctx, "x", bytes.NewReader(nil))
		_, absent := w.v.PutIfAbsent(ctx, "x", nil)
		_, open := w.v.Open(ctx, "x", 0, -1)
		_, stat := w.v.Stat(ctx, "x")
		_, list := storage.ListAll(ctx, w.v, "")
		_, sweep := w.v.SweepUnfinished(ctx, time.Now())
		for op, err := range map[string]error{
			"Put": put, "PutIfAbsent": absent, "Open": open, "Stat": stat, "List": list, "Sweep": sweep, "Delete": w.v.Delete(ctx, "x"),
		} {
			if !errors.Is(err, stop) {
				t.Errorf("%s: %v", op, err)
			}
		}
		if n := w.Count(); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestCutOff: a part that the store was still writing when it was cut off brings the upload back after the abort, so there is a
// second one (AbortMultipartUpload, API reference).
func TestCutOff(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.play(script{"UploadPart 2": {{Late: 50 * time.Millisecond}}})
		failing := readFunc(func([]byte) (int, error) {
			time.Sleep(10 * time.Millisecond)
			return 0, errors.New("the dump has failed")
		})
		_, err := w.v.Put(t.Context(), "x", io.MultiReader(bytes.NewReader(random(1, 4*testPart)), failing))
		fails(t, err, storage.ErrNotApplied, "the dump has failed")
		time.Sleep(time.Hour)
		w.nothing(t, "x")
	})
}
