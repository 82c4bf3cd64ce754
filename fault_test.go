package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// site is a volume with faults and one good snapshot in it.
type site struct {
	t     *testing.T
	vol   *storage.MemoryVolume
	fault *storagetest.Faulty
	b     *Backup // through the faults
	clean *Backup // past them
	older *Snapshot
	data  []byte // of older
	warn  []error
}

func newSite(t *testing.T, opts Options) *site {
	x := &site{t: t, vol: storage.Memory(), data: dump(2500)}
	x.fault = storagetest.NewFaulty(x.vol, 1)
	opts.OnEvent = func(e Event) {
		if e.Kind == EventWarning {
			x.warn = append(x.warn, e.Err)
		}
	}
	x.b, x.clean = newBackup(t, x.fault, &opts), newBackup(t, x.vol, &opts)
	x.older = create(t, x.clean, "shop", x.data)
	return x
}

// wantPromises holds the volume to what is promised whatever failed: what lists restores, the older snapshot is there, and a
// sweep, once it is time, leaves nothing else.
func (x *site) wantPromises(want []byte) (listed int) {
	x.t.Helper()
	list, err := x.clean.List(context.WithoutCancel(x.t.Context()), "shop")
	if err != nil {
		x.t.Fatal(err)
	}
	older := false
	for _, s := range list {
		data := want
		if s.ID == x.older.ID {
			data, older = x.data, true
		}
		wantRestored(x.t, x.clean, s.Ref(), data)
	}
	if !older {
		x.t.Fatal("the older snapshot is gone")
	}
	late := newBackup(x.t, x.vol, &x.clean.opts)
	late.now = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
	if _, err := late.Sweep(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	for _, o := range objects(x.t, x.vol) {
		known := false
		for _, s := range list {
			known = known || strings.HasPrefix(o, s.Ref()+".")
		}
		if !known {
			x.t.Fatalf("%s is left after a sweep", o)
		}
	}
	for _, s := range list {
		if s.ID != x.older.ID {
			wantRestored(x.t, x.clean, s.Ref(), want)
		}
	}
	return len(list) - 1
}

func plain(segment int64) Options {
	return Options{Encryptor: aes(testKey), Compressor: compress.None, SegmentSize: segment}
}

// archived is plain with a late head.
func archived(segment int64) Options {
	return Options{Encryptor: archives(sevenzip.Copy), SegmentSize: segment}
}

// shapes are the ways to store that differ in what a volume is asked for, by name.
func shapes() map[string]Options {
	return map[string]Options{"0": plain(0), "1000": plain(1000), "7z 1000": archived(1000)}
}

var errSource = errors.New("the dump failed")

// failing reads data up to n bytes, and then fails with err, in the same call or the next.
func failing(data []byte, n int, err error) io.Reader {
	if n%2 == 0 {
		return iotest.DataErrReader(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(err)))
	}
	return io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(err))
}

func TestSourceFailsAtAnyByte(t *testing.T) {
	data := dump(3000)
	for _, opts := range shapes() {
		synctest.Test(t, func(t *testing.T) {
			x := newSite(t, opts)
			for n := 0; n <= len(data); n += 41 {
				for _, cause := range []error{errSource, io.ErrUnexpectedEOF} {
					_, err := x.b.Create(t.Context(), "shop", failing(data, n, cause), nil)
					if !errors.Is(err, cause) || !strings.Contains(err.Error(), "source") {
						t.Fatalf("source failing after %d bytes: %v", n, err)
					}
					if left := len(objects(t, x.vol)); left != len(objects(t, x.clean.vol)) || x.wantPromises(nil) != 0 {
						t.Fatal("something is left")
					}
				}
			}
			if len(objects(t, x.vol)) > 20 {
				t.Fatalf("failed backups left %v", objects(t, x.vol))
			}
		})
	}
}

func TestProducerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(1000))
		before := len(objects(t, x.vol))
		_, err := x.b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, w io.Writer) error {
			if _, err := w.Write(dump(3000)); err != nil {
				return err
			}
			return errSource // the dump program's exit status, after its last byte
		})
		if !errors.Is(err, errSource) {
			t.Fatal(err)
		}
		if n := len(objects(t, x.vol)); n != before || x.wantPromises(nil) != 0 {
			t.Fatalf("left %v", objects(t, x.vol))
		}
	})
}

func TestProducerPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(1000))
		func() {
			defer func() {
				if recover() != "oops" {
					t.Error("the panic is lost")
				}
			}()
			_, _ = x.b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, w io.Writer) error {
				_, _ = w.Write(dump(3000))
				panic("oops")
			})
		}()
		if x.wantPromises(nil) != 0 {
			t.Fatal("the snapshot of a producer that panicked is listed")
		}
	})
}

// A producer that returns while a goroutine of its own still waits for input, as exec does for a grandchild's pipe.
func TestProducerLeavesACopyBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		r, w := io.Pipe()
		copied := make(chan error)
		_, err := x.b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, dst io.Writer) error {
			go func() {
				_, err := io.Copy(dst, r)
				copied <- err
			}()
			synctest.Wait()
			return errSource
		})
		if !errors.Is(err, errSource) || x.wantPromises(nil) != 0 {
			t.Fatal(err)
		}
		go func() { _, _ = w.Write([]byte("late")) }()
		if err := <-copied; err == nil {
			t.Fatal("what was written after the end was taken")
		}
		_ = r.Close()
	})
}

// A producer that overlooks the error of a Write, and goes on (pingcap/tidb#71162).
func TestProducerIgnoresErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(1000))
		x.fault.Inject(storagetest.Fault{Op: "Put", Nth: 2})
		_, err := x.b.CreateFunc(t.Context(), "shop", nil, func(ctx context.Context, w io.Writer) error {
			for range 100 {
				_, _ = w.Write(dump(20_000))
			}
			return nil
		})
		if !errors.Is(err, storagetest.ErrInjected) || x.wantPromises(nil) != 0 {
			t.Fatal(err)
		}
	})
}

// A failing volume stops the producer, and is the error, not what the producer says then.
func TestVolumeFailureStopsTheProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		x.fault.Inject(storagetest.Fault{Op: "Put"})
		_, err := x.b.CreateFunc(t.Context(), "shop", nil, func(ctx context.Context, w io.Writer) error {
			<-ctx.Done()
			return errors.New("exit status 141")
		})
		if !errors.Is(err, storagetest.ErrInjected) || x.wantPromises(nil) != 0 {
			t.Fatal(err)
		}
	})
}

func TestTooSmall(t *testing.T) {
	x := newSite(t, plain(0))
	_, err := x.b.Create(t.Context(), "shop", strings.NewReader("too few"), &CreateOptions{MinSize: 8})
	if !errors.Is(err, ErrTooSmall) || x.wantPromises(nil) != 0 {
		t.Fatal(err)
	}
	if _, err := x.b.Create(t.Context(), "shop", strings.NewReader("enough.."), &CreateOptions{MinSize: 8}); err != nil {
		t.Fatal(err)
	}
}

// Every call of Create that reaches the volume fails in every way, once or for good.
func TestVolumeFailsAtAnyCall(t *testing.T) {
	data := dump(3000)
	for shape, opts := range shapes() {
		calls := countCalls(t, opts)
		for nth := range calls {
			for _, kind := range []storagetest.Kind{storagetest.Fail, storagetest.LostAnswer, storagetest.LateApply} {
				for _, after := range []int64{0, 500, 1 << 20} {
					for _, forGood := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s/call %d/kind %d/after %d/%v", shape, nth+1, kind, after, forGood), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								x := newSite(t, opts)
								x.fault.Inject(faultsFrom(nth+1, calls, storagetest.Fault{Kind: kind, After: after}, forGood)...)
								s, err := x.b.Create(t.Context(), "shop", bytes.NewReader(data), nil)
								x.wantOutcome(s, err, data)
							})
						})
					}
				}
			}
		}
	}
}

// countCalls says how many calls an undisturbed Create makes.
func countCalls(t *testing.T, opts Options) int {
	x := newSite(t, opts)
	if _, err := x.b.Create(t.Context(), "shop", bytes.NewReader(dump(3000)), nil); err != nil {
		t.Fatal(err)
	}
	return len(x.fault.Calls())
}

// faultsFrom is f at the nth call, and at all that follow if forGood.
func faultsFrom(nth, calls int, f storagetest.Fault, forGood bool) []storagetest.Fault {
	var faults []storagetest.Fault
	for i := nth; i == nth || forGood && i < nth+calls+100; i++ {
		f.Nth = i
		faults = append(faults, f)
	}
	return faults
}

