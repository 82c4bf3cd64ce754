package schedule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// worker looks after the slots of a job, one at a time.
type worker struct {
	sched *Scheduler
	job   Job
	slots *calendar
	wake  chan struct{}

	claims *claims   // of this Run
	swept  time.Time // when old claims were last removed

	mu     sync.Mutex
	status Status
}

func newWorker(s *Scheduler, j Job, slots *calendar) *worker {
	return &worker{sched: s, job: j, slots: slots, wake: make(chan struct{}, 1)}
}

// rouse has the worker look at the clock, at once or when it has time.
func (w *worker) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// work goes from slot to slot until stop is done. The first is the latest there was, to make up for it. Job.Run gets runs,
// which ends later.
func (w *worker) work(stop, runs context.Context, c *claims) {
	w.claims = c
	var last time.Time
	for stop.Err() == nil {
		if slot := w.slots.latest(w.sched.now()); slot.After(last) {
			last = slot
			w.lookAfter(stop, runs, slot)
			continue
		}
		select {
		case <-w.wake:
		case <-stop.Done():
		}
	}
}

// slot is one that is being looked after.
type slot struct {
	*worker
	time    time.Time
	try     int  // the next one that may be ours
	blocked bool // it was told that no try can begin
}

// lookAfter returns when the slot is done, there is no further try, a newer slot has come, or stop is done.
func (w *worker) lookAfter(stop, runs context.Context, at time.Time) {
	s := &slot{worker: w, time: at, try: 1}
	for {
		wait := s.look(stop, runs)
		if wait == 0 || !s.wait(stop, wait) {
			return
		}
	}
}

// wait waits, and reports whether the slot is still to be looked after.
func (s *slot) wait(stop context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-stop.Done():
			return false
		case <-s.wake:
			if s.slots.latest(s.sched.now()).After(s.time) {
				return false
			}
		}
	}
}

// look makes the next try, if the slot is not done and no other replica is at it. It returns how long to wait before looking
// again; 0: no more.
func (s *slot) look(stop, runs context.Context) time.Duration {
	done, err := s.done(stop)
	if err != nil {
		return s.cannot(stop, fmt.Errorf("asking whether it is done: %w", err))
	}
	if done {
		s.finished(stop)
		return 0
	}
	var c claim
	for ; s.try <= s.job.Tries; s.try++ {
		if c, err = s.claims.take(stop, s.run(), s.job.Timeout); err != nil {
			return s.cannot(stop, err)
		}
		if c.Owner == s.claims.owner && stop.Err() != nil {
			s.release(runs, s.run())
			return 0
		}
		if c.Owner == s.claims.owner {
			return s.attempt(runs)
		}
		if left := c.Until.Sub(s.sched.now()); left > 0 {
			s.note(func(st *Status) { st.Holder, st.Until = c.Owner, c.Until })
			return min(left, s.job.Backoff)
		}
	}
	s.exhausted(c)
	return 0
}

func (s *slot) run() Run {
	return Run{Job: s.job.Name, Slot: s.time.In(s.job.Location), Try: s.try, Tries: s.job.Tries}
}

func (s *slot) done(ctx context.Context) (done bool, err error) {
	if s.job.Done == nil {
		return s.claims.marked(ctx, s.job.Name, s.time)
	}
	err = protect(func() (err error) {
		done, err = s.job.Done(ctx, s.time.In(s.job.Location))
		return err
	})
	return done, err
}

// cannot tells, once for a slot, that no try can begin.
func (s *slot) cannot(stop context.Context, err error) time.Duration {
	if stop.Err() == nil && !s.blocked {
		s.blocked = true
		r := s.run()
		r.Try = 0
		s.failed(r, err)
	}
	return s.job.Backoff
}

// exhausted is a slot whose tries were all made, the last by another replica: if that died, nobody has told yet.
func (s *slot) exhausted(last claim) {
	s.try = s.job.Tries
	s.note(func(st *Status) { st.Holder, st.Until = "", time.Time{} })
	if err := fmt.Errorf("replica %s did not succeed, and no try is left", last.Owner); !last.Failed {
		s.failed(s.run(), fmt.Errorf("%w: it seems to have died", err))
	} else {
		err = fmt.Errorf("%s: %w; it has told why", s.run(), err)
		s.note(func(st *Status) { st.LastError, st.Failed = err, time.Now() })
	}
}

// finished is for a slot that is done.
func (s *slot) finished(ctx context.Context) {
	s.note(func(st *Status) { st.Done, st.Holder, st.Until = s.time.In(s.job.Location), "", time.Time{} })
	if s.sched.now().Sub(s.swept) < 24*time.Hour {
		return
	}
	s.swept = s.sched.now()
	if err := s.claims.sweep(ctx, s.job.Name, s.time); err != nil && ctx.Err() == nil {
		s.sched.opts.Logger.Warn("old claims stay", "job", s.job.Name, "err", err)
	}
}

// attempt makes the try that was claimed.
func (s *slot) attempt(runs context.Context) time.Duration {
	r, o := s.run(), s.sched.opts
	s.note(func(st *Status) {
		st.Running, st.Run, st.Began, st.Holder, st.Until = true, r, time.Now(), "", time.Time{}
	})
	o.Logger.Info("job begins", "job", r.Job, "slot", r.Slot, "try", r.Try, "tries", r.Tries)
	if o.OnStart != nil {
		o.OnStart(r)
	}
	err := s.runJob(runs, r)
	s.note(func(st *Status) { st.Running = false })
	s.try++
	if err == nil {
		s.note(func(st *Status) { st.Succeeded = time.Now() })
		o.Logger.Info("job succeeded", "job", r.Job, "slot", r.Slot, "try", r.Try)
		s.finished(runs)
		if o.OnSuccess != nil {
			o.OnSuccess(r)
		}
		return 0
	}
	s.release(runs, r)
	s.failed(r, err)
	if r.Last() {
		return 0
	}
	return s.job.Backoff
}

// release lets others make the next try.
func (s *slot) release(ctx context.Context, r Run) {
	if err := s.claims.giveUp(ctx, r, s.job.Backoff); err != nil {
		s.sched.opts.Logger.Warn("others wait for this try until its claim ends", "job", r.Job, "slot", r.Slot, "try", r.Try, "err", err)
	}
}

// runJob runs the job, and marks the slot if it must. The cause of a done ctx is in the error.
func (s *slot) runJob(runs context.Context, r Run) error {
	ctx, cancel := context.WithTimeoutCause(runs, s.job.Timeout, fmt.Errorf("%w after %s", ErrTimeout, s.job.Timeout))
	defer cancel()
	err := protect(func() error { return s.job.Run(ctx, r) })
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	if err == nil && s.job.Done == nil {
		if err = s.claims.mark(runs, r.Job, r.Slot); err != nil {
			err = fmt.Errorf("it ran, but could not be marked as done: %w", err)
		}
	}
	return err
}

// protect makes an error of a panic.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
