package localfs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

const oldBody, newBody = "the old body of it", "and this is the new body"

// Each way of storing newBody under a name.
var putters = map[string]func(ctx context.Context, v *Volume, name string) error{
	"Put": func(ctx context.Context, v *Volume, name string) error {
		_, err := v.Put(ctx, name, strings.NewReader(newBody))
		return err
	},
	"PutHead": func(ctx context.Context, v *Volume, name string) error {
		_, err := v.PutHead(ctx, name, strings.NewReader("---"+newBody[3:]), 3, func() ([]byte, error) {
			return []byte(newBody[:3]), nil
		})
		return err
	},
	"PutIfAbsent": func(ctx context.Context, v *Volume, name string) error {
		_, err := v.PutIfAbsent(ctx, name, []byte(newBody))
		return err
	},
}

// PITFALLS 27: each flush, and in this order.
func TestOrderOfCalls(t *testing.T) {
	begin := []string{"mkdir d", "mkdir d/e", "create d/e/.tmp", "syncdir d", "syncdir ."}
	tests := map[string][]string{
		"Put":         {"write d/e/.tmp", "fsync d/e/.tmp", "close d/e/.tmp", "rename d/e/.tmp d/e/x", "syncdir d/e"},
		"PutHead":     {"write d/e/.tmp", "writeat d/e/.tmp", "fsync d/e/.tmp", "close d/e/.tmp", "rename d/e/.tmp d/e/x", "syncdir d/e"},
		"PutIfAbsent": {"write d/e/.tmp", "fsync d/e/.tmp", "close d/e/.tmp", "link d/e/.tmp d/e/x", "remove d/e/.tmp", "syncdir d/e"},
	}
	for name, want := range tests {
		d := newDisk()
		v := volumeOn(d)
		if err := putters[name](t.Context(), v, "d/e/x"); err != nil {
			t.Fatal(err)
		}
		if want = append(slices.Clone(begin), want...); !slices.Equal(d.log, want) {
			t.Errorf("%s\n did  %q\n want %q", name, d.log, want)
		}
		d.log = nil
		if err := v.Delete(t.Context(), "d/e/x"); err != nil {
			t.Fatal(err)
		}
		if want := []string{"remove d/e/x", "syncdir d/e", "rmdir d/e", "rmdir d"}; !slices.Equal(d.log, want) {
			t.Errorf("Delete after %s\n did  %q\n want %q", name, d.log, want)
		}
		d.log = nil
		if err := v.Delete(t.Context(), "d/e/x"); err != nil {
			t.Fatal(err)
		}
		if want := []string{"syncdir ."}; !slices.Equal(d.log, want) {
			t.Errorf("Delete of nothing\n did  %q\n want %q", d.log, want)
		}
	}
}

// crashes fails the power after each number of calls, in many ways each, and
// returns the first thing that it then found wrong.
func crashes(t *testing.T, lies func(op string) bool) (wrong string) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for how, put := range putters {
		for _, name := range []string{"x", "d/x", "new/dir/x"} {
			body := map[string]string{"keep": oldBody, "d/keep": oldBody}
			if how != "PutIfAbsent" && name != "new/dir/x" {
				body[name] = oldBody
			}
			for calls, err := 0, errPower; err != nil; calls++ {
				for range 30 {
					d := newDisk()
					d.fill(body)
					d.lies, d.power = lies, calls
					err = put(t.Context(), volumeOn(d), name)
					after := d.reboot(rnd)
					if wrong := inspect(t, volumeOn(after), name, body, err); wrong != "" {
						return fmt.Sprintf("%s %s: power failed after %d calls, error %v: %s; disk %s", how, name, calls, err, wrong, after)
					}
				}
			}
		}
	}
	return ""
}

