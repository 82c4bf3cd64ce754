package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/bits"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/storage"
)

// putters are the three ways to store, by Op.
func putters(f *Faulty) map[string]func(ctx context.Context, name string, data []byte) error {
	return map[string]func(ctx context.Context, name string, data []byte) error{
		"Put": func(ctx context.Context, name string, data []byte) error {
			_, err := f.Put(ctx, name, bytes.NewReader(data))
			return err
		},
		"PutHead": func(ctx context.Context, name string, data []byte) error {
			h, _ := storage.As[storage.HeadPutter](f)
			r := io.MultiReader(bytes.NewReader(make([]byte, 4)), bytes.NewReader(data[4:]))
			_, err := h.PutHead(ctx, name, r, 4, func() ([]byte, error) { return data[:4], nil })
			return err
		},
		"PutIfAbsent": func(ctx context.Context, name string, data []byte) error {
			x, _ := storage.As[storage.ExclusivePutter](f)
			_, err := x.PutIfAbsent(ctx, name, data)
			return err
		},
	}
}

func TestFaultyPuts(t *testing.T) {
	errOwn := errors.New("own")
	for _, size := range []int{10, 16 * mib} {
		for _, c := range []struct {
			name    string
			fault   Fault
			now     bool // stored when the call returns
			late    bool // stored after ApplyLate
			wantErr error
		}{
			{"Fail", Fault{Kind: Fail}, false, false, ErrInjected},
			{"Fail with an own error", Fault{Kind: Fail, Err: errOwn}, false, false, errOwn},
			{"Fail after 5 bytes", Fault{Kind: Fail, After: 5}, false, false, ErrInjected},
			{"Fail after 9 MiB or at the end", Fault{Kind: Fail, After: 9 * mib}, false, false, ErrInjected},
			{"Fail far behind the end", Fault{Kind: Fail, After: 1 << 40}, false, false, ErrInjected},
			{"LostAnswer", Fault{Kind: LostAnswer}, true, true, ErrInjected},
			{"LateApply", Fault{Kind: LateApply}, false, true, ErrInjected},
			{"Delay", Fault{Kind: Delay, Delay: time.Microsecond, After: 5}, true, true, nil},
			{"none, since it is ShortBody", Fault{Kind: ShortBody}, true, true, nil},
			{"none, since it is for Delete", Fault{Op: "Delete"}, true, true, nil},
			{"none, since it is for another name", Fault{Match: func(name string) bool { return name == "other" }}, true, true, nil},
		} {
			for _, op := range []string{"Put", "PutHead", "PutIfAbsent"} {
				if op == "PutIfAbsent" && size > storage.MaxExclusive {
					continue
				}
				data := large()[:size]
				m := storage.Memory()
				f := NewFaulty(m, 1)
				f.Inject(c.fault)
				err := putters(f)[op](t.Context(), "name", data)
				if !errors.Is(err, c.wantErr) {
					t.Errorf("%s of %d bytes with %s: %v, want %v", op, size, c.name, err, c.wantErr)
				}
				if c.wantErr != nil {
					failsWith(t, op, "name", err, c.wantErr)
				}
				expectStored(t, m, c.name, data, c.now)
				if err := f.ApplyLate(t.Context()); err != nil {
					t.Errorf("ApplyLate: %v", err)
				}
				expectStored(t, m, c.name+", after ApplyLate", data, c.late)
				if calls := f.Calls(); !slices.Equal(calls, []Call{{op, "name"}}) {
					t.Errorf("Calls = %v", calls)
				}
			}
		}
	}
}

func expectStored(t *testing.T, v storage.Volume, when string, data []byte, want bool) {
	t.Helper()
	if want {
		holds(t, v, when, "name", data)
	} else {
		absent(t, v, when, "name")
	}
}

