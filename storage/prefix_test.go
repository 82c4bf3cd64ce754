package storage_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func TestPrefixNames(t *testing.T) {
	m := storage.Memory()
	for _, name := range []string{"a", "a-b/x", "a/x", "a/y/z", "b/x"} {
		put(t, m, name, name)
	}
	for _, dir := range []string{"a", "a/"} {
		all, err := storage.ListAll(t.Context(), storage.Prefix(m, dir), "")
		if err != nil || len(all) != 2 || all[0].Name != "x" || all[1].Name != "y/z" {
			t.Errorf("Prefix(%q) has %v, %v, want x and y/z", dir, all, err)
		}
	}
	nested := storage.Prefix(storage.Prefix(m, "a"), "y")
	put(t, nested, "new", "data")
	if got, err := storage.ReadObject(t.Context(), m, "a/y/new", 10); string(got) != "data" || err != nil {
		t.Errorf("put through two Prefixes: %q, %v", got, err)
	}
	if storage.Prefix(m, "") != storage.Volume(m) {
		t.Error("Prefix with an empty directory is not the volume itself")
	}
	if _, err := storage.Prefix(m, "../x").Stat(t.Context(), "name"); !errors.Is(err, storage.ErrInvalidName) {
		t.Errorf("below an invalid directory: %v, want ErrInvalidName", err)
	}
}

func TestPrefixErrors(t *testing.T) {
	f := storagetest.NewFaulty(storage.Memory(), 1)
	v := storage.Prefix(f, "some/dir")
	put(t, v, "name", "0123456789")
	f.Inject(storagetest.Fault{Op: "Read", After: 5})
	_, err := storage.ReadObject(t.Context(), v, "name", 10)
	errs := map[string]error{"read": err}
	_, errs["stat"] = v.Stat(t.Context(), "none")
	_, errs["open"] = v.Open(t.Context(), "none", 0, -1)
	_, errs["put"] = v.Put(t.Context(), "failing", zerosThen{errors.New("boom")})
	f.Inject(storagetest.Fault{Op: "List"}, storagetest.Fault{Op: "Delete"})
	_, errs["list"] = storage.ListAll(t.Context(), v, "na")
	errs["delete"] = v.Delete(t.Context(), "none")
	for op, err := range errs {
		var e *storage.Error
		if !errors.As(err, &e) || e.Op != op || strings.Contains(e.Name, "dir") || !strings.HasSuffix(e.Volume, "/some/dir") {
			t.Errorf("%s: %v, want the name as the caller knows it and the directory in the volume", op, err)
		}
	}
}

type zerosThen struct{ err error }

func (z zerosThen) Read([]byte) (int, error) { return 0, z.err }

// everything is a volume with every capability.
type everything struct{ *storage.MemoryVolume }

func (everything) Presign(_ context.Context, name string, _ time.Duration) (string, time.Time, error) {
	return "https://example.com/" + name, time.Time{}, nil
}

func (everything) Check(context.Context) []storage.CheckItem { return nil }

func TestPrefixCapabilities(t *testing.T) {
	all := storage.Prefix(logged{everything{storage.Memory()}}, "dir")
	none := storage.Prefix(plain{storage.Memory()}, "dir")
	for name, has := range map[string]func(storage.Volume) bool{
		"ExclusivePutter": has[storage.ExclusivePutter],
		"HeadPutter":      has[storage.HeadPutter],
		"Presigner":       has[storage.Presigner],
		"SizeLimiter":     has[storage.SizeLimiter],
		"Sweeper":         has[storage.Sweeper],
		"Checker":         has[storage.Checker],
	} {
		if !has(all) {
			t.Errorf("no %s over a volume that is one", name)
		}
		if has(none) {
			t.Errorf("a %s over a volume that is none", name)
		}
	}
	if has[io.Closer](all) || has[*storage.MemoryVolume](all) || has[storage.Unwrapper](all) {
		t.Error("Prefix shows what it cannot translate")
	}
	p, _ := storage.As[storage.Presigner](all)
	if url, _, err := p.Presign(t.Context(), "x", time.Hour); url != "https://example.com/dir/x" || err != nil {
		t.Errorf("Presign = %q, %v", url, err)
	}
	if _, _, err := p.Presign(t.Context(), "../x", time.Hour); !errors.Is(err, storage.ErrInvalidName) {
		t.Errorf("Presign of an invalid name: %v", err)
	}
}

func has[T any](v storage.Volume) bool {
	_, ok := storage.As[T](v)
	return ok
}
