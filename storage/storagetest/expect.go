package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"testing"

	"github.com/databasement/backup/storage"
)

// short says a name or data in a message.
func short(b []byte) string {
	if len(b) <= 40 {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%d bytes, %q…", len(b), b[:16])
}

// room is the largest object that v takes.
func room(v storage.Volume) int64 {
	if l, ok := storage.As[storage.SizeLimiter](v); ok {
		return l.MaxObjectSize()
	}
	return math.MaxInt64
}

// some returns n bytes, or as many as the volume takes in one object.
func some(v storage.Volume, n int) []byte {
	return large()[:min(int64(n), room(v))]
}

// mustPut stores data, as part of what a check needs.
func mustPut(t testing.TB, v storage.Volume, name string, data []byte) storage.Object {
	t.Helper()
	o, err := v.Put(t.Context(), name, bytes.NewReader(data))
	if err != nil {
		t.Fatalf("Put(%q) of %d bytes: %v", name, len(data), err)
	}
	return o
}

// get returns the bytes of a small object.
func get(ctx context.Context, v storage.Volume, name string) ([]byte, error) {
	return storage.ReadObject(ctx, v, name, mib)
}

// matches returns nil if the range is just these bytes.
func matches(ctx context.Context, v storage.Volume, name string, off, n int64, want []byte) error {
	body, err := v.Open(ctx, name, off, n)
	if err != nil {
		return err
	}
	defer body.Close()
	buf := make([]byte, 64*kib)
	for done := 0; ; {
		n, err := body.Read(buf)
		if done+n > len(want) {
			return fmt.Errorf("it has more than %d bytes", len(want))
		}
		if i := difference(buf[:n], want[done:]); i < n {
			return fmt.Errorf("it differs at byte %d of %d", done+i, len(want))
		}
		done += n
		switch {
		case err == io.EOF && done < len(want):
			return fmt.Errorf("it ends after %d of %d bytes", done, len(want))
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// difference is where got first differs from the start of want.
func difference(got, want []byte) int {
	if bytes.Equal(got, want[:len(got)]) {
		return len(got)
	}
	i := 0
	for got[i] == want[i] {
		i++
	}
	return i
}

// holds fails unless the object is there, in every way to look, with these bytes.
func holds(t testing.TB, v storage.Volume, when, name string, data []byte) {
	t.Helper()
	o, err := v.Stat(t.Context(), name)
	if err != nil {
		t.Errorf("%s: Stat(%q): %v", when, name, err)
	} else if o.Name != name || o.Size != int64(len(data)) {
		t.Errorf("%s: Stat(%q) gives name %q and size %d, want size %d", when, name, o.Name, o.Size, len(data))
	}
	if err := matches(t.Context(), v, name, 0, -1, data); err != nil {
		t.Errorf("%s: Open(%q) does not give the %d bytes put: %v", when, name, len(data), err)
	}
	if !listed(t, v, name) {
		t.Errorf("%s: List(%q) does not have it", when, name)
	}
}

// absent fails if there is anything of that name, in any way to look.
func absent(t testing.TB, v storage.Volume, when, name string) {
	t.Helper()
	if o, err := v.Stat(t.Context(), name); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("%s: Stat(%q) = %+v, %v, want ErrNotExist", when, name, o, err)
	}
	if got, err := get(t.Context(), v, name); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("%s: Open(%q) = %s, %v, want ErrNotExist", when, name, short(got), err)
	}
	if listed(t, v, name) {
		t.Errorf("%s: List(%q) has it, and it should not be there", when, name)
	}
}

func listed(t testing.TB, v storage.Volume, name string) bool {
	t.Helper()
	for o, err := range v.List(t.Context(), name) {
		if err != nil {
			t.Errorf("List(%q): %v", name, err)
			return false
		}
		if o.Name == name {
			return true
		}
	}
	return false
}

// failsWith fails unless err is a *storage.Error for that name and satisfies one of the targets.
func failsWith(t testing.TB, what, name string, err error, targets ...error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s succeeded, want error %q", what, targets[0])
		return
	}
	found := false
	for _, target := range targets {
		found = found || errors.Is(err, target)
	}
	if !found {
		t.Errorf("%s: error is %q, want one that satisfies errors.Is(err, %q)", what, err, targets[0])
	}
	var e *storage.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: error %q is no *storage.Error", what, err)
	case e.Op == "" || e.Name != name:
		t.Errorf("%s: the *storage.Error has Op %q and Name %q, want an Op and %q", what, e.Op, e.Name, name)
	}
	var inner *storage.Error
	if e != nil && errors.As(e.Err, &inner) && inner.Name == e.Name {
		t.Errorf("%s: one *storage.Error in another (wrap once): %v", what, err)
	}
}

// failingPut runs a Put that must fail with one of the targets and store nothing
// new: afterwards the volume holds old under that name, or nothing if old is nil.
func failingPut(t testing.TB, v storage.Volume, what, name string, old []byte, s *source, put func() (storage.Object, error), targets ...error) {
	t.Helper()
	_, err := put()
	s.over(t, what, true)
	failsWith(t, what, name, err, targets...)
	if old == nil {
		absent(t, v, "after "+what, name)
	} else {
		holds(t, v, "after "+what, name, old)
	}
}
