package schedule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/storage"
)

func TestSlotAfterSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), job(10*time.Minute, nil))
		time.Sleep(150 * time.Minute)
		r.stop()
		d.want(t, "00:00 start 00:00.1", "00:10 success 00:00.1",
			"01:00 start 01:00.1", "01:10 success 01:00.1",
			"02:00 start 02:00.1", "02:10 success 02:00.1")
	})
}

func TestSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(0, nil)
		j.Cron = "*/2 * * * * *"
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(3 * time.Second)
		r.stop()
		d.want(t, "00:00 start 00:00.1", "00:00 success 00:00.1", "00:00:02 start 00:00:02.1", "00:00:02 success 00:00:02.1")
	})
}

// The slot is the same moment in every zone; the job sees it in its own.
func TestLocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kolkata := location(t, "Asia/Kolkata")
		var slots []string
		j := Job{Name: "shop", Cron: "0 2 * * *", Location: kolkata, Run: func(_ context.Context, r Run) error {
			slots = append(slots, r.Slot.Format(time.RFC3339))
			return nil
		}}
		r := start(t, &Options{Volume: storage.Memory()}, j)
		time.Sleep(21 * time.Hour)
		if next := r.status().Next.Format(time.RFC3339); next != "2000-01-03T02:00:00+05:30" {
			t.Errorf("the next slot is %s", next)
		}
		r.stop()
		if got := strings.Join(slots, " "); got != "2000-01-01T02:00:00+05:30 2000-01-02T02:00:00+05:30" {
			t.Errorf("slots %s", got)
		}
	})
}

// A run that takes longer than to the next slot: nothing at the same time, and only the latest of those that were missed.
func TestNoOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(130*time.Minute, nil)
		j.Timeout = 3 * time.Hour
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(5 * time.Hour)
		r.stop()
		d.want(t, "00:00 start 00:00.1", "02:10 success 00:00.1", "02:10 start 02:00.1", "04:20 success 02:00.1",
			"04:20 start 04:00.1", "05:00:05 failure 04:00.1")
	})
}

func TestCatchUp(t *testing.T) {
	for what, test := range map[string]struct {
		mark string
		want []string
	}{
		"missed for days":   {".schedule/shop/19991228t020000z.done", []string{"00:00 start -22:00.1", "00:00 success -22:00.1", "02:00 start 02:00.1", "02:00 success 02:00.1"}},
		"missed by one":     {".schedule/shop/19991230t020000z.done", []string{"00:00 start -22:00.1", "00:00 success -22:00.1", "02:00 start 02:00.1", "02:00 success 02:00.1"}},
		"done before":       {".schedule/shop/19991231t020000z.done", []string{"02:00 start 02:00.1", "02:00 success 02:00.1"}},
		"another's is done": {".schedule/shop/eu/19991231t020000z.done", []string{"00:00 start -22:00.1", "00:00 success -22:00.1", "02:00 start 02:00.1", "02:00 success 02:00.1"}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				v := storage.Memory()
				put(t, v, test.mark)
				j := job(0, nil)
				j.Cron = "0 2 * * *"
				r := start(t, d.hooks(Options{Volume: v}), j)
				time.Sleep(3 * time.Hour)
				r.stop()
				d.want(t, test.want...)
			})
		})
	}
}

// A clock that is set back between the setting of a timer and its end. gocron's next timer is a day later then.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		put(t, v, ".schedule/shop/19991231t020000z.done")
		j := job(0, nil)
		j.Cron = "0 2 * * *"
		s, err := New([]Job{j}, d.hooks(Options{Volume: v}))
		if err != nil {
			t.Fatal(err)
		}
		s.now = func() time.Time {
			now := time.Now()
			if now.Sub(midnight) >= time.Hour {
				now = now.Add(-30 * time.Minute)
			}
			return now
		}
		r := s.start(t)
		time.Sleep(4 * time.Hour)
		r.stop()
		d.want(t, "02:30 start 02:00.1", "02:30 success 02:00.1")
	})
}