// inspect looks for what must not be after Put of name returned perr.
func inspect(t *testing.T, v *Volume, name string, body map[string]string, perr error) (wrong string) {
	for other, want := range body {
		if got, err := slurp(t.Context(), v, other); other != name && (got != want || err != nil) {
			return fmt.Sprintf("%s = %q, %v", other, got, err)
		}
	}
	got, err := slurp(t.Context(), v, name)
	old, had := body[name]
	switch {
	case err == nil && got == newBody:
	case perr == nil:
		return fmt.Sprintf("stored, but then %q, %v", got, err)
	case had && (err != nil || got != old):
		return fmt.Sprintf("neither old nor new: %q, %v", got, err)
	case !had && !errors.Is(err, storage.ErrNotExist):
		return fmt.Sprintf("neither nothing nor new: %q, %v", got, err)
	}
	if _, err := v.SweepUnfinished(t.Context(), time.Now()); err != nil {
		return "sweep: " + err.Error()
	}
	if strings.Contains(v.fs.(*disk).String(), tempPrefix) {
		return "a temporary file outlived a sweep"
	}
	return ""
}

func TestPowerFailure(t *testing.T) {
	if wrong := crashes(t, nil); wrong != "" {
		t.Error(wrong)
	}
}

// The simulation notices each flush that is left out.
func TestPowerFailureNoticesMissingFlush(t *testing.T) {
	for _, lie := range []string{"fsync", "syncdir .", "syncdir d", "syncdir new", "syncdir new/dir"} {
		if wrong := crashes(t, func(op string) bool { return op == lie }); wrong == "" {
			t.Errorf("nothing wrong without %q", lie)
		}
	}
}

// Delete is durable too: what it removed does not come back.
func TestPowerFailureAfterDelete(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		d := newDisk()
		v := volumeOn(d)
		put(t, v, "d/e/x", oldBody)
		d.flushAll()
		if err := v.Delete(t.Context(), "d/e/x"); err != nil {
			t.Fatal(err)
		}
		after := d.reboot(rnd)
		if got := names(t, volumeOn(after), ""); len(got) != 0 {
			t.Fatalf("deleted, but then %q", got)
		}
	}
}

// PITFALLS 28: an error of any call is an error of Put, which says rightly
// whether something may have been stored.
func TestFailingCalls(t *testing.T) {
	tests := []struct {
		how, call  string
		done       bool // the call is done and then reported as failed
		notApplied bool
	}{
		{"Put", "create", false, true},
		{"Put", "syncdir d", false, true},
		{"Put", "syncdir .", false, true},
		{"Put", "write", false, true},
		{"Put", "fsync", false, true},
		{"Put", "close", false, true},
		{"Put", "rename", false, true},
		{"Put", "rename", true, false},
		{"Put", "syncdir d/e", false, false},
		{"PutHead", "writeat", false, true},
		{"PutHead", "fsync", false, true},
		{"PutIfAbsent", "write", false, true},
		{"PutIfAbsent", "fsync", false, true},
		{"PutIfAbsent", "close", false, true},
		{"PutIfAbsent", "syncdir d/e", false, false},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s/%s/done=%v", test.how, test.call, test.done), func(t *testing.T) {
			d := newDisk()
			v := volumeOn(d)
			put(t, v, "d/e/keep", oldBody)
			if test.how != "PutIfAbsent" {
				put(t, v, "d/e/x", oldBody)
			}
			hook := func(op string) error {
				if op == test.call || strings.HasPrefix(op, test.call+" ") && !strings.HasPrefix(test.call, "syncdir") {
					return syscall.ENOSPC
				}
				return nil
			}
			if d.before = hook; test.done {
				d.before, d.after = nil, hook
			}
			err := putters[test.how](t.Context(), v, "d/e/x")
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v, want ENOSPC", err)
			}
			if got := errors.Is(err, storage.ErrNotApplied); got != test.notApplied {
				t.Errorf("ErrNotApplied: %v, want %v (%v)", got, test.notApplied, err)
			}
			got, err := slurp(t.Context(), v, "d/e/x")
			if isOld := got == oldBody || errors.Is(err, storage.ErrNotExist); isOld != test.notApplied {
				t.Errorf("object is %q, %v", got, err)
			}
			if left := d.String(); strings.Contains(left, tempPrefix) {
				t.Errorf("left: %s", left)
			}
		})
	}
}
