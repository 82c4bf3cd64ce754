package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databasement/backup"
)

// Defaults of [Job].
const (
	DefaultTimeout = 2 * time.Hour
	DefaultTries   = 3
	DefaultBackoff = time.Minute

	maxTries = 100
)

// Job is something to be done at the times of a cron expression. The zero value of a field is its default.
type Job struct {
	// Name tells jobs apart. It is valid by backup.CheckName, and the same in all replicas. Required.
	Name string

	// Cron says when: minute, hour, day of the month, month and day of the week; or six fields, with seconds first; or one of
	// @yearly, @monthly, @weekly, @daily and @hourly. Required.
	Cron string

	// Location is the time zone of Cron; nil is UTC.
	Location *time.Location

	// Timeout ends the ctx of a try; 0 is DefaultTimeout. It is also, with a little added, how long others wait for one that
	// died.
	Timeout time.Duration

	// Tries is how often a slot is tried, by all replicas together, 1 to 100; 0 is DefaultTries.
	Tries int

	// Backoff is the pause after a try that failed, and how often one that another replica makes is looked at; 0 is DefaultBackoff.
	Backoff time.Duration

	// Run does it. It must return soon after its ctx is done, whose cause is ErrTimeout or ErrStopped. A panic is an error. Required.
	Run func(ctx context.Context, r Run) error

	// Done reports whether the slot is done already, by whomever. It is asked before each try. nil: a slot is done once Run has
	// returned nil, which is marked on the volume.
	Done func(ctx context.Context, slot time.Time) (bool, error)
}

// Run is one try of a job.
type Run struct {
	Job   string    // its name
	Slot  time.Time // that it is for, in the job's Location
	Try   int       // from 1; 0: none could begin, see Options.OnFailure
	Tries int       // how many there are
}

// Last reports whether no further try follows if this one fails.
func (r Run) Last() bool { return r.Try >= r.Tries }

func (r Run) String() string {
	s := fmt.Sprintf("job %q, slot %s", r.Job, r.Slot.Format(time.RFC3339))
	if r.Try > 0 {
		s += fmt.Sprintf(", try %d of %d", r.Try, r.Tries)
	}
	return s
}

// Causes of a done ctx of Job.Run, for errors.Is.
var (
	ErrTimeout = errors.New("timed out")
	ErrStopped = errors.New("the scheduler was stopped")
)

// check sets the defaults, and reports all that is wrong.
func (j *Job) check() (*calendar, error) {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if err := backup.CheckName(j.Name); err != nil {
		errs = append(errs, fmt.Errorf("%w (backup.CleanName makes a valid name of any string)", err))
	}
	must(j.Run != nil, "Run is nil")
	must(j.Timeout >= 0, "Timeout is %s, it must be positive, or 0 for %s", j.Timeout, DefaultTimeout)
	must(j.Backoff >= 0, "Backoff is %s, it must be positive, or 0 for %s", j.Backoff, DefaultBackoff)
	must(j.Tries >= 0 && j.Tries <= maxTries, "Tries is %d, it must be 1 to %d, or 0 for %d", j.Tries, maxTries, DefaultTries)
	if j.Location == nil {
		j.Location = time.UTC
	}
	orDefault(&j.Timeout, DefaultTimeout)
	orDefault(&j.Backoff, DefaultBackoff)
	orDefault(&j.Tries, DefaultTries)
	c, err := newCalendar(j.Cron, j.Location)
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("job %q: %w", j.Name, err)
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
