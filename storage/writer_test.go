package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func stored(t *testing.T, v storage.Volume, name string) bool {
	t.Helper()
	_, err := v.Stat(t.Context(), name)
	if err != nil && !errors.Is(err, storage.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestWriterCommit(t *testing.T) {
	for _, writes := range []int{0, 1, 1000} {
		v := storage.Memory()
		w := storage.Create(t.Context(), v, "name")
		var want bytes.Buffer
		for i := range writes {
			fmt.Fprintf(io.MultiWriter(w, &want), "line %d\n", i)
		}
		if stored(t, v, "name") {
			t.Errorf("%d writes: stored before Commit", writes)
		}
		o, err := w.Commit()
		if err != nil || o.Name != "name" || o.Size != int64(want.Len()) {
			t.Errorf("%d writes: Commit = %+v, %v", writes, o, err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("Close after Commit: %v", err)
		}
		if again, err := w.Commit(); err != nil || again != o {
			t.Errorf("second Commit = %+v, %v, want the same", again, err)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Write after Commit: %v, want fs.ErrClosed", err)
		}
		got, err := storage.ReadObject(t.Context(), v, "name", 1<<20)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%d writes: stored %d bytes, %v, want %d", writes, len(got), err, want.Len())
		}
	}
}

func TestWriterClose(t *testing.T) {
	v := storage.Memory()
	for _, data := range []string{"", "data"} {
		w := storage.Create(t.Context(), v, "name")
		if _, err := io.WriteString(w, data); data != "" && err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := w.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		if stored(t, v, "name") {
			t.Errorf("Close without Commit stored %q", data)
		}
		if _, err := w.Commit(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Commit after Close: %v, want fs.ErrClosed", err)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Write after Close: %v, want fs.ErrClosed", err)
		}
	}
}

// TestWriterFirstError has the volume fail in the middle: every later call says so
// (pingcap/tidb#71162: a writer that forgets a part's error publishes the prefix).
func TestWriterFirstError(t *testing.T) {
	v := storagetest.NewFaulty(storage.Memory(), 1)
	v.Inject(storagetest.Fault{Op: "Put", After: 10_000})
	w := storage.Create(t.Context(), v, "name")
	var first error
	for i := 0; first == nil && i < 100; i++ {
		_, first = w.Write(make([]byte, 1000))
	}
	if !errors.Is(first, storagetest.ErrInjected) {
		t.Fatalf("Write: %v, want the volume's error", first)
	}
	v.Reset()
	if _, err := w.Write([]byte("more")); err != first {
		t.Errorf("Write after it: %v, want the first error", err)
	}
	if _, err := w.Commit(); err != first {
		t.Errorf("Commit after it: %v, want the first error", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if stored(t, v, "name") {
		t.Error("stored in spite of an error")
	}
}

func TestWriterCommitFails(t *testing.T) {
	for _, kind := range []storagetest.Kind{storagetest.Fail, storagetest.LostAnswer, storagetest.LateApply} {
		v := storagetest.NewFaulty(storage.Memory(), 1)
		v.Inject(storagetest.Fault{Op: "Put", Kind: kind, After: 1 << 30})
		w := storage.Create(t.Context(), v, "name")
		if _, err := io.WriteString(w, "data"); err != nil {
			t.Fatal(err)
		}
		if o, err := w.Commit(); !errors.Is(err, storagetest.ErrInjected) || o != (storage.Object{}) {
			t.Errorf("Commit = %+v, %v, want the volume's error", o, err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	w := storage.Create(t.Context(), storage.Memory(), "../name")
	if _, err := w.Commit(); !errors.Is(err, storage.ErrInvalidName) {
		t.Errorf("Commit under an invalid name: %v", err)
	}
}

// lying is a volume whose Put returns nil without reading all.
type lying struct{ storage.Volume }

func (l lying) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	return l.Volume.Put(ctx, name, io.LimitReader(r, 3))
}

// ignorant is a volume that stores what it got of a broken source.
type ignorant struct{ storage.Volume }

func (l ignorant) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	data, _ := io.ReadAll(r)
	return l.Volume.Put(context.WithoutCancel(ctx), name, bytes.NewReader(data))
}

func TestWriterOverBrokenVolumes(t *testing.T) {
	w := storage.Create(t.Context(), lying{storage.Memory()}, "name")
	if _, err := io.WriteString(w, "data"); err == nil {
		if _, err = w.Commit(); err == nil {
			t.Error("Commit over a volume that stored 3 of 4 bytes succeeded")
		}
	}
	w.Close()
	w = storage.Create(t.Context(), ignorant{storage.Memory()}, "name")
	_, _ = io.WriteString(w, "data")
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "although it was closed before Commit") {
		t.Errorf("Close over a volume that stores on a read error: %v", err)
	}
}

// TestWriterCancel has the ctx end while Put waits for the next Write: no goroutine stays, even before Close.
func TestWriterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		v := returning{storage.Memory(), make(chan struct{})}
		ctx, cancel := context.WithCancelCause(t.Context())
		w := storage.Create(ctx, v, "name")
		if _, err := io.WriteString(w, "data"); err != nil {
			t.Error(err)
		}
		cancel(cause)
		synctest.Wait()
		select {
		case <-v.returned:
		default:
			t.Error("Put still waits after its ctx has ended")
		}
		if _, err := w.Write([]byte("more")); !errors.Is(err, cause) {
			t.Errorf("Write: %v, want the cause", err)
		}
		if _, err := w.Commit(); !errors.Is(err, cause) {
			t.Errorf("Commit: %v, want the cause", err)
		}
		if stored(t, v, "name") {
			t.Error("stored although the ctx was cancelled")
		}
	}) // which fails if a goroutine is left
}

// returning tells when Put has returned.
type returning struct {
	*storage.MemoryVolume
	returned chan struct{}
}

func (v returning) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	defer close(v.returned)
	return v.MemoryVolume.Put(ctx, name, r)
}
