package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/databasement/backup/storage"
)

func stat(t testing.TB, v storage.Volume) {
	mustPut(t, v, "there/object", []byte("data"))
	for _, name := range []string{"missing", "there/missing", "there", "there/obj", "there/object2", "no/such/place"} {
		_, err := v.Stat(t.Context(), name)
		failsWith(t, fmt.Sprintf("Stat(%q) of a missing object", name), name, err, storage.ErrNotExist)
	}
}

// tricky are names, in byte order, that directories and locales order otherwise.
var tricky = []string{"A", "a b", "a%b", "a+b", "a-b/c", "a-b/d", "a.b", "a/b", "a/b-c", "a/c/d", "a/c/e", "a0", "aa", "b", "b%2Fc", "z", "é", "日本/語"}

// names lists, and fails unless an iteration without error gives each name once, in order.
func names(t testing.TB, v storage.Volume, prefix string) []string {
	t.Helper()
	var got []string
	for o, err := range v.List(t.Context(), prefix) {
		if err != nil {
			t.Errorf("List(%q) after %d names: %v", prefix, len(got), err)
			return nil
		}
		if !strings.HasPrefix(o.Name, prefix) {
			t.Errorf("List(%q) gives %q, without the prefix", prefix, o.Name)
		}
		if len(got) > 0 && o.Name <= got[len(got)-1] {
			t.Errorf("List(%q) gives %q after %q, want byte order of the whole name", prefix, o.Name, got[len(got)-1])
		}
		got = append(got, o.Name)
	}
	return got
}

func listOrder(t testing.TB, v storage.Volume) {
	if got := names(t, v, ""); len(got) > 0 {
		t.Errorf("List of an empty volume gives %q", got)
	}
	for _, i := range []int{7, 0, 12, 3, 9, 1, 17, 5, 14, 10, 2, 16, 8, 4, 15, 6, 13, 11} {
		mustPut(t, v, tricky[i], []byte(tricky[i]))
	}
	if got := names(t, v, ""); !slices.Equal(got, tricky) {
		t.Errorf("List gives\n%q, want\n%q", got, tricky)
	}
	for o, err := range v.List(t.Context(), "") {
		if err == nil && o.Size != int64(len(o.Name)) {
			t.Errorf("List gives size %d for %q, want %d", o.Size, o.Name, len(o.Name))
		}
	}
}

func listPrefix(t testing.TB, v storage.Volume) {
	for _, name := range tricky {
		mustPut(t, v, name, nil)
	}
	for _, prefix := range []string{
		"a", "a/", "a/b", "a/c", "a/c/", "a-", "a-b", "a-b/", "a-b/c", "a-b/c/", "a%", "a+", "b%2", "é", "日本/", "A",
		"none", "none/", "a/none", "aaa", "/", "//", "a//", ".", "..", "../", "./", "*", "a?b", "%61",
	} {
		var want []string
		for _, name := range tricky {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if got := names(t, v, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) gives %q, want %q", prefix, got, want)
		}
	}
}

