package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// recorder is a TB that notes the first failure and ends the check there.
type recorder struct {
	testing.TB // for what else a check may call
	mu         sync.Mutex
	failure    string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	r.failure = fmt.Sprintf(format, args...)
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

// failure runs the check on v and returns what it complains of, or "".
func (c check) failure(t *testing.T, v storage.Volume) string {
	r := &recorder{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { c.run(r, v) })
	wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// memory is what the broken volumes are made from: each overrides one thing.
type memory struct{ *storage.MemoryVolume }

type putFunc = func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error)

type brokenPut struct {
	memory
	put putFunc
}

func (b brokenPut) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	return b.put(b.memory, ctx, name, r)
}

type brokenOpen struct {
	memory
	open func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
}

func (b brokenOpen) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	return b.open(b.memory, ctx, name, off, n)
}

type brokenStat struct {
	memory
	stat func(m memory, ctx context.Context, name string) (storage.Object, error)
}

func (b brokenStat) Stat(ctx context.Context, name string) (storage.Object, error) {
	return b.stat(b.memory, ctx, name)
}

type brokenList struct {
	memory
	list func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool)
}

func (b brokenList) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) { b.list(b.memory, ctx, prefix, yield) }
}

type brokenDelete struct {
	memory
	del func(m memory, ctx context.Context, name string) error
}

func (b brokenDelete) Delete(ctx context.Context, name string) error {
	return b.del(b.memory, ctx, name)
}

type brokenHead struct {
	memory
	head func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error)
}

func (b brokenHead) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (storage.Object, error) {
	return b.head(b.memory, ctx, name, r, size, head)
}

type brokenExclusive struct {
	memory
	put func(m memory, ctx context.Context, name string, data []byte) (storage.Object, error)
}

func (b brokenExclusive) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	return b.put(b.memory, ctx, name, data)
}

type brokenSweep struct {
	memory
}

func (b brokenSweep) SweepUnfinished(ctx context.Context, before time.Time) (int, error) {
	_ = b.Delete(ctx, "x.tmp")
	return b.memory.SweepUnfinished(ctx, before)
}

// brokenLimit says that it has a limit, and has none.
type brokenLimit struct {
	memory
}

func (brokenLimit) MaxObjectSize() int64 { return 200_000 }

// TestSuiteCatches has a volume for each way to break the contract, and the check that must
// see it. That a good volume passes is a test of package storage.
func TestSuiteCatches(t *testing.T) {
	for _, b := range brokenVolumes {
		t.Run(b.name, func(t *testing.T) {
			i := slices.IndexFunc(checks, func(c check) bool { return c.name == b.check })
			if i < 0 {
				t.Fatalf("there is no check %q", b.check)
			}
			got := checks[i].failure(t, b.make(memory{storage.Memory()}))
			if got == "" {
				t.Errorf("%s does not see it", b.check)
			}
			t.Logf("%s: %.200s", b.check, got)
		})
	}
}

// The constructors of the table.

func put(f putFunc) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenPut{m, f} }
}

func open(f func(memory, context.Context, string, int64, int64) (io.ReadCloser, error)) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenOpen{m, f} }
}

func list(f func(memory, context.Context, string, func(storage.Object, error) bool)) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenList{m, f} }
}

func del(f func(memory, context.Context, string) error) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenDelete{m, f} }
}

func head(f func(memory, context.Context, string, io.Reader, int, headFunc) (storage.Object, error)) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenHead{m, f} }
}

func exclusive(f func(memory, context.Context, string, []byte) (storage.Object, error)) func(memory) storage.Volume {
	return func(m memory) storage.Volume { return brokenExclusive{m, f} }
}

// notAtomic puts half, then all.
func notAtomic(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	half, err := io.ReadAll(io.LimitReader(r, 5*mib))
	if err != nil {
		return storage.Object{}, err
	}
	_, _ = m.Put(ctx, name, bytes.NewReader(half))
	return m.Put(ctx, name, io.MultiReader(bytes.NewReader(half), r))
}

func each(all []storage.Object, yield func(storage.Object, error) bool) {
	for _, o := range all {
		if !yield(o, nil) {
			return
		}
	}
}

func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// bare takes the *storage.Error off.
func bare(err error) error {
	if e := (*storage.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error             { return f.err }

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// forgetful says io.EOF once.
type forgetful struct {
	r     io.Reader
	ended bool
}

func (f *forgetful) Read(p []byte) (int, error) {
	if f.ended {
		return 0, nil
	}
	n, err := f.r.Read(p)
	f.ended = err == io.EOF
	return n, err
}

// reopening opens the object anew for each Read.
type reopening struct {
	m    memory
	ctx  context.Context
	name string
	off  int64
}

func (r *reopening) Read(p []byte) (int, error) {
	body, err := r.m.Open(r.ctx, r.name, r.off, -1)
	if err != nil {
		return 0, err
	}
	n, err := body.Read(p)
	r.off += int64(n)
	return n, err
}