// wantOutcome holds Create to its word: nil is a snapshot, an error is none unless it says that it does not know. What arrives late
// changes nothing of that.
func (x *site) wantOutcome(s *Snapshot, err error, data []byte) {
	x.t.Helper()
	x.fault.Reset()
	switch listed := x.listed(); {
	case err == nil && !listed(s.ID):
		x.t.Fatal("Create succeeded, and nothing is listed")
	case err != nil && len(listedIDs(x)) > 1 && !errors.Is(err, ErrOutcomeUnknown):
		x.t.Fatalf("Create failed with %v, and the snapshot is listed", err)
	}
	if err := x.fault.ApplyLate(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	if n := x.wantPromises(data); err != nil && n > 0 && !errors.Is(err, ErrOutcomeUnknown) {
		x.t.Fatalf("Create failed with %v, and the snapshot appeared later", err)
	}
}

func listedIDs(x *site) []*Snapshot {
	list, err := x.clean.List(x.t.Context(), "shop")
	if err != nil {
		x.t.Fatal(err)
	}
	return list
}

func (x *site) listed() func(id string) bool {
	list := listedIDs(x)
	return func(id string) bool {
		for _, s := range list {
			if s.ID == id {
				return true
			}
		}
		return false
	}
}

// The answer to the manifest's Put (pitfall 41).
func TestUnclearCommit(t *testing.T) {
	for what, test := range map[string]struct {
		faults []storagetest.Fault
		want   error // nil: committed
		left   bool  // what was stored stays, as the manifest may come
		lists  bool
	}{
		"answer lost once":        {faults: []storagetest.Fault{{Kind: storagetest.LostAnswer, Nth: 1}}, lists: true},
		"every answer lost":       {faults: []storagetest.Fault{{Kind: storagetest.LostAnswer}}, lists: true},
		"fails once":              {faults: []storagetest.Fault{{Kind: storagetest.Fail, Nth: 1}}, lists: true},
		"late once":               {faults: []storagetest.Fault{{Kind: storagetest.LateApply, Nth: 1}}, lists: true},
		"never an answer":         {faults: []storagetest.Fault{{Kind: storagetest.Fail}}, want: ErrOutcomeUnknown, left: true},
		"late for good":           {faults: []storagetest.Fault{{Kind: storagetest.LateApply}}, want: ErrOutcomeUnknown, left: true},
		"refused":                 {faults: []storagetest.Fault{{Kind: storagetest.Fail, Err: errors.Join(storage.ErrNotApplied, storage.ErrPermission)}}, want: storage.ErrPermission},
		"refused, perhaps stored": {faults: []storagetest.Fault{{Kind: storagetest.LostAnswer, Err: storage.ErrPermission}}, lists: true},
		"certainly not applied":   {faults: []storagetest.Fault{{Kind: storagetest.Fail, Err: storage.ErrNotApplied}}, want: storage.ErrNotApplied},
		"late, then refused":      {faults: []storagetest.Fault{{Kind: storagetest.LateApply, Nth: 1}, {Kind: storagetest.Fail, Err: storage.ErrPermission}}, want: ErrOutcomeUnknown, left: true},
		"stored, then refused":    {faults: []storagetest.Fault{{Kind: storagetest.LostAnswer, Nth: 1}, {Kind: storagetest.Fail, Err: storage.ErrPermission}}, lists: true},
		"stored, then fails":      {faults: []storagetest.Fault{{Kind: storagetest.LostAnswer, Nth: 1}, {Kind: storagetest.Fail}}, lists: true},
		"hangs":                   {faults: []storagetest.Fault{{Kind: storagetest.Delay, Delay: time.Hour}}, want: context.Canceled, left: true},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newSite(t, plain(0))
				for i := range test.faults {
					test.faults[i].Op, test.faults[i].Match = "Put", onlyManifests
				}
				x.fault.Inject(test.faults...)
				ctx, cancel := context.WithCancel(t.Context())
				if what == "hangs" {
					time.AfterFunc(time.Minute, cancel)
				}
				defer cancel()
				before := len(objects(t, x.vol))
				s, err := x.b.Create(ctx, "shop", bytes.NewReader(dump(2000)), nil)
				if !errors.Is(err, test.want) || test.lists != (err == nil) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
				if what == "hangs" && !errors.Is(err, ErrOutcomeUnknown) {
					t.Fatalf("cancelled while the manifest was out: %v", err)
				}
				if left := len(objects(t, x.vol)) - before; test.left != (left == 1) && !test.lists {
					t.Fatalf("%d objects are left", left)
				}
				x.fault.Reset()
				if err := x.fault.ApplyLate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := x.wantPromises(dump(2000)); n == 1 != (test.lists || strings.HasPrefix(what, "late")) {
					t.Fatalf("%d snapshots, err %v, %v", n, err, s)
				}
			})
		})
	}
}

