package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/iotest"

	"github.com/databasement/backup/storage"
)

func openRanges(t testing.TB, v storage.Volume) {
	for _, size := range []int{0, 1, 100 * kib, 2*chunk + 5} {
		data := some(v, size)
		name := fmt.Sprintf("ranges/%d", size)
		mustPut(t, v, name, data)
		end := int64(len(data))
		offsets := []int64{0, 1, end / 2, end - 1, end, end + 1, math.MaxInt64, -1, math.MinInt64}
		lengths := []int64{-1, 0, 1, 10, end, math.MaxInt64, math.MinInt64}
		if end > chunk {
			offsets = []int64{0, chunk - 3, chunk, end - 2, end, end + 1}
			lengths = []int64{-1, 0, 1, 7, chunk, math.MaxInt64}
		}
		for _, off := range offsets {
			for _, n := range lengths {
				openRange(t, v, name, data, off, n)
			}
		}
	}
}

func openRange(t testing.TB, v storage.Volume, name string, data []byte, off, n int64) {
	t.Helper()
	what := fmt.Sprintf("Open(off %d, n %d) of %d bytes", off, n, len(data))
	if off < 0 || off > int64(len(data)) {
		failsWith(t, what, name, matches(t.Context(), v, name, off, n, nil), storage.ErrInvalidRange)
		return
	}
	want := data[off:]
	if n >= 0 {
		want = want[:min(n, int64(len(want)))]
	}
	if err := matches(t.Context(), v, name, off, n, want); err != nil {
		t.Errorf("%s does not give bytes %d to %d: %v", what, off, off+int64(len(want)), err)
	}
}

func openReader(t testing.TB, v storage.Volume) {
	data := some(v, 40*kib)
	mustPut(t, v, "reader", data)
	body, err := v.Open(t.Context(), "reader", 0, -1)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := iotest.TestReader(body, data); err != nil {
		t.Errorf("testing/iotest about the reader of Open: %v", err)
	}
	for range 2 {
		if n, err := body.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("Read after the end = %d, %v, want 0, io.EOF", n, err)
		}
	}
	if err := body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func openMissing(t testing.TB, v storage.Volume) {
	mustPut(t, v, "there/object", []byte("data"))
	for _, name := range []string{"missing", "there/missing", "there", "there/obj", "there/object2", "no/such/place"} {
		for _, n := range []int64{-1, 0, 10} {
			err := matches(t.Context(), v, name, 0, n, nil)
			failsWith(t, fmt.Sprintf("Open(%q, 0, %d) of a missing object", name, n), name, err, storage.ErrNotExist)
		}
	}
}

// openCancel has the ctx end between Open and the last Read.
func openCancel(t testing.TB, v storage.Volume) {
	for _, size := range []int{100, chunk + 5} {
		data := some(v, size)
		mustPut(t, v, "cancelled", data)
		for _, at := range []int{0, 10, len(data) / 2} {
			cause := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			body, err := v.Open(ctx, "cancelled", 0, -1)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if _, err := io.CopyN(io.Discard, body, int64(at)); err != nil {
				t.Errorf("Read: %v", err)
			}
			cancel(cause)
			n, err := io.Copy(io.Discard, body)
			what := fmt.Sprintf("Read of the other %d bytes once the ctx was cancelled", len(data)-at)
			if err == nil {
				t.Errorf("%s gave %d bytes and a clean end, want the error of the ctx", what, n)
			} else if !errors.Is(err, cause) && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error is %q, want the ctx's", what, err)
			}
			body.Close()
		}
	}
}

func openCloseEarly(t testing.TB, v storage.Volume) {
	data := some(v, chunk+5)
	mustPut(t, v, "early", data)
	for _, n := range []int64{0, 1, chunk} {
		body, err := v.Open(t.Context(), "early", 0, -1)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if _, err := io.CopyN(io.Discard, body, min(n, int64(len(data)))); err != nil {
			t.Errorf("Read: %v", err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("Close after %d of %d bytes: %v", n, len(data), err)
		}
	}
	holds(t, v, "after some were closed early", "early", data)
}

// openDuringReplace reads an object that is replaced, then deleted, meanwhile: what
// it gets may be an error, but never parts of two objects.
func openDuringReplace(t testing.TB, v storage.Volume) {
	before := some(v, chunk+5)
	after := large()[2*chunk:][:len(before)]
	mustPut(t, v, "name", before)
	body, err := v.Open(t.Context(), "name", 0, -1)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer body.Close()
	got := make([]byte, 10)
	if _, err := io.ReadFull(body, got); err != nil {
		t.Fatalf("Read: %v", err)
	}
	mustPut(t, v, "name", after)
	rest, err := io.ReadAll(body)
	if err == nil && !bytes.Equal(append(got, rest...), before) {
		t.Errorf("an object that was replaced while it was read gave neither the old bytes nor an error")
	}
	holds(t, v, "after Put over an object that was being read", "name", after)
}
