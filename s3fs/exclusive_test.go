package s3fs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// probes counts the requests of probes.
func (w *world) probes() (n int) {
	for _, r := range w.Requests() {
		if strings.Contains(r.Key, probeDir) {
			n++
		}
	}
	return n
}

// race has callers of PutIfAbsent at once, on volumes of their own, and returns how many won.
func (w *world) race(t *testing.T, name string, callers int) (won int) {
	t.Helper()
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.v.PutIfAbsent(t.Context(), name, []byte{byte(i)}) })
	}
	wg.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, storage.ErrExist) || !errors.Is(err, storage.ErrNotApplied):
			t.Error(err)
		}
	}
	return won
}

// TestExclusive: of many callers one wins, and the volume is probed once.
func TestExclusive(t *testing.T) {
	bubble(t, func(o *Options) { o.Prefix = "in" }, func(t *testing.T, w *world) {
		if won := w.race(t, "lock", 10); won != 1 {
			t.Errorf("%d of 10 won", won)
		}
		probes := w.probes()
		if probes == 0 || probes > 40 {
			t.Errorf("%d requests for the probe", probes)
		}
		if won := w.race(t, "lock", 3) + w.race(t, "lock2", 3); won != 1 {
			t.Errorf("%d won, want 1", won)
		}
		if n := w.probes(); n != probes {
			t.Errorf("%d more requests for a probe", n-probes)
		}
		if objects := w.bucket.Objects(); len(objects) != 2 || objects[0].Key != "in/lock" {
			t.Errorf("%d objects are left, want the two locks", len(objects))
		}
		_, err := w.v.PutIfAbsent(t.Context(), "lock", make([]byte, storage.MaxExclusive+1))
		fails(t, err, storage.ErrTooLarge)
	})
}

// TestExclusiveUnsupported: stores that refuse, ignore or race conditional requests are found out before one is relied on
// (lxc/incus#3651, versity/versitygw#2288; PITFALLS 20).
func TestExclusiveUnsupported(t *testing.T) {
	for what, test := range map[string]struct {
		conditional fakes3.Conditional
		fault       fakes3.Fault
		text        string
	}{
		"refused":        {fakes3.Refused, fakes3.Fault{}, "refuses conditional requests"},
		"refused as 400": {fakes3.Exact, fakes3.Fault{Status: 400, Code: "InvalidArgument"}, "refuses conditional requests"},
		"ignored":        {fakes3.Ignored, fakes3.Fault{}, "cannot be relied on"},
		"racy":           {fakes3.Racy, fakes3.Fault{}, "cannot be relied on"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.Conditional = test.conditional
				w.always("PutObject", test.fault)
				_, err := w.v.PutIfAbsent(t.Context(), "lock", []byte("x"))
				fails(t, err, errors.ErrUnsupported, test.text)
				fails(t, err, storage.ErrNotApplied)
				if n := len(w.bucket.Objects()); n != 0 {
					t.Errorf("%d objects are left", n)
				}
				probes := w.probes()
				_, err = w.v.PutIfAbsent(t.Context(), "lock", []byte("x"))
				fails(t, err, errors.ErrUnsupported)
				if n := w.probes(); n != probes {
					t.Errorf("%d more requests for a probe", n-probes)
				}
			})
		})
	}
}

// TestProbeFails: what says nothing about conditional requests is not remembered as their lack.
func TestProbeFails(t *testing.T) {
	for what, faults := range map[string][]fakes3.Fault{
		"denied":         times(5, fakes3.Fault{Status: 403, Code: "AccessDenied"}),
		"no bucket":      times(5, fakes3.Fault{Status: 404, Code: "NoSuchBucket"}),
		"wrong region":   times(5, fakes3.Fault{Status: 301, Code: "PermanentRedirect"}),
		"token":          times(5, fakes3.Fault{Status: 400, Code: "InvalidToken"}),
		"busy":           times(5*12, fakes3.Fault{Status: 503, Code: "SlowDown"}),
		"cannot be read": times(5*unreached, fakes3.Fault{Drop: true}),
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.play(script{"PutObject": faults})
				_, err := w.v.PutIfAbsent(t.Context(), "lock", nil)
				if err == nil || errors.Is(err, errors.ErrUnsupported) {
					t.Fatalf("%v", err)
				}
				fails(t, err, storage.ErrNotApplied, "trying whether conditional requests work")
				w.play(nil)
				if _, err := w.v.PutIfAbsent(t.Context(), "lock", nil); err != nil {
					t.Errorf("once the store is well: %v", err)
				}
			})
		})
	}
}