// A ctx that ends while the manifest is out does not undo it.
func TestCancelDuringCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		ctx, cancel := context.WithCancel(t.Context())
		x.fault.Inject(storagetest.Fault{Op: "Put", Kind: storagetest.Delay, Delay: time.Second, Nth: 1, Match: onlyManifests})
		time.AfterFunc(500*time.Millisecond, cancel)
		s, err := x.b.Create(ctx, "shop", bytes.NewReader(dump(2000)), nil)
		x.wantOutcome(s, err, dump(2000))
		if err != nil {
			t.Fatalf("the manifest could be written, but: %v", err)
		}
	})
}

func TestCancelAtAnyCall(t *testing.T) {
	data := dump(3000)
	cause := errors.New("shutting down")
	for _, opts := range shapes() {
		for nth := range countCalls(t, opts) {
			for _, after := range []int64{0, 1 << 20} {
				synctest.Test(t, func(t *testing.T) {
					x := newSite(t, opts)
					ctx, cancel := context.WithCancelCause(t.Context())
					x.fault.Inject(storagetest.Fault{Kind: storagetest.Delay, Delay: time.Second, Nth: nth + 1, After: after})
					timer := time.AfterFunc(500*time.Millisecond, func() { cancel(cause) })
					s, err := x.b.Create(ctx, "shop", bytes.NewReader(data), nil)
					timer.Stop()
					if err != nil && !errors.Is(err, cause) {
						t.Fatalf("call %d: the error is not why ctx ended: %v", nth+1, err)
					}
					x.wantOutcome(s, err, data)
				})
			}
		}
	}
}

func TestCancelAtAnyByte(t *testing.T) {
	data := dump(3000)
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(1000))
		for n := 0; n < len(data); n += 97 {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := x.b.CreateFunc(ctx, "shop", nil, func(ctx context.Context, w io.Writer) error {
				if _, err := w.Write(data[:n]); err != nil {
					return err
				}
				cancel()
				_, err := w.Write(data[n:])
				if err == nil {
					t.Error("Write after the end of ctx succeeds")
				}
				return nil // overlooked
			})
			if !errors.Is(err, context.Canceled) || x.wantPromises(nil) != 0 {
				t.Fatal(err)
			}
		}
	})
}

// blocked is a source like a pipe that never speaks, which a deadline frees.
type blocked struct{ freed chan struct{} }

func (b blocked) Read([]byte) (int, error)        { <-b.freed; return 0, errors.New("i/o timeout") }
func (b blocked) SetReadDeadline(time.Time) error { close(b.freed); return nil }

func TestCancelFreesASilentSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := x.b.Create(ctx, "shop", blocked{make(chan struct{})}, nil)
		if !errors.Is(err, context.Canceled) || x.wantPromises(nil) != 0 {
			t.Fatal(err)
		}
	})
}

// A backup that takes longer than a sweep allows is refused, not lost (pitfall 44).
func TestSlowBackupAndSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, Options{Encryptor: crypto.None, Compressor: compress.None, SegmentSize: 100_000})
		slow := func(days int) error {
			_, err := x.b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, w io.Writer) error {
				if _, err := w.Write(dump(600_000)); err != nil {
					return err
				}
				synctest.Wait()
				time.Sleep(time.Duration(days) * 24 * time.Hour)
				if report, err := x.clean.Sweep(t.Context()); err != nil || len(report.Abandoned) != days/7 {
					t.Errorf("sweep: %+v %v", report, err)
				}
				_, err := w.Write([]byte("x"))
				return err
			})
			return err
		}
		if err := slow(5); err != nil {
			t.Fatal(err)
		}
		// Its last segments are young, so they commit, unless the sweep took the first ones.
		if err := slow(8); err == nil {
			t.Fatal("committed, though a sweep has removed its first segments")
		}
		if listed := x.listed(); !listed(x.older.ID) {
			t.Fatal("the older snapshot is gone")
		}
	})
}

