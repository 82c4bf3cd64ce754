package schedule

import (
	"fmt"
	"time"
)

// Status is what a [Scheduler] knows of a job. It is of this process: what other replicas do shows when this one looks.
type Status struct {
	Job       string
	Next      time.Time // the next slot
	Running   bool      // here, now
	Run       Run       // the try that is running, or was the last one here; zero if there was none yet
	Began     time.Time // when Run did
	Done      time.Time // the newest slot that is known to be done, by whomever: what to watch
	Succeeded time.Time // when a try last succeeded here
	LastError error     // of a try, or of asking the volume; it stays when a later one succeeds
	Failed    time.Time // when LastError came; after Succeeded if that is how it stands
	Holder    string    // the owner of another replica's claim that is being waited for; "" if none is
	Until     time.Time // when that claim ends
}

// Status returns that of each job, in the order of New's.
func (s *Scheduler) Status() []Status {
	all := make([]Status, len(s.workers))
	for i, w := range s.workers {
		w.note(func(st *Status) { all[i] = *st })
		all[i].Job, all[i].Next = w.job.Name, w.slots.next(s.now())
	}
	return all
}

// note changes or reads the status.
func (w *worker) note(f func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.status)
}

// failed tells everybody of a failure.
func (w *worker) failed(r Run, err error) {
	err = fmt.Errorf("%s: %w", r, err)
	w.note(func(st *Status) { st.LastError, st.Failed = err, time.Now() })
	w.sched.opts.Logger.Error("job failed", "job", r.Job, "slot", r.Slot, "try", r.Try, "tries", r.Tries, "err", err)
	if w.sched.opts.OnFailure != nil {
		w.sched.opts.OnFailure(r, err)
	}
}
