package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/databasement/backup/storage"
)

// Faulty is a volume over another one that fails as it is told. It has the
// capabilities of the volume below, and faults strike there too. It is safe for
// concurrent use.
type Faulty struct {
	v storage.Volume

	mu     sync.Mutex
	rng    *rand.Rand
	faults []*armed
	calls  []Call
	struck int
	late   []func(context.Context) error
}

type armed struct {
	Fault
	seen int // matching calls so far
}

// Call is one call of a method: Op as in [Fault], without "Read", and the name, or List's prefix.
type Call struct{ Op, Name string }

// NewFaulty returns v without faults so far. The seed decides where FlipBit strikes.
func NewFaulty(v storage.Volume, seed uint64) *Faulty {
	return &Faulty{v: v, rng: rand.New(rand.NewPCG(seed, 0))}
}

// Inject adds faults. Where several would strike on one call, the one added first does.
func (f *Faulty) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, ft := range faults {
		f.faults = append(f.faults, &armed{Fault: ft})
	}
}

// Reset removes all faults and forgets the calls. What waits for ApplyLate stays.
func (f *Faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.calls, f.struck = nil, nil, 0
}

// Calls returns the calls so far, those that failed included, in the order in which they began.
func (f *Faulty) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Struck returns on how many calls a fault has struck, or will when they have gone
// far enough. A test that asks can tell that its fault was not simply missed.
func (f *Faulty) Struck() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.struck
}

// ApplyLate applies what LateApply held back, in the order of the calls. A
// PutIfAbsent that finds an object by now is none the worse for it.
func (f *Faulty) ApplyLate(ctx context.Context) error {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	var errs []error
	for _, apply := range late {
		if err := apply(ctx); !errors.Is(err, storage.ErrExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Unwrap returns the volume below, for capabilities that faults do not concern.
func (f *Faulty) Unwrap() storage.Volume { return f.v }

// As gives the capabilities that faults concern, see [storage.As].
func (f *Faulty) As(target any) bool {
	switch t := target.(type) {
	case *storage.HeadPutter:
		u, ok := storage.As[storage.HeadPutter](f.v)
		*t = faultyHead{f, u}
		return ok
	case *storage.ExclusivePutter:
		u, ok := storage.As[storage.ExclusivePutter](f.v)
		*t = faultyExclusive{f, u}
		return ok
	}
	return false
}

// begin records the call and returns the fault that strikes on it, or nil.
func (f *Faulty) begin(op, name string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op != "Read" {
		f.calls = append(f.calls, Call{op, name})
	}
	var hit *Fault
	for _, a := range f.faults {
		if !a.matches(op, name) {
			continue
		}
		a.seen++
		if hit == nil && (a.Nth == 0 || a.Nth == a.seen) {
			hit = &a.Fault
			f.struck++
		}
	}
	return hit
}

func (f *Faulty) later(apply func(context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.late = append(f.late, apply)
}

// Put implements [storage.Volume].
func (f *Faulty) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	return f.put(ctx, "Put", name, r, nil, func(ctx context.Context, r io.Reader, _ headFunc) (storage.Object, error) {
		return f.v.Put(ctx, name, r)
	})
}

type faultyHead struct {
	f *Faulty
	u storage.HeadPutter
}

func (x faultyHead) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (storage.Object, error) {
	return x.f.put(ctx, "PutHead", name, r, head, func(ctx context.Context, r io.Reader, head headFunc) (storage.Object, error) {
		return x.u.PutHead(ctx, name, r, size, head)
	})
}

type faultyExclusive struct {
	f *Faulty
	u storage.ExclusivePutter
}

func (x faultyExclusive) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	return x.f.put(ctx, "PutIfAbsent", name, bytes.NewReader(data), nil, func(ctx context.Context, r io.Reader, _ headFunc) (storage.Object, error) {
		data, err := io.ReadAll(r)
		if err != nil {
			return storage.Object{}, err
		}
		return x.u.PutIfAbsent(ctx, name, data)
	})
}

type (
	headFunc  = func() ([]byte, error)
	storeFunc = func(context.Context, io.Reader, headFunc) (storage.Object, error)
)

// put is what Put, PutHead and PutIfAbsent share; store is the call below.
func (f *Faulty) put(ctx context.Context, op, name string, r io.Reader, head headFunc, store storeFunc) (storage.Object, error) {
	ft := f.begin(op, name)
	if ft == nil {
		return store(ctx, r, head)
	}
	strike := func() error { return ft.strike(ctx, op, name) }
	switch ft.Kind {
	case LostAnswer:
		if _, err := store(ctx, r, head); err != nil {
			return storage.Object{}, err
		}
		return storage.Object{}, strike()
	case LateApply:
		if err := f.hold(r, head, store); err != nil {
			return storage.Object{}, faultError(op, name, err)
		}
		return storage.Object{}, strike()
	}
	if ft.After <= 0 {
		if err := strike(); err != nil {
			return storage.Object{}, err
		}
		return store(ctx, r, head)
	}
	t := &trap{r: r, after: ft.After, spring: strike}
	o, err := store(ctx, t, head)
	if t.err != nil {
		return storage.Object{}, t.err
	}
	return o, err
}

// hold takes all that the call needs, to apply it later.
func (f *Faulty) hold(r io.Reader, head headFunc, store storeFunc) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var b []byte
	if head != nil {
		if b, err = head(); err != nil {
			return err
		}
	}
	f.later(func(ctx context.Context) error {
		_, err := store(ctx, bytes.NewReader(data), func() ([]byte, error) { return b, nil })
		return err
	})
	return nil
}

// Open implements [storage.Volume].
func (f *Faulty) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	open := f.begin("Open", name)
	if open != nil && open.After <= 0 && !open.alters() {
		if err := open.strike(ctx, "Open", name); err != nil {
			return nil, err
		}
		open = nil
	}
	body, err := f.v.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	b := &faultyBody{body, body}
	for _, ft := range []*Fault{open, f.begin("Read", name)} {
		if ft == nil {
			continue
		}
		if b.Reader, err = f.spoil(ctx, ft, name, b.Reader, off, n); err != nil {
			body.Close()
			return nil, err
		}
	}
	return b, nil
}

