package schedule

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"

	"github.com/databasement/backup/storage"
)

// DefaultGrace is less than the ten seconds after which containers are killed.
const DefaultGrace = 5 * time.Second

// Options configure a [Scheduler].
type Options struct {
	// Volume is where claims and marks live, under ".schedule/". All replicas share it. It must be a storage.ExclusivePutter
	// that works, or Single set. With Single only jobs without a Done of their own need it.
	Volume storage.Volume

	// Single declares that no other replica runs these jobs: nothing is claimed. Tries are counted from one again when the
	// program starts again.
	Single bool

	// Owner names this replica in its claims, for people, with at most 200 characters; "": the host's name and the process id.
	// Something random is added.
	Owner string

	// Grace is how long runs may go on when the scheduler stops; 0 is DefaultGrace, negative: they are cancelled at once.
	Grace time.Duration

	// OnStart, OnSuccess and OnFailure are told of each try made here. They are called by the job's goroutine and should return soon.
	// No further try follows a failed one if r.Last(), or when the scheduler stops. OnFailure is also told, once for a slot, when
	// the volume or Done cannot be asked, so that no try can begin (r.Try is 0; asking goes on), and when the last try's owner, another
	// replica, died.
	OnStart, OnSuccess func(r Run)
	OnFailure          func(r Run, err error)

	// Logger is told the same, and what the scheduler does beside it; nil: none.
	Logger *slog.Logger
}

// Scheduler runs jobs at their times. It is safe for concurrent use.
type Scheduler struct {
	opts    Options
	workers []*worker
	running atomic.Bool
	now     func() time.Time
}

// New makes a Scheduler of jobs with different names. It does no I/O. All that is wrong is in the error.
func New(jobs []Job, opts *Options) (*Scheduler, error) {
	s := &Scheduler{now: time.Now}
	if opts != nil {
		s.opts = *opts
	}
	orDefault(&s.opts.Grace, DefaultGrace)
	orDefault(&s.opts.Logger, slog.New(slog.DiscardHandler))
	var errs []error
	if len(jobs) == 0 {
		errs = append(errs, errors.New("there are no jobs"))
	}
	if s.opts.Volume == nil && !s.opts.Single {
		errs = append(errs, errors.New("Options.Volume is not set: name the volume that the replicas share, or set Single if there is only one"))
	}
	seen := map[string]bool{}
	for _, j := range jobs {
		slots, err := j.check()
		if seen[j.Name] {
			err = errors.Join(err, fmt.Errorf("job %q: another one has the same name", j.Name))
		}
		if s.opts.Volume == nil && s.opts.Single && j.Done == nil {
			err = errors.Join(err, fmt.Errorf("job %q: Done is nil, so its slots are marked on a volume, and Options.Volume is not set", j.Name))
		}
		seen[j.Name], errs = true, append(errs, err)
		s.workers = append(s.workers, newWorker(s, j, slots))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	return s, nil
}

// Run runs the jobs until ctx is done, and then stops: nothing new begins, runs get Options.Grace to end and are then cancelled. It returns
// nil when nothing runs any more, which is as soon as the jobs' Run return. It may be called again then.
//
// First it tries whether the volume can be used for claims. One that cannot is an error that satisfies errors.ErrUnsupported. One
// that does not answer is asked again each minute, and told to the Logger and in the Status.
func (s *Scheduler) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("schedule: Run is running already")
	}
	defer s.running.Store(false)
	c, err := s.claims(ctx)
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	if ctx.Err() != nil {
		return nil
	}
	timing, err := s.timing()
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	runs, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var working sync.WaitGroup
	for _, w := range s.workers {
		working.Go(func() { w.work(ctx, runs, c) })
	}
	timing.Start()
	<-ctx.Done()
	err = timing.Shutdown()
	s.opts.Logger.Info("scheduler stops", "cause", context.Cause(ctx), "grace", s.opts.Grace)
	waitFor(&working, s.opts.Grace, func() { cancel(ErrStopped) })
	if err != nil {
		return fmt.Errorf("schedule: stopping the timers: %w", err)
	}
	return nil
}

// waitFor waits for all of wg, and calls late when that takes longer than d.
func waitFor(wg *sync.WaitGroup, d time.Duration, late func()) {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		late()
		<-done
	}
}

// timing is a gocron scheduler that wakes each worker at its slots, and all of them each minute: timers do not know when the system's
// clock is set or runs faster than they, or the machine sleeps. A worker that is woken for nothing looks at the clock, and no further.
func (s *Scheduler) timing() (gocron.Scheduler, error) {
	g, err := gocron.NewScheduler(gocron.WithLocation(time.UTC))
	if err != nil {
		return nil, err
	}
	for _, w := range s.workers {
		at := gocron.WithCronImplementation(timer{w.slots})
		if _, err = g.NewJob(gocron.CronJob(w.job.Cron, true), gocron.NewTask(w.rouse), at); err != nil {
			return nil, errors.Join(fmt.Errorf("job %q: %w", w.job.Name, err), g.Shutdown())
		}
	}
	all := func() {
		for _, w := range s.workers {
			w.rouse()
		}
	}
	if _, err = g.NewJob(gocron.DurationJob(time.Minute), gocron.NewTask(all)); err != nil {
		return nil, errors.Join(err, g.Shutdown())
	}
	return g, nil
}

// claims says how this Run claims tries, once it is known that the volume can do it. It returns early when ctx is done.
func (s *Scheduler) claims(ctx context.Context) (*claims, error) {
	host, _ := os.Hostname()
	name := strings.ToValidUTF8(cmp.Or(s.opts.Owner, fmt.Sprintf("%s-%d", host, os.Getpid())), "?") // as JSON gives it back
	c := &claims{v: s.opts.Volume, owner: fmt.Sprintf("%.200s-%s", name, rand.Text()[:13])}
	if s.opts.Single {
		return c, nil
	}
	const other = "use another volume, or set Single if only one replica runs the jobs"
	x, ok := storage.As[storage.ExclusivePutter](s.opts.Volume)
	if !ok {
		err := fmt.Errorf("%T is no storage.ExclusivePutter: %w", s.opts.Volume, errors.ErrUnsupported)
		return nil, fmt.Errorf("the volume cannot tell replicas apart: %w; %s", err, other)
	}
	for c.x = x; ; {
		err := c.probe(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return c, nil
		case errors.Is(err, errors.ErrUnsupported):
			return nil, fmt.Errorf("the volume cannot tell replicas apart: %w; %s", err, other)
		case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrInvalid):
			return nil, err
		}
		s.opts.Logger.Warn("volume does not answer", "err", err)
		for _, w := range s.workers {
			w.note(func(st *Status) { st.LastError, st.Failed = err, time.Now() })
		}
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
	}
}