func TestOldObjectsAreNotCommitted(t *testing.T) {
	vol := storage.Memory()
	vol.Now = func() time.Time { return time.Now().Add(-6*24*time.Hour - time.Hour) }
	b := newBackup(t, vol, nil)
	if _, err := b.Create(t.Context(), "shop", strings.NewReader("x"), nil); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Fatalf("want a refusal that speaks of clocks, got %v", err)
	}
}

func TestLostSegmentIsNotCommitted(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, losing{vol}, nil)
	if _, err := b.Create(t.Context(), "shop", strings.NewReader("x"), nil); !errors.Is(err, storage.ErrNotExist) {
		t.Fatal(err)
	}
	wantListed(t, b, "shop")
}

// losing is a volume that says that it has stored what it has not.
type losing struct{ *storage.MemoryVolume }

func (l losing) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	n, err := io.Copy(io.Discard, r)
	return storage.Object{Name: name, Size: n}, err
}

func TestDeniedCleanUpIsAWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(1000))
		x.fault.Inject(storagetest.Fault{Op: "Delete", Err: storage.ErrPermission})
		_, err := x.b.Create(t.Context(), "shop", failing(dump(600_000), 600_000, errSource), nil)
		if !errors.Is(err, errSource) || errors.Is(err, storage.ErrPermission) {
			t.Fatalf("the first cause is not the error: %v", err)
		}
		if len(x.warn) == 0 || !errors.Is(x.warn[0], storage.ErrPermission) {
			t.Fatalf("no warning: %v", x.warn)
		}
		x.fault.Reset()
		if x.wantPromises(nil) != 0 {
			t.Fatal("listed")
		}
	})
}

func TestReadingFaults(t *testing.T) {
	data := dump(6000)
	for what, test := range map[string]struct {
		fault storagetest.Fault
		want  error
	}{
		"open fails once":       {storagetest.Fault{Op: "Open", Nth: 2}, nil},
		"open fails for good":   {storagetest.Fault{Op: "Open"}, storagetest.ErrInjected},
		"read fails once":       {storagetest.Fault{Op: "Read", Nth: 3, After: 100}, nil},
		"short body once":       {storagetest.Fault{Op: "Read", Kind: storagetest.ShortBody, Nth: 3, After: 100}, nil},
		"short bodies for good": {storagetest.Fault{Op: "Read", Kind: storagetest.ShortBody, After: 100, Match: onlyData}, io.ErrUnexpectedEOF},
		"flipped bit once":      {storagetest.Fault{Op: "Read", Kind: storagetest.FlipBit, Nth: 3, After: 100}, nil},
		"flipped bits for good": {storagetest.Fault{Op: "Read", Kind: storagetest.FlipBit, After: 10}, ErrDamaged},
		"stat fails once":       {storagetest.Fault{Op: "Stat", Nth: 1}, nil},
		"permission":            {storagetest.Fault{Op: "Open", Err: storage.ErrPermission}, storage.ErrPermission},
		"list fails for good":   {storagetest.Fault{Op: "List"}, storagetest.ErrInjected},
	} {
		for shape, opts := range shapes() {
			t.Run(what+"/"+shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newSite(t, opts)
					time.Sleep(time.Second) // for the order of the ids
					s := create(t, x.clean, "shop", data)
					x.fault.Inject(test.fault)
					if err := restorePrefix(t, x.b, "shop/latest", data); !errors.Is(err, test.want) {
						t.Fatalf("got %v, want %v", err, test.want)
					}
					x.fault.Reset()
					wantRestored(t, x.b, s.Ref(), data)
				})
			})
		}
	}
}

func TestCancelDuringRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		ctx, cancel := context.WithCancel(t.Context())
		x.fault.Inject(storagetest.Fault{Op: "Read", Kind: storagetest.Delay, Delay: time.Hour})
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if err := x.b.Restore(ctx, x.older.Ref(), io.Discard); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if time.Since(start) > time.Minute {
			t.Fatal("cancelled only after", time.Since(start))
		}
	})
}

func TestRestoreWriterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackup(t, storage.Memory(), &Options{Encryptor: crypto.None})
		s := create(t, b, "shop", dump(600_000))
		full := errors.New("disk full")
		if err := b.Restore(t.Context(), s.Ref(), failingWriter{full}); !errors.Is(err, full) {
			t.Fatal(err)
		}
	})
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
