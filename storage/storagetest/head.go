package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/databasement/backup/storage"
)

func headStores(t testing.TB, v storage.Volume) {
	h, ok := storage.As[storage.HeadPutter](v)
	if !ok {
		return
	}
	for _, size := range []int{1, 32, storage.MaxHead} {
		for _, n := range []int{size, size + 1, 100 * kib} {
			headStore(t, v, h, size, &source{data: some(v, n)})
		}
	}
	for _, n := range []int{chunk - 1, chunk, chunk + 1, 2*chunk + 5} {
		headStore(t, v, h, 32, &source{data: some(v, n)})
	}
	headStore(t, v, h, 32, &source{data: some(v, chunk+1), step: 70001})
	headStore(t, v, h, storage.MaxHead, &source{data: some(v, 20*kib), step: 1})
	headStore(t, v, h, 32, &source{data: some(v, 4*kib), step: 999, together: true, zeros: true})
}

func headStore(t testing.TB, v storage.Volume, h storage.HeadPutter, size int, s *source) {
	t.Helper()
	what := fmt.Sprintf("PutHead of %d bytes with a head of %d", len(s.data), size)
	head := content(99, size)
	calls := 0
	o, err := h.PutHead(t.Context(), "head", s, size, func() ([]byte, error) {
		calls++
		if !s.ended {
			t.Errorf("%s called head before its reader had ended", what)
		}
		return head, nil
	})
	s.over(t, what, false)
	if calls != 1 {
		t.Errorf("%s called head %d times, want once", what, calls)
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if o.Name != "head" || o.Size != int64(len(s.data)) {
		t.Errorf("%s returned name %q and size %d", what, o.Name, o.Size)
	}
	holds(t, v, "after "+what, "head", append(bytes.Clone(head), s.data[size:]...))
}

var errHead = errors.New("no head to be had")

func headRefuses(t testing.TB, v storage.Volume) {
	h, ok := storage.As[storage.HeadPutter](v)
	if !ok {
		return
	}
	old := content(2, 4*kib)
	mustPut(t, v, "replaced", old)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	good := func() ([]byte, error) { return make([]byte, 32), nil }
	for _, n := range []int{4 * kib, chunk + 5} {
		for _, c := range []struct {
			what string
			ctx  context.Context
			src  *source
			size int
			head func() ([]byte, error)
			want error // nil: any
			call bool  // head may be called
		}{
			{"whose head fails", nil, &source{}, 32, func() ([]byte, error) { return nil, errHead }, errHead, true},
			{"whose head fails with 32 bytes", nil, &source{}, 32, func() ([]byte, error) { return make([]byte, 32), errHead }, errHead, true},
			{"with no head", nil, &source{}, 32, func() ([]byte, error) { return nil, nil }, nil, true},
			{"with a short head", nil, &source{}, 32, func() ([]byte, error) { return make([]byte, 31), nil }, nil, true},
			{"with a long head", nil, &source{}, 32, func() ([]byte, error) { return make([]byte, 33), nil }, nil, true},
			{"whose reader fails", nil, &source{end: errSource}, 32, good, errSource, false},
			{"whose reader ends with io.ErrUnexpectedEOF", nil, &source{end: io.ErrUnexpectedEOF}, 32, good, io.ErrUnexpectedEOF, false},
			{"of size 0", nil, &source{}, 0, good, nil, false},
			{"of size -1", nil, &source{}, -1, good, nil, false},
			{"of a size above MaxHead", nil, &source{}, storage.MaxHead + 1, func() ([]byte, error) { return make([]byte, storage.MaxHead+1), nil }, nil, false},
			{"whose ctx is cancelled in head", ctx, &source{}, 32, func() ([]byte, error) { cancel(); return make([]byte, 32), nil }, context.Canceled, true},
		} {
			for _, name := range []string{"new", "replaced"} {
				if n > mib && name == "new" {
					continue // large ones take their time
				}
				s := &source{data: some(v, n), end: c.src.end}
				headRefuse(t, v, h, fmt.Sprintf("PutHead of %d bytes %s", n, c.what), c.ctx, name, old, s, c.size, c.head, c.want, c.call)
			}
		}
	}
	for _, n := range []int{0, 1, 31} {
		s := &source{data: some(v, n)}
		headRefuse(t, v, h, fmt.Sprintf("PutHead of %d bytes with a head of 32", n), nil, "new", old, s, 32, good, nil, false)
	}
}

func headRefuse(t testing.TB, v storage.Volume, h storage.HeadPutter, what string, ctx context.Context, name string, old []byte,
	s *source, size int, head func() ([]byte, error), want error, mayCall bool) {
	t.Helper()
	if ctx == nil {
		ctx = t.Context()
	}
	calls := 0
	_, err := h.PutHead(ctx, name, s, size, func() ([]byte, error) {
		calls++
		return head()
	})
	s.over(t, what, true)
	if calls > 1 || calls > 0 && !mayCall {
		t.Errorf("%s called head %d times", what, calls)
	}
	if err == nil {
		t.Errorf("%s succeeded", what)
	} else if want != nil {
		failsWith(t, what, name, err, want)
	}
	if name == "new" {
		absent(t, v, "after "+what, name)
	} else {
		holds(t, v, "after "+what, name, old)
	}
}

// headInvisible looks at the volume from within the reader and from within head.
func headInvisible(t testing.TB, v storage.Volume) {
	h, ok := storage.As[storage.HeadPutter](v)
	if !ok {
		return
	}
	old := content(2, 4*kib)
	mustPut(t, v, "replaced", old)
	for _, n := range []int{4 * kib, chunk + 5} {
		for _, name := range []string{"new", "replaced"} {
			look := func(when string) {
				if name == "new" {
					absent(t, v, when, name)
				} else {
					holds(t, v, when, name, old)
				}
			}
			next := 0
			s := &source{data: some(v, n), before: func(done int) {
				if done >= next {
					next = min(done+4*mib, n)
					look(fmt.Sprintf("while PutHead has read %d bytes", done))
				}
			}}
			_, err := h.PutHead(t.Context(), name, s, 32, func() ([]byte, error) {
				look("while PutHead waits for the head")
				return make([]byte, 32), nil
			})
			if err != nil {
				t.Errorf("PutHead: %v", err)
			}
			if err := v.Delete(t.Context(), "new"); err != nil {
				t.Errorf("Delete: %v", err)
			}
			mustPut(t, v, "replaced", old)
		}
	}
}
