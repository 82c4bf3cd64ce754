package retry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"
)

var errOops = errors.New("oops")

func TestDo(t *testing.T) {
	for what, test := range map[string]struct {
		errs  []error // of the calls; then nil
		calls int
		want  error
	}{
		"at once":      {nil, 1, nil},
		"third time":   {[]error{errOops, errOops}, 3, nil},
		"never":        {[]error{errOops, errOops, errOops, errOops, errOops}, 4, errOops},
		"time-out":     {[]error{context.DeadlineExceeded}, 2, nil}, // of one request, as net has it
		"absent":       {[]error{fmt.Errorf("get: %w", fs.ErrNotExist)}, 1, fs.ErrNotExist},
		"refused":      {[]error{errOops, fs.ErrPermission}, 2, fs.ErrPermission},
		"exhausted":    {[]error{fmt.Errorf("get: %w", ErrExhausted)}, 1, ErrExhausted},
		"told to stop": {[]error{Stop(errOops)}, 1, errOops},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, agains := 0, 0
				start := time.Now()
				err := Do(t.Context(), func() error {
					calls++
					if calls <= len(test.errs) {
						return test.errs[calls-1]
					}
					return nil
				}, func(error) { agains++ })
				if !errors.Is(err, test.want) || test.want == nil && err != nil {
					t.Fatalf("got %v, want %v", err, test.want)
				}
				if calls != test.calls || agains != calls-1 {
					t.Fatalf("%d calls and %d repetitions, want %d calls", calls, agains, test.calls)
				}
				if took := time.Since(start); took > 700*time.Millisecond || calls > 1 && took < 50*time.Millisecond {
					t.Fatalf("took %s", took)
				}
			})
		})
	}
}

func TestDoEndsWithCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		start := time.Now()
		if err := Do(ctx, func() error { return errOops }, nil); !errors.Is(err, errOops) {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 20*time.Millisecond {
			t.Fatalf("waited %s after ctx ended", took)
		}
	})
}
