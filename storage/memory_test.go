package storage_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

func TestMemoryClock(t *testing.T) {
	now := time.Date(2026, 11, 22, 17, 55, 0, 0, time.UTC)
	v := &storage.MemoryVolume{Now: func() time.Time { return now }}
	put(t, v, "old", "data")
	now = now.Add(time.Hour)
	put(t, v, "new", "data")
	for name, want := range map[string]time.Time{"old": now.Add(-time.Hour), "new": now} {
		if o, err := v.Stat(t.Context(), name); err != nil || !o.ModTime.Equal(want) {
			t.Errorf("Stat(%q) = %+v, %v, want %v", name, o, err, want)
		}
	}
}

func TestMemoryNotApplied(t *testing.T) {
	v := &storage.MemoryVolume{Limit: 3}
	put(t, v, "taken", "x")
	head := func() ([]byte, error) { return nil, errors.New("no head") }
	for name, call := range map[string]func() (storage.Object, error){
		"a read error":   func() (storage.Object, error) { return v.Put(t.Context(), "n", zerosThen{io.ErrUnexpectedEOF}) },
		"a limit":        func() (storage.Object, error) { return v.Put(t.Context(), "n", strings.NewReader("four")) },
		"a name":         func() (storage.Object, error) { return v.Put(t.Context(), "/", strings.NewReader("x")) },
		"a head":         func() (storage.Object, error) { return v.PutHead(t.Context(), "n", strings.NewReader("x"), 1, head) },
		"an old object":  func() (storage.Object, error) { return v.PutIfAbsent(t.Context(), "taken", nil) },
		"too large data": func() (storage.Object, error) { return v.PutIfAbsent(t.Context(), "n", make([]byte, 4)) },
	} {
		if _, err := call(); !errors.Is(err, storage.ErrNotApplied) {
			t.Errorf("refused for %s: %v, want ErrNotApplied", name, err)
		}
	}
}