// TestProbeUnreachable: a network that is down is no lack of the store's.
func TestProbeUnreachable(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Server.Close()
		_, err := w.v.PutIfAbsent(t.Context(), "lock", nil)
		if err == nil || errors.Is(err, errors.ErrUnsupported) || w.v.probe.done {
			t.Errorf("%v, and it is remembered: %v", err, w.v.probe.done)
		}
	})
}

// TestProbeWaits: who waits for another's probe can give up.
func TestProbeWaits(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.always("PutObject", fakes3.Fault{Pause: 20 * time.Second})
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { _, _ = w.v.PutIfAbsent(t.Context(), "a", nil) })
		time.Sleep(time.Second)
		stop := errors.New("stop")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
		defer cancel()
		start := time.Now()
		_, err := w.v.PutIfAbsent(ctx, "b", nil)
		fails(t, err, stop)
		took(t, start, time.Second, time.Second)
	})
}

// ofName gives the faults, in turn, to the puts of one name.
func (w *world) ofName(name string, faults ...func() fakes3.Fault) {
	w.Faults = func(r fakes3.Request) fakes3.Fault {
		w.mu.Lock()
		defer w.mu.Unlock()
		if r.Key != name || r.Op != "PutObject" || len(faults) == 0 {
			return fakes3.Fault{}
		}
		f := faults[0]
		faults = faults[1:]
		return f()
	}
}

// TestWonAndLost: after a lost answer 412 may mean that we won; whose object it is its token tells (PITFALLS 43).
func TestWonAndLost(t *testing.T) {
	for _, lost := range []fakes3.Fault{
		{At: fakes3.Applied, Drop: true}, {At: fakes3.Applied, Status: 503}, {At: fakes3.Applied, Pause: never}, {NoETag: true},
		{At: fakes3.Applied, Status: 409, Code: "ConditionalRequestConflict"},
	} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.ofName("lock", func() fakes3.Fault { return lost })
			o, err := w.v.PutIfAbsent(t.Context(), "lock", []byte("mine"))
			if err != nil || o.Size != 4 || o.ETag == "" {
				t.Errorf("%+v: %+v, %v", lost, o, err)
			}
			w.stored(t, "lock", []byte("mine"))
		})
	}
	for _, lost := range []fakes3.Fault{{At: fakes3.Received, Drop: true}, {At: fakes3.Received, Status: 503}, {Status: 409, Code: "ConditionalRequestConflict"}} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.ofName("lock", func() fakes3.Fault {
				w.bucket.Put("lock", []byte("theirs"), map[string]string{tokenKey: newToken()})
				return lost
			})
			_, err := w.v.PutIfAbsent(t.Context(), "lock", []byte("mine"))
			fails(t, err, storage.ErrExist)
			w.stored(t, "lock", []byte("theirs"))
		})
	}
}

// TestWonAndLostTwice: the first look fails too, and the second tells.
func TestWonAndLostTwice(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		if _, err := w.v.PutIfAbsent(t.Context(), "other", nil); err != nil { // the probe
			t.Fatal(err)
		}
		w.play(script{"PutObject": {{At: fakes3.Applied, Drop: true}}, "HeadObject": {{Status: 403}}})
		if o, err := w.v.PutIfAbsent(t.Context(), "lock", []byte("mine")); err != nil || o.Size != 4 {
			t.Errorf("%+v, %v", o, err)
		}
	})
}

// TestExistUnseen: who may not look whose it is learns only that it exists.
func TestExistUnseen(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		if _, err := w.v.PutIfAbsent(t.Context(), "lock", nil); err != nil {
			t.Fatal(err)
		}
		w.Deny = map[string]bool{"HeadObject": true}
		_, err := w.v.PutIfAbsent(t.Context(), "lock", nil)
		fails(t, err, storage.ErrExist, "looking whose it is failed")
		leavesOpen(t, err)
	})
}

// TestManyRaces: whatever the order in which the callers' requests come.
func TestManyRaces(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Faults = func(r fakes3.Request) fakes3.Fault {
			return fakes3.Fault{Pause: time.Duration(len(r.ID)+r.Attempt%7) * time.Millisecond}
		}
		for i := range 20 {
			if won := w.race(t, fmt.Sprint("lock", i), 5); won != 1 {
				t.Errorf("%d of 5 won", won)
			}
		}
	})
}
