package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// MemoryVolume is a volume in the memory of the process, for tests and
// examples. It has every capability that makes sense there: [ExclusivePutter],
// [HeadPutter], [SizeLimiter] and [Sweeper]. The zero value is an empty volume.
// Set the fields before its first use.
type MemoryVolume struct {
	// Now is the clock for Object.ModTime; nil is time.Now.
	Now func() time.Time
	// Limit is the largest object in bytes; 0 is none.
	Limit int64

	mu      sync.RWMutex
	objects map[string]memoryObject
	puts    uint64
}

type memoryObject struct {
	Object
	data []byte // never changed once it is here
}

// Memory returns a new, empty volume in memory.
func Memory() *MemoryVolume { return &MemoryVolume{} }

var (
	_ Volume          = (*MemoryVolume)(nil)
	_ ExclusivePutter = (*MemoryVolume)(nil)
	_ HeadPutter      = (*MemoryVolume)(nil)
	_ SizeLimiter     = (*MemoryVolume)(nil)
	_ Sweeper         = (*MemoryVolume)(nil)
)

// Put implements [Volume]. Its errors satisfy [ErrNotApplied].
func (m *MemoryVolume) Put(ctx context.Context, name string, r io.Reader) (Object, error) {
	data, err := m.receive(ctx, name, r)
	if err != nil {
		return Object{}, notStored(name, err)
	}
	return m.store(name, data), nil
}

// PutHead implements [HeadPutter]. Its errors satisfy [ErrNotApplied].
func (m *MemoryVolume) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (Object, error) {
	if size < 1 || size > MaxHead {
		return Object{}, notStored(name, fmt.Errorf("a late head of %d bytes, not of 1 to %d", size, MaxHead))
	}
	data, err := m.receive(ctx, name, r)
	if err != nil {
		return Object{}, notStored(name, err)
	}
	if len(data) < size {
		return Object{}, notStored(name, fmt.Errorf("%d bytes came, fewer than the late head of %d", len(data), size))
	}
	b, err := head()
	if err == nil && len(b) != size {
		err = fmt.Errorf("the late head has %d bytes, not %d", len(b), size)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return Object{}, notStored(name, err)
	}
	copy(data, b)
	return m.store(name, data), nil
}

// PutIfAbsent implements [ExclusivePutter]. Its errors satisfy [ErrNotApplied].
func (m *MemoryVolume) PutIfAbsent(ctx context.Context, name string, data []byte) (Object, error) {
	if len(data) > MaxExclusive {
		return Object{}, notStored(name, fmt.Errorf("%d bytes: %w", len(data), ErrTooLarge))
	}
	data, err := m.receive(ctx, name, bytes.NewReader(data))
	if err != nil {
		return Object{}, notStored(name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[name]; ok {
		return Object{}, notStored(name, ErrExist)
	}
	return m.storeLocked(name, data), nil
}

// receive reads r to its end, with the checks that all puts share.
func (m *MemoryVolume) receive(ctx context.Context, name string, r io.Reader) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	limit := m.MaxObjectSize()
	if limit < math.MaxInt64 {
		r = io.LimitReader(r, limit+1)
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(&contextReader{ctx, r}); err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("more than %d bytes: %w", limit, ErrTooLarge)
	}
	return buf.Bytes(), context.Cause(ctx)
}

func (m *MemoryVolume) store(name string, data []byte) Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.storeLocked(name, data)
}

func (m *MemoryVolume) storeLocked(name string, data []byte) Object {
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	if m.objects == nil {
		m.objects = make(map[string]memoryObject)
	}
	m.puts++
	o := Object{Name: name, Size: int64(len(data)), ModTime: now(), ETag: strconv.FormatUint(m.puts, 10)}
	m.objects[name] = memoryObject{o, data}
	return o
}

// Open implements [Volume]. The reader stays with the bytes it was opened on.
func (m *MemoryVolume) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	o, err := m.find(ctx, name)
	if err == nil && (off < 0 || off > o.Size) {
		err = fmt.Errorf("offset %d of %d bytes: %w", off, o.Size, ErrInvalidRange)
	}
	if err != nil {
		return nil, memoryError("open", name, err)
	}
	data := o.data[off:]
	if n >= 0 {
		data = data[:min(n, int64(len(data)))]
	}
	return &memoryReader{name, contextReader{ctx, bytes.NewReader(data)}}, nil
}

// Stat implements [Volume].
func (m *MemoryVolume) Stat(ctx context.Context, name string) (Object, error) {
	o, err := m.find(ctx, name)
	if err != nil {
		return Object{}, memoryError("stat", name, err)
	}
	return o.Object, nil
}

func (m *MemoryVolume) find(ctx context.Context, name string) (memoryObject, error) {
	if err := check(ctx, name); err != nil {
		return memoryObject{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[name]
	if !ok {
		return memoryObject{}, ErrNotExist
	}
	return o, nil
}

// List implements [Volume]. It lists what is there when the iteration starts.
func (m *MemoryVolume) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, o := range m.snapshot(prefix) {
			if ctx.Err() != nil {
				break
			}
			if !yield(o, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(Object{}, memoryError("list", prefix, context.Cause(ctx)))
		}
	}
}

func (m *MemoryVolume) snapshot(prefix string) []Object {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []Object
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(name, prefix) {
			all = append(all, m.objects[name].Object)
		}
	}
	return all
}

// Delete implements [Volume].
func (m *MemoryVolume) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return memoryError("delete", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}

// MaxObjectSize implements [SizeLimiter].
func (m *MemoryVolume) MaxObjectSize() int64 {
	if m.Limit > 0 {
		return m.Limit
	}
	return math.MaxInt64
}

// SweepUnfinished implements [Sweeper]. There is never anything to remove: what
// a Put has read is gone when it fails.
func (m *MemoryVolume) SweepUnfinished(ctx context.Context, _ time.Time) (int, error) {
	if ctx.Err() != nil {
		return 0, memoryError("sweep", "", context.Cause(ctx))
	}
	return 0, nil
}

func check(ctx context.Context, name string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return CheckName(name)
}

func memoryError(op, name string, err error) error {
	return &Error{Op: op, Volume: "memory", Name: name, Err: err}
}

func notStored(name string, err error) error {
	return memoryError("put", name, fmt.Errorf("%w: %w", ErrNotApplied, err))
}

type memoryReader struct {
	name string
	r    contextReader
}

func (r *memoryReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = memoryError("read", r.name, err)
	}
	return n, err
}

func (r *memoryReader) Close() error { return nil }

// contextReader reads r as long as ctx is not done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	if n < 0 || n > len(p) {
		return 0, errors.New("a Reader returned an impossible count")
	}
	return n, err
}