func TestTries(t *testing.T) {
	for what, single := range map[string]bool{"claims": false, "single": true} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				j := job(time.Minute, errOops)
				j.Backoff = 5 * time.Minute
				r := start(t, d.hooks(Options{Volume: storage.Memory(), Single: single}), j)
				time.Sleep(59 * time.Minute)
				d.want(t, "00:00 start 00:00.1", "00:01 failure 00:00.1",
					"00:06 start 00:00.2", "00:07 failure 00:00.2",
					"00:12 start 00:00.3", "00:13 failure 00:00.3 last")
				if err := r.status().LastError; !errors.Is(err, errOops) || err.Error() != `job "shop", slot 2000-01-01T00:00:00Z, try 3 of 3: oops` {
					t.Errorf("the last error is %v", err)
				}
				time.Sleep(2 * time.Minute)
				r.stop()
				if last := d.lines[len(d.lines)-1]; last != "01:01 failure 01:00.1" {
					t.Errorf("at the next slot: %s", last)
				}
			})
		})
	}
}

// A newer slot comes before the next try of an older one, which it replaces.
func TestNewerSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(0, errOops)
		j.Backoff = 50 * time.Minute
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(115 * time.Minute)
		r.stop()
		d.want(t, "00:00 start 00:00.1", "00:00 failure 00:00.1", "00:50 start 00:00.2", "00:50 failure 00:00.2",
			"01:00 start 01:00.1", "01:00 failure 01:00.1", "01:50 start 01:00.2", "01:50 failure 01:00.2")
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(time.Hour, nil)
		j.Timeout, j.Tries = 20*time.Minute, 1
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(30 * time.Minute)
		err := r.status().LastError
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "timed out after 20m0s") {
			t.Errorf("the last error is %v", err)
		}
		r.stop()
		d.want(t, "00:00 start 00:00.1", "00:20 failure 00:00.1 last")
	})
}

func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(0, nil)
		j.Run = func(_ context.Context, r Run) error {
			if r.Try == 1 {
				panic("no such table")
			}
			return nil
		}
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(2 * time.Minute)
		if err := r.status().LastError; err == nil || !strings.Contains(err.Error(), "panic: no such table") {
			t.Errorf("the last error is %v", err)
		}
		r.stop()
		d.want(t, "00:00 start 00:00.1", "00:00 failure 00:00.1", "00:01 start 00:00.2", "00:01 success 00:00.2")
	})
}

func TestStop(t *testing.T) {
	for what, test := range map[string]struct {
		takes, grace time.Duration
		want         []string
	}{
		"between runs":         {time.Minute, 0, []string{"00:00 start 00:00.1", "00:01 success 00:00.1", "00:10 stopped"}},
		"ends in time":         {10*time.Minute + 3*time.Second, 0, []string{"00:00 start 00:00.1", "00:10:03 success 00:00.1", "00:10:03 stopped"}},
		"is cut short":         {time.Hour, 0, []string{"00:00 start 00:00.1", "00:10:05 failure 00:00.1", "00:10:05 stopped"}},
		"is cut short at once": {time.Hour, -1, []string{"00:00 start 00:00.1", "00:10 failure 00:00.1", "00:10 stopped"}},
		"takes its time": {100 * time.Minute, 2 * time.Hour, // the slot of 01:00 does not begin any more
			[]string{"00:00 start 00:00.1", "01:40 success 00:00.1", "01:40 stopped"}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				r := start(t, d.hooks(Options{Volume: storage.Memory(), Grace: test.grace}), job(test.takes, nil))
				time.Sleep(10 * time.Minute)
				r.stop()
				d.add("stopped")
				d.want(t, test.want...)
				if err := r.status().LastError; err != nil && !errors.Is(err, ErrStopped) {
					t.Errorf("the last error is %v", err)
				}
			})
		})
	}
}