func listMany(t testing.TB, v storage.Volume) {
	count := 10_000
	if testing.Short() {
		count = 1_100
	}
	want := make([]string, count)
	for i := range want {
		want[i] = fmt.Sprintf("many/%02d/%05d", i/250, i)
	}
	var wg sync.WaitGroup
	const workers = 16
	for w := range workers {
		wg.Go(func() {
			for i := w; i < count; i += workers {
				if _, err := v.Put(t.Context(), want[i], strings.NewReader("x")); err != nil {
					t.Errorf("Put(%q): %v", want[i], err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := names(t, v, ""); !slices.Equal(got, want) {
		t.Errorf("List gives %d names, want %d", len(got), count)
	}
	if got := names(t, v, "many/03/"); !slices.Equal(got, want[750:1000]) {
		t.Errorf("List of a directory gives %d names, want 250", len(got))
	}
	for _, stop := range []int{1, 999, 1000, 1001} {
		n := 0
		for _, err := range v.List(t.Context(), "") {
			if err != nil {
				t.Errorf("List: %v", err)
			}
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("List gave %d names to a loop that ends after %d", n, stop)
		}
	}
	all, err := storage.ListAll(t.Context(), v, "many/")
	if err != nil || len(all) != count {
		t.Errorf("ListAll = %d objects, %v, want %d", len(all), err, count)
	}
}

// listCancel has the ctx end in the middle of an iteration: the rest may still come
// when the volume has it already, but there is never a clean end to half a list.
func listCancel(t testing.TB, v storage.Volume) {
	const count = 50
	for i := range count {
		mustPut(t, v, fmt.Sprintf("object%02d", i), nil)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	n, failed := 0, false
	for _, err := range v.List(ctx, "") {
		if failed {
			t.Errorf("List went on after its error")
			return
		}
		if err != nil {
			failed = true
			failsWith(t, "List whose ctx is cancelled", "", err, cause, context.Canceled)
			continue
		}
		n++
		cancel(cause)
	}
	if !failed && n < count {
		t.Errorf("List whose ctx is cancelled ended after %d of %d names without an error", n, count)
	}
}

func remove(t testing.TB, v storage.Volume) {
	for _, name := range []string{"d/one", "d/two", "d/three", "other"} {
		mustPut(t, v, name, []byte(name))
	}
	for _, name := range []string{"missing", "d/missing", "no/such/place", "d/on", "d/one2", "d"} {
		if err := v.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q) of a missing object: %v, want nil", name, err)
		}
	}
	for _, name := range []string{"d/one", "d/two", "d/three", "other"} {
		holds(t, v, "after Delete of missing objects", name, []byte(name))
	}
	for i := range 2 { // the second time there is none
		if err := v.Delete(t.Context(), "d/one"); err != nil {
			t.Errorf("Delete, time %d: %v", i+1, err)
		}
		absent(t, v, "after Delete", "d/one")
	}
	holds(t, v, "after Delete of its neighbour", "d/two", []byte("d/two"))
	mustPut(t, v, "d/one", []byte("again"))
	holds(t, v, "after Delete and Put", "d/one", []byte("again"))
	for _, name := range []string{"d/one", "d/two", "d/three"} {
		if err := v.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
	if got := names(t, v, ""); !slices.Equal(got, []string{"other"}) {
		t.Errorf("after Delete of all others List gives %q, want other", got)
	}
}

// cancelled calls each method with a ctx that is done before.
func cancelled(t testing.TB, v storage.Volume) {
	old := []byte("old")
	mustPut(t, v, "there", old)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	for _, name := range []string{"there", "new"} {
		for op, call := range methods(v) {
			failsWith(t, op+" with a cancelled ctx", name, call(ctx, name), cause, context.Canceled)
		}
	}
	n := 0
	for _, err := range v.List(ctx, "th") {
		if n++; n > 1 {
			t.Errorf("List with a cancelled ctx goes on after its error")
		}
		failsWith(t, "List with a cancelled ctx", "th", err, cause, context.Canceled)
	}
	if n == 0 {
		t.Errorf("List with a cancelled ctx has a clean end, want the error of the ctx")
	}
	holds(t, v, "after calls with a cancelled ctx", "there", old)
	absent(t, v, "after calls with a cancelled ctx", "new")
}

// methods are those that take a name, with the capabilities that v has.
func methods(v storage.Volume) map[string]func(ctx context.Context, name string) error {
	m := map[string]func(ctx context.Context, name string) error{
		"Put": func(ctx context.Context, name string) error {
			_, err := v.Put(ctx, name, strings.NewReader("new"))
			return err
		},
		"Open": func(ctx context.Context, name string) error {
			_, err := get(ctx, v, name)
			return err
		},
		"Stat": func(ctx context.Context, name string) error {
			_, err := v.Stat(ctx, name)
			return err
		},
		"Delete": v.Delete,
	}
	if x, ok := storage.As[storage.ExclusivePutter](v); ok {
		m["PutIfAbsent"] = func(ctx context.Context, name string) error {
			_, err := x.PutIfAbsent(ctx, name, []byte("new"))
			return err
		}
	}
	if h, ok := storage.As[storage.HeadPutter](v); ok {
		m["PutHead"] = func(ctx context.Context, name string) error {
			_, err := h.PutHead(ctx, name, bytes.NewReader([]byte("new")), 1, func() ([]byte, error) { return []byte("N"), nil })
			return err
		}
	}
	return m
}