func (ft *Fault) alters() bool { return ft.Kind == ShortBody || ft.Kind == FlipBit }

type faultyBody struct {
	io.Reader
	io.Closer
}

// spoil puts the fault into the body of the range.
func (f *Faulty) spoil(ctx context.Context, ft *Fault, name string, body io.Reader, off, n int64) (io.Reader, error) {
	if !ft.alters() {
		return &trap{r: body, after: ft.After, spring: func() error { return ft.strike(ctx, "Read", name) }}, nil
	}
	if err := ft.strike(ctx, "Read", name); err != nil {
		return nil, err
	}
	o, err := f.v.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	served := o.Size - off
	if n >= 0 {
		served = min(served, n)
	}
	if served <= 0 {
		return body, nil // there is no byte to take or to change
	}
	after := min(max(ft.After, 0), served-1)
	if ft.Kind == ShortBody {
		return io.LimitReader(body, after), nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return &flipper{r: body, at: after + f.rng.Int64N(served-after), bit: f.rng.UintN(8)}, nil
}

// Stat implements [storage.Volume].
func (f *Faulty) Stat(ctx context.Context, name string) (storage.Object, error) {
	if ft := f.begin("Stat", name); ft != nil {
		if err := ft.strike(ctx, "Stat", name); err != nil {
			return storage.Object{}, err
		}
	}
	return f.v.Stat(ctx, name)
}

// List implements [storage.Volume]. A call is one run over the iterator.
func (f *Faulty) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		ft := f.begin("List", prefix)
		if ft == nil {
			f.v.List(ctx, prefix)(yield)
			return
		}
		left := ft.After
		strike := func() bool {
			err := ft.strike(ctx, "List", prefix)
			if err != nil {
				yield(storage.Object{}, err)
			}
			left = -1 // once
			return err != nil
		}
		if left <= 0 && strike() {
			return
		}
		for o, err := range f.v.List(ctx, prefix) {
			if !yield(o, err) || err != nil {
				return
			}
			left--
			if left == 0 && strike() {
				return
			}
		}
		if left > 0 {
			strike()
		}
	}
}

// Delete implements [storage.Volume].
func (f *Faulty) Delete(ctx context.Context, name string) error {
	ft := f.begin("Delete", name)
	if ft == nil {
		return f.v.Delete(ctx, name)
	}
	switch ft.Kind {
	case LostAnswer:
		if err := f.v.Delete(ctx, name); err != nil {
			return err
		}
		return ft.strike(ctx, "Delete", name)
	case LateApply:
		f.later(func(ctx context.Context) error { return f.v.Delete(ctx, name) })
		return ft.strike(ctx, "Delete", name)
	}
	if err := ft.strike(ctx, "Delete", name); err != nil {
		return err
	}
	return f.v.Delete(ctx, name)
}
