package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

var errOops = errors.New("oops")

// midnight is when the clock of each synctest bubble begins.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// diary is what happened, of all replicas of a test, as "05:00 what" with the time since midnight.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, clock(time.Since(midnight))+" "+fmt.Sprintf(format, args...))
}

// clock is d as hours and minutes, with seconds if there are any.
func clock(d time.Duration) string {
	s := fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
	if sec := int(d.Seconds()) % 60; sec > 0 {
		s += fmt.Sprintf(":%02d", sec)
	}
	return s
}

func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("what happened:\n  %s\nwant:\n  %s", strings.Join(d.lines, "\n  "), strings.Join(want, "\n  "))
	}
}

// hooks writes each try down.
func (d *diary) hooks(o Options) *Options {
	o.OnStart = func(r Run) { d.add("start %s.%d", clock(r.Slot.Sub(midnight)), r.Try) }
	o.OnSuccess = func(r Run) { d.add("success %s.%d", clock(r.Slot.Sub(midnight)), r.Try) }
	o.OnFailure = func(r Run, err error) {
		last := ""
		if r.Last() {
			last = " last"
		}
		d.add("failure %s.%d%s", clock(r.Slot.Sub(midnight)), r.Try, last)
	}
	return &o
}

// job is one of every hour that takes as long, or fails.
func job(takes time.Duration, err error) Job {
	return Job{Name: "shop", Cron: "0 * * * *", Run: func(ctx context.Context, _ Run) error {
		select {
		case <-time.After(takes):
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// running is a Scheduler in its Run.
type running struct {
	*Scheduler
	t    *testing.T
	quit context.CancelFunc
	err  chan error
}

func start(t *testing.T, opts *Options, jobs ...Job) *running {
	t.Helper()
	s, err := New(jobs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s.start(t)
}

func (s *Scheduler) start(t *testing.T) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{s, t, cancel, make(chan error, 1)}
	go func() { r.err <- s.Run(ctx) }()
	return r
}

// stop stops it, and waits for the end.
func (r *running) stop() {
	r.t.Helper()
	r.quit()
	if err := <-r.err; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func (r *running) status() Status { return r.Status()[0] }

func objects(t *testing.T, v storage.Volume) []string {
	t.Helper()
	all, err := storage.ListAll(context.WithoutCancel(t.Context()), v, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

func put(t *testing.T, v storage.Volume, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := v.Put(t.Context(), name, strings.NewReader("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

func wantObjects(t *testing.T, v storage.Volume, want ...string) {
	t.Helper()
	if got := objects(t, v); !slices.Equal(got, want) {
		t.Errorf("objects %q, want %q", got, want)
	}
}
