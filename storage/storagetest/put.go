package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

func putSizes(t testing.TB, v storage.Volume) {
	for _, n := range []int{0, 1, 511, 4 * kib, chunk - 1, chunk, chunk + 1, 2 * chunk, 33 * mib} {
		data := some(v, n)
		name := fmt.Sprintf("sizes/%d", n)
		s := &source{data: data}
		o, err := v.Put(t.Context(), name, s)
		what := fmt.Sprintf("Put of %d bytes", len(data))
		s.over(t, what, false)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if o.Name != name || o.Size != int64(len(data)) {
			t.Errorf("%s returned name %q and size %d", what, o.Name, o.Size)
		}
		holds(t, v, "after "+what, name, data)
	}
}

// putObject compares what Put, Stat and List say of one object.
func putObject(t testing.TB, v storage.Volume) {
	put := mustPut(t, v, "dir/object", []byte("data"))
	st, err := v.Stat(t.Context(), "dir/object")
	if err != nil {
		t.Fatalf("Stat: %v", err)
	}
	all, err := storage.ListAll(t.Context(), v, "")
	if err != nil || len(all) != 1 {
		t.Fatalf("ListAll = %v, %v, want the one object", all, err)
	}
	for what, o := range map[string]storage.Object{"Put": put, "Stat": st, "List": all[0]} {
		if o.Name != "dir/object" || o.Size != 4 {
			t.Errorf("%s gives name %q and size %d, want dir/object and 4", what, o.Name, o.Size)
		}
		if o.ModTime.IsZero() {
			t.Errorf("%s gives no ModTime", what)
		}
		if d := o.ModTime.Sub(st.ModTime).Abs(); d > 2*time.Second && what == "List" {
			t.Errorf("%s gives ModTime %v, Stat %v", what, o.ModTime, st.ModTime)
		}
		if o.ETag != st.ETag && o.ETag != "" {
			t.Errorf("%s gives ETag %q, Stat %q", what, o.ETag, st.ETag)
		}
	}
}

func putReplace(t testing.TB, v storage.Volume) {
	for _, n := range []int{100, 5, 0, 300 * kib, chunk + 1, 7} {
		data := content(uint64(n), int(min(int64(n), room(v))))
		mustPut(t, v, "replaced", data)
		holds(t, v, fmt.Sprintf("after Put of %d bytes over another object", n), "replaced", data)
	}
	if all, err := storage.ListAll(t.Context(), v, ""); err != nil || len(all) != 1 {
		t.Errorf("ListAll = %v, %v, want one object", all, err)
	}
}

// putOddReaders has readers that use all the freedom that io.Reader gives them.
func putOddReaders(t testing.TB, v storage.Volume) {
	small, big := some(v, 20*kib), some(v, chunk+12345)
	for what, s := range map[string]*source{
		"one byte at a time":            {data: small, step: 1},
		"(0, nil) in between":           {data: small, step: 1000, zeros: true},
		"(n, io.EOF) at the end":        {data: small, together: true},
		"(n, io.EOF) after 8 MiB":       {data: some(v, chunk), together: true},
		"(n, io.EOF) at once":           {data: small[:1], together: true},
		"scratch space behind the data": {data: big, step: 4099, scribble: true},
		"odd steps":                     {data: big, step: 70001, zeros: true},
		"nothing after (0, nil)":        {zeros: true},
	} {
		what = "Put from a reader with " + what
		_, err := v.Put(t.Context(), "odd", s)
		s.over(t, what, false)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		holds(t, v, "after "+what, "odd", s.data)
	}
}

var errSource = errors.New("the source broke")

// notTheEnd are errors of a reader that are easily taken for its end.
var notTheEnd = []error{
	errSource,
	io.ErrUnexpectedEOF,
	fmt.Errorf("wrapped: %w", io.EOF),
	io.ErrClosedPipe,
	context.Canceled,
}

func putReadError(t testing.TB, v storage.Volume) {
	for _, n := range []int{0, 1, 100 * kib, chunk - 1, chunk, chunk + 1, 2*chunk + 5} {
		for i, end := range notTheEnd {
			for _, together := range []bool{false, true} {
				if n > mib && (i > 1 || together == (i == 0)) {
					continue // large ones take their time
				}
				s := &source{data: some(v, n), end: end, together: together}
				what := fmt.Sprintf("Put whose reader fails after %d bytes (together with the last ones: %t) with %q", n, together, end)
				failingPut(t, v, what, "failing", nil, s, func() (storage.Object, error) {
					return v.Put(t.Context(), "failing", s)
				}, end)
			}
		}
	}
	if all, err := storage.ListAll(t.Context(), v, ""); err != nil || len(all) > 0 {
		t.Errorf("after failed Puts ListAll = %v, %v, want nothing", all, err)
	}
}

func putReadErrorLeavesOld(t testing.TB, v storage.Volume) {
	old := content(2, 4*kib)
	mustPut(t, v, "old", old)
	for _, n := range []int{0, 1, 4 * kib, chunk, chunk + 1} {
		s := &source{data: some(v, n), end: errSource}
		what := fmt.Sprintf("Put over an object whose reader fails after %d bytes", n)
		failingPut(t, v, what, "old", old, s, func() (storage.Object, error) {
			return v.Put(t.Context(), "old", s)
		}, errSource)
	}
}

// putCancel has the ctx end at each point of a Put, while the reader goes on.
func putCancel(t testing.TB, v storage.Volume) {
	data := some(v, 2*chunk+5)
	cause := errors.New("enough")
	for _, at := range []int{0, 1, 4 * kib, chunk, chunk + 1, len(data)} {
		at = min(at, len(data))
		ctx, cancel := context.WithCancelCause(t.Context())
		s := &source{data: data, before: func(done int) {
			if done >= at {
				cancel(cause)
			}
		}}
		if at > 0 && at < 100 {
			s.step = 1
			s.data = data[:4*kib]
		}
		what := fmt.Sprintf("Put whose ctx is cancelled after %d of %d bytes", at, len(s.data))
		failingPut(t, v, what, "cancelled", nil, s, func() (storage.Object, error) {
			return v.Put(ctx, "cancelled", s)
		}, cause, context.Canceled)
		cancel(nil)
	}
}

// putInvisible looks at the volume from within the reader of a Put.
func putInvisible(t testing.TB, v storage.Volume) {
	data := some(v, chunk+5)
	next := 0
	s := &source{data: data, before: func(done int) {
		if done >= next { // at the start, the end, and every 4 MiB
			next = min(done+4*mib, len(data))
			absent(t, v, fmt.Sprintf("while Put has read %d of %d bytes", done, len(data)), "new")
		}
	}}
	_, err := v.Put(t.Context(), "new", s)
	s.over(t, "Put", false)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	holds(t, v, "after Put", "new", data)
}

func putOldVisible(t testing.TB, v storage.Volume) {
	old, data := content(2, 4*kib), some(v, chunk+5)
	mustPut(t, v, "name", old)
	next := 0
	s := &source{data: data, before: func(done int) {
		if done >= next {
			next = min(done+4*mib, len(data))
			holds(t, v, fmt.Sprintf("while Put over it has read %d of %d bytes", done, len(data)), "name", old)
		}
	}}
	_, err := v.Put(t.Context(), "name", s)
	s.over(t, "Put", false)
	if err != nil {
		t.Fatalf("Put: %v", err)
	}
	holds(t, v, "after Put", "name", data)
}