// Jobs do not wait for one another, and the whole may run again.
func TestJobsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		slow, fast := job(30*time.Minute, nil), job(time.Minute, nil)
		fast.Name, fast.Cron = "fast", "*/10 * * * *"
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), slow, fast)
		time.Sleep(15 * time.Minute)
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("Run while it is running: %v", err)
		}
		r.stop()
		again := r.Scheduler.start(t)
		time.Sleep(10 * time.Minute)
		again.stop()
		want := map[string]int{"00:00 start 00:00.1": 2, "00:01 success 00:00.1": 1, "00:10 start 00:10.1": 1, "00:11 success 00:10.1": 1,
			"00:15:05 failure 00:00.1": 1, "00:16:05 start 00:00.2": 1, "00:20 start 00:20.1": 1, "00:21 success 00:20.1": 1, "00:25:10 failure 00:00.2": 1}
		for _, line := range d.lines {
			want[line]--
		}
		for line, n := range want {
			if n != 0 {
				t.Errorf("%q: %d times too few", line, n)
			}
		}
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := job(0, nil)
		j.Run = func(_ context.Context, r Run) error {
			time.Sleep(10 * time.Minute)
			if r.Slot.Equal(midnight) && r.Try == 1 {
				return errOops
			}
			return nil
		}
		r := start(t, &Options{Volume: storage.Memory()}, j)
		at := func(d time.Duration, want Status) {
			t.Helper()
			time.Sleep(time.Until(midnight.Add(d)))
			got := r.status()
			if (got.LastError == nil) != (want.LastError == nil) || !errors.Is(got.LastError, want.LastError) {
				t.Errorf("at %s the last error is %v", clock(d), got.LastError)
			}
			got.LastError, want.LastError, want.Job = nil, nil, "shop"
			if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
				t.Errorf("at %s the status is\n  %s, want\n  %s", clock(d), g, w)
			}
		}
		after := func(d time.Duration) time.Time { return midnight.Add(d) }
		first := Run{Job: "shop", Slot: midnight, Try: 1, Tries: 3}
		second, third := first, first
		second.Try, third.Slot = 2, after(time.Hour)
		at(5*time.Minute, Status{Next: after(time.Hour), Running: true, Run: first, Began: midnight})
		at(10*time.Minute+time.Second, Status{Next: after(time.Hour), Run: first, Began: midnight, LastError: errOops, Failed: after(10 * time.Minute)})
		at(22*time.Minute, Status{Next: after(time.Hour), Run: second, Began: after(11 * time.Minute), Done: midnight,
			Succeeded: after(21 * time.Minute), LastError: errOops, Failed: after(10 * time.Minute)})
		at(61*time.Minute, Status{Next: after(2 * time.Hour), Running: true, Run: third, Began: after(time.Hour), Done: midnight,
			Succeeded: after(21 * time.Minute), LastError: errOops, Failed: after(10 * time.Minute)})
		r.stop()
	})
}

func TestNew(t *testing.T) {
	run := func(context.Context, Run) error { return nil }
	done := func(context.Context, time.Time) (bool, error) { return false, nil }
	good := Job{Name: "shop", Cron: "0 2 * * *", Run: run}
	with := func(change func(*Job)) []Job {
		j := good
		change(&j)
		return []Job{j}
	}
	v := &Options{Volume: storage.Memory()}
	for what, test := range map[string]struct {
		jobs []Job
		opts *Options
		want string // in the error; "" is none
	}{
		"good":              {[]Job{good}, v, ""},
		"six fields":        {with(func(j *Job) { j.Cron = "0 0 2 * * *" }), v, ""},
		"alone, own Done":   {with(func(j *Job) { j.Done = done }), &Options{Single: true}, ""},
		"alone, no Done":    {[]Job{good}, &Options{Single: true}, "marked on a volume"},
		"no options":        {[]Job{good}, nil, "Options.Volume is not set"},
		"no volume":         {[]Job{good}, &Options{}, "Options.Volume is not set"},
		"no jobs":           {nil, v, "no jobs"},
		"wrong cron":        {with(func(j *Job) { j.Cron = "61 * * * *" }), v, `job "shop": cron expression "61 * * * *"`},
		"no cron":           {with(func(j *Job) { j.Cron = "" }), v, `job "shop"`},
		"wrong name":        {with(func(j *Job) { j.Name = "Shop" }), v, `job "Shop"`},
		"the same name":     {[]Job{good, good}, v, "same name"},
		"no Run":            {with(func(j *Job) { j.Run = nil }), v, "Run is nil"},
		"negative Timeout":  {with(func(j *Job) { j.Timeout = -1 }), v, "Timeout"},
		"negative Backoff":  {with(func(j *Job) { j.Backoff = -1 }), v, "Backoff"},
		"negative Tries":    {with(func(j *Job) { j.Tries = -1 }), v, "Tries"},
		"too many Tries":    {with(func(j *Job) { j.Tries = 101 }), v, "Tries"},
		"everything wrong":  {with(func(j *Job) { *j = Job{Name: "A"} }), nil, "Run is nil"},
		"and its last part": {with(func(j *Job) { *j = Job{Name: "A"} }), nil, "Options.Volume"},
	} {
		_, err := New(test.jobs, test.opts)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", what, err, test.want)
		}
	}
}
