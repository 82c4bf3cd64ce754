package storage_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func TestReadObject(t *testing.T) {
	v := storage.Memory()
	put(t, v, "name", "0123456789")
	put(t, v, "empty", "")
	for _, c := range []struct {
		name string
		max  int64
		data string
		want error
	}{
		{"name", 10, "0123456789", nil},
		{"name", math.MaxInt64, "0123456789", nil},
		{"name", 9, "", storage.ErrTooLarge},
		{"name", 0, "", storage.ErrTooLarge},
		{"name", -1, "", storage.ErrTooLarge},
		{"empty", 0, "", nil},
		{"none", 10, "", storage.ErrNotExist},
		{"/", 10, "", storage.ErrInvalidName},
	} {
		got, err := storage.ReadObject(t.Context(), v, c.name, c.max)
		if string(got) != c.data || !errors.Is(err, c.want) {
			t.Errorf("ReadObject(%q, %d) = %q, %v, want %q, %v", c.name, c.max, got, err, c.data, c.want)
		}
	}
	f := storagetest.NewFaulty(v, 1)
	f.Inject(storagetest.Fault{Op: "Read", After: 5})
	if got, err := storage.ReadObject(t.Context(), f, "name", 10); got != nil || !errors.Is(err, storagetest.ErrInjected) {
		t.Errorf("ReadObject of a body that fails = %q, %v", got, err)
	}
}

// endless is a volume that serves more than was asked for, for ever.
type endless struct{ storage.Volume }

func (endless) Open(context.Context, string, int64, int64) (io.ReadCloser, error) {
	return io.NopCloser(zeros{}), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestReadObjectBoundsMemory(t *testing.T) {
	if got, err := storage.ReadObject(t.Context(), endless{}, "name", 1000); got != nil || !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("ReadObject of an endless body = %d bytes, %v, want ErrTooLarge", len(got), err)
	}
}

// lister is a volume that lists the given names, then the error.
type lister struct {
	storage.Volume
	names []string
	err   error
}

func (l lister) List(context.Context, string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		for _, name := range l.names {
			if !yield(storage.Object{Name: name}, nil) {
				return
			}
		}
		if l.err != nil {
			yield(storage.Object{}, l.err)
		}
	}
}

func TestListAll(t *testing.T) {
	boom := errors.New("boom")
	for _, c := range []struct {
		names string
		err   error
		want  string // in the error; "" is success
	}{
		{"", nil, ""},
		{"p/a p/b p/c", nil, ""},
		{"p-", nil, "lacks the prefix"},
		{"p/a q/b", nil, "lacks the prefix"},
		{"p/a p/a", nil, "out of order"},
		{"p/b p/a", nil, "out of order"},
		{"", boom, "boom"},
		{"p/a p/b", boom, "boom"},
	} {
		names := strings.Fields(c.names)
		all, err := storage.ListAll(t.Context(), lister{names: names, err: c.err}, "p/")
		if c.want != "" {
			if all != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ListAll of %q and %v = %v, %v, want no list and %q", c.names, c.err, all, err, c.want)
			}
			continue
		}
		var got []string
		for _, o := range all {
			got = append(got, o.Name)
		}
		if err != nil || !slices.Equal(got, names) {
			t.Errorf("ListAll of %q = %q, %v", c.names, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all, err := storage.ListAll(ctx, lister{names: []string{"p/a"}}, "p/"); all != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("ListAll with a cancelled ctx over a volume that ignores it = %v, %v", all, err)
	}
}