// TestFaultyReaderFirst has the source fail before a fault can: the first cause is told.
func TestFaultyReaderFirst(t *testing.T) {
	for _, ft := range []Fault{{After: 1000}, {Kind: LostAnswer}, {Kind: LateApply}} {
		f := NewFaulty(storage.Memory(), 1)
		f.Inject(ft)
		if _, err := f.Put(t.Context(), "name", &source{data: large()[:10], end: errSource}); !errors.Is(err, errSource) {
			t.Errorf("%+v: %v, want the reader's error", ft, err)
		}
		absent(t, f.Unwrap(), "after a failed Put", "name")
		if err := f.ApplyLate(t.Context()); err != nil {
			t.Error(err)
		}
		absent(t, f.Unwrap(), "after ApplyLate of a failed Put", "name")
	}
}

func TestFaultyBodies(t *testing.T) {
	for _, size := range []int{1, 10, 16 * mib} {
		data := large()[:size]
		m := storage.Memory()
		mustPut(t, m, "name", data)
		for _, op := range []string{"", "Open", "Read"} {
			if op == "" && size > mib {
				continue // as "Open", and large ones take their time
			}
			for _, after := range []int64{0, 5, 9 * mib} {
				served := min(after, int64(size))
				f := NewFaulty(m, uint64(size))
				f.Inject(Fault{Op: op, Kind: Fail, After: after})
				got, err := readAll(t, f)
				if !errors.Is(err, ErrInjected) || !bytes.Equal(got, data[:served]) {
					t.Errorf("%q Fail after %d of %d: %d bytes, %v", op, after, size, len(got), err)
				}

				f.Reset()
				f.Inject(Fault{Op: op, Kind: ShortBody, After: after})
				got, err = readAll(t, f)
				if err != nil || !bytes.Equal(got, data[:min(after, int64(size)-1)]) {
					t.Errorf("%q ShortBody after %d of %d: %d bytes, %v", op, after, size, len(got), err)
				}

				f.Reset()
				f.Inject(Fault{Op: op, Kind: FlipBit, After: after})
				got, err = readAll(t, f)
				at, n := flipped(got, data)
				if err != nil || n != 1 || at < min(after, int64(size)-1) {
					t.Errorf("%q FlipBit after %d of %d: %d bits differ, the first in byte %d, %v", op, after, size, n, at, err)
				}
				if f.Struck() != 1 {
					t.Errorf("Struck = %d, want 1", f.Struck())
				}
				f.Reset()
				holds(t, f, "without faults", "name", data)
			}
		}
	}
}

