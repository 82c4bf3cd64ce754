package storage_test

import (
	"testing"

	"github.com/databasement/backup/storage"
)

// plain is a volume without capabilities.
type plain struct{ storage.Volume }

// logged is a wrapper that As looks through.
type logged struct{ storage.Volume }

func (l logged) Unwrap() storage.Volume { return l.Volume }

// limited has a capability of its own, through the method As.
type limited struct{ logged }

type limit int64

func (l limit) MaxObjectSize() int64 { return int64(l) }

func (l limited) As(target any) bool {
	t, ok := target.(*storage.SizeLimiter)
	if ok {
		*t = limit(7)
	}
	return ok
}

func TestAs(t *testing.T) {
	m := storage.Memory()
	for _, c := range []struct {
		name string
		v    storage.Volume
		want bool
	}{
		{"nil", nil, false},
		{"itself", m, true},
		{"under a wrapper", logged{logged{m}}, true},
		{"under one that does not unwrap", plain{m}, false},
		{"under one that does not unwrap, under one that does", logged{plain{m}}, false},
		{"under a wrapper of nothing", logged{}, false},
		{"under a method As that has another", limited{logged{m}}, true},
	} {
		if _, ok := storage.As[storage.HeadPutter](c.v); ok != c.want {
			t.Errorf("%s: As[HeadPutter] = %t, want %t", c.name, ok, c.want)
		}
	}
	l, ok := storage.As[storage.SizeLimiter](logged{limited{logged{m}}})
	if !ok || l.MaxObjectSize() != 7 {
		t.Errorf("As[SizeLimiter] = %v, %t, want the limit of 7 from the method As", l, ok)
	}
	if got, ok := storage.As[*storage.MemoryVolume](logged{m}); !ok || got != m {
		t.Errorf("As[*MemoryVolume] = %p, %t, want %p", got, ok, m)
	}
}