func readAll(t *testing.T, v storage.Volume) ([]byte, error) {
	body, err := v.Open(t.Context(), "name", 0, -1)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// flipped counts the bits that differ; -1 if the lengths do.
func flipped(got, want []byte) (first int64, n int) {
	if len(got) != len(want) {
		return 0, -1
	}
	for i := range got {
		if d := bits.OnesCount8(got[i] ^ want[i]); d > 0 {
			if n == 0 {
				first = int64(i)
			}
			n += d
		}
	}
	return first, n
}

// TestFaultyFlipInRange has the flip fall into the range that was asked for, at a place that the seed decides.
func TestFaultyFlipInRange(t *testing.T) {
	m := storage.Memory()
	data := large()[:mib]
	mustPut(t, m, "name", data)
	places := make(map[uint64][]byte)
	for _, seed := range []uint64{1, 2, 1} {
		f := NewFaulty(m, seed)
		f.Inject(Fault{Kind: FlipBit})
		body, err := f.Open(t.Context(), "name", 1000, 5000)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if _, n := flipped(got, data[1000:6000]); n != 1 || err != nil {
			t.Errorf("%d bits differ, %v", n, err)
		}
		if old, ok := places[seed]; ok && !bytes.Equal(old, got) {
			t.Errorf("the same seed flips another bit")
		}
		places[seed] = got
	}
	if bytes.Equal(places[1], places[2]) {
		t.Errorf("two seeds flip the same of 40,000 bits")
	}
}

func TestFaultyNth(t *testing.T) {
	f := NewFaulty(storage.Memory(), 1)
	f.Inject(
		Fault{Op: "Put", Match: func(name string) bool { return name == "a" }, Nth: 2},
		Fault{Op: "Put", Nth: 5},
	)
	var got []bool
	for _, name := range []string{"a", "b", "a", "a", "c", "a"} {
		_, err := f.Put(t.Context(), name, bytes.NewReader(nil))
		got = append(got, err != nil)
	}
	if want := []bool{false, false, true, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("calls failed: %v, want %v", got, want)
	}
}

func TestFaultyOthers(t *testing.T) {
	for _, c := range []struct {
		kind      Kind
		now, late bool // deleted
	}{{Fail, false, false}, {LostAnswer, true, true}, {LateApply, false, true}} {
		m := storage.Memory()
		mustPut(t, m, "name", large()[:10])
		f := NewFaulty(m, 1)
		f.Inject(Fault{Kind: c.kind})
		_, err := f.Stat(t.Context(), "name")
		failsWith(t, "Stat", "name", err, ErrInjected)
		_, err = f.Open(t.Context(), "name", 0, -1)
		failsWith(t, "Open", "name", err, ErrInjected)
		_, err = storage.ListAll(t.Context(), f, "na")
		failsWith(t, "List", "na", err, ErrInjected)
		failsWith(t, "Delete", "name", f.Delete(t.Context(), "name"), ErrInjected)
		expectStored(t, m, "after Delete", large()[:10], !c.now)
		if err := f.ApplyLate(t.Context()); err != nil {
			t.Error(err)
		}
		expectStored(t, m, "after Delete and ApplyLate", large()[:10], !c.late)
	}
}

func TestFaultyListAfter(t *testing.T) {
	m := storage.Memory()
	for _, name := range []string{"a", "b", "c"} {
		mustPut(t, m, name, nil)
	}
	for after, want := range []int{0, 1, 2, 3, 3} {
		f := NewFaulty(m, 1)
		f.Inject(Fault{Op: "List", After: int64(after)})
		n, failures := 0, 0
		for _, err := range f.List(t.Context(), "") {
			if err != nil {
				failures++
			} else {
				n++
			}
		}
		if n != want || failures != 1 {
			t.Errorf("After %d: %d names and %d errors, want %d and 1", after, n, failures, want)
		}
	}
}

// TestFaultyLateExclusive has a claim arrive after another one took the name: that one stays.
func TestFaultyLateExclusive(t *testing.T) {
	m := storage.Memory()
	f := NewFaulty(m, 1)
	f.Inject(Fault{Op: "PutIfAbsent", Kind: LateApply, Nth: 1})
	claim := putters(f)["PutIfAbsent"]
	if err := claim(t.Context(), "name", []byte("first")); !errors.Is(err, ErrInjected) {
		t.Errorf("first claim: %v", err)
	}
	if err := claim(t.Context(), "name", []byte("second")); err != nil {
		t.Errorf("second claim: %v", err)
	}
	if err := f.ApplyLate(t.Context()); err != nil {
		t.Errorf("ApplyLate: %v", err)
	}
	holds(t, m, "after the late claim", "name", []byte("second"))
}

func TestFaultyDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFaulty(storage.Memory(), 1)
		f.Inject(Fault{Kind: Delay, Delay: time.Hour})
		start := time.Now()
		mustPut(t, f, "name", large()[:10])
		if d := time.Since(start); d != time.Hour {
			t.Errorf("Put took %v, want an hour", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		_, err := f.Open(ctx, "name", 0, -1)
		if d := time.Since(start); d != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open took %v, %v, want the deadline of a minute", d, err)
		}
	})
}

// plain is a volume without capabilities.
type plain struct{ storage.Volume }

func TestFaultyCapabilities(t *testing.T) {
	f := NewFaulty(plain{storage.Memory()}, 1)
	if _, ok := storage.As[storage.HeadPutter](f); ok {
		t.Error("a HeadPutter over a volume that is none")
	}
	if _, ok := storage.As[storage.ExclusivePutter](f); ok {
		t.Error("an ExclusivePutter over a volume that is none")
	}
	if _, ok := storage.As[storage.Sweeper](f); ok {
		t.Error("a Sweeper over a volume that is none")
	}
	if _, ok := storage.As[storage.Sweeper](NewFaulty(storage.Memory(), 1)); !ok {
		t.Error("no Sweeper over a volume that is one")
	}
}
