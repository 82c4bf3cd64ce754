package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/schedule"
)

const runText = `back up databases on a schedule, until a signal
Each URL is backed up daily (BACKUP_DAILY_CRON); a JSON file of --jobs says more:

  {"databases": [
    {"url": "env:SHOP_URL"},
    {"url": "mysql://backup@db/blog", "name": "blog", "schedule": "weekly"},
    {"url": "postgres://backup@db", "name": "eu", "all": true, "schedule": "30 */6 * * *", "format": "custom"}]}

Replicas that share the volume make one backup of each time together. A backup that fails is tried again
(BACKUP_JOB_TRIES, _BACKOFF, _TIMEOUT), one that was missed is made up for. Old snapshots of these names go as
BACKUP_CLEANUP_CRON and BACKUP_KEEP_… say. Where the volume has no conditional puts, --single says that
there is no replica.`

// cleanupJob is its name; '.' keeps it apart from what CleanName makes.
const cleanupJob = "cleanup.job"

// runner is one run of the command.
type runner struct {
	*app
	b     *backup.Backup
	names []string // of the snapshots that cleanup is for; those that end in '/' are of all below
}

func runCommand(ctx context.Context, a *app, words []string) error {
	if err := a.config.CheckPrune(); err != nil {
		return usageOf(err)
	}
	entries, err := a.entries(words)
	if err != nil {
		return err
	}
	b, err := a.open(ctx, "", writing)
	if err != nil {
		return err
	}
	r := &runner{app: a, b: b}
	jobs, err := r.jobs(entries)
	if err != nil {
		return err
	}
	s, err := schedule.New(jobs, &schedule.Options{
		Volume: b.Volume(), Single: a.settings.single,
		OnStart:   func(run schedule.Run) { a.report.note(run.String() + ": begins") },
		OnSuccess: func(run schedule.Run) { a.report.note(run.String() + ": done") },
		OnFailure: func(run schedule.Run, err error) { a.report.warn(fmt.Errorf("%v: %w", run, err)) },
	})
	if err != nil {
		return usagef("%v", err)
	}
	a.leaveRestoreText(ctx, b.Volume())
	for _, st := range s.Status() {
		a.report.note(fmt.Sprintf("job %q: next at %s", st.Job, st.Next.Format(time.RFC3339)))
	}
	return s.Run(ctx)
}

// jobs are one for each entry, and the cleanup.
func (r *runner) jobs(entries []entry) ([]schedule.Job, error) {
	var jobs []schedule.Job
	for i, e := range entries {
		job, err := r.job(e)
		if err != nil {
			return nil, fmt.Errorf("database %d: %w", i+1, err)
		}
		jobs = append(jobs, job)
	}
	cleanup := schedule.Job{Name: cleanupJob, Cron: r.config.CleanupCron, Run: func(ctx context.Context, _ schedule.Run) error { return r.cleanUp(ctx) }}
	jobs = append(jobs, cleanup)
	for i := range jobs {
		j := &jobs[i]
		j.Location, j.Timeout, j.Tries, j.Backoff = r.config.Location, r.config.JobTimeout, r.config.JobTries, r.config.JobBackoff
	}
	return jobs, nil
}

func (r *runner) job(e entry) (schedule.Job, error) {
	db, err := r.openDatabase(e.URL, e.Format)
	if err != nil {
		return schedule.Job{}, err
	}
	minSize := r.settings.minSize
	if e.MinSize != nil {
		minSize = *e.MinSize
	}
	var job schedule.Job
	if e.All {
		job, err = r.all(e, db, minSize)
	} else {
		job, err = r.one(e, db, minSize)
	}
	switch e.Schedule {
	case "", "daily":
		job.Cron = r.config.DailyCron
	case "weekly":
		job.Cron = r.config.WeeklyCron
	default:
		job.Cron = e.Schedule
	}
	return job, err
}

// one is the job of a single database.
func (r *runner) one(e entry, db database.Database, minSize int64) (schedule.Job, error) {
	ts, err := targets(context.Background(), db, e.Name, e.URL, false)
	if err != nil {
		return schedule.Job{}, err
	}
	t := ts[0]
	r.names = append(r.names, t.name)
	job := schedule.Backup(r.b, t.name, nil, t.db.Dump, nil)
	job.Run = func(ctx context.Context, _ schedule.Run) error {
		_, err := t.dump(ctx, r.b, minSize)
		return err
	}
	return job, nil
}

// all is the job of all databases of a server, which are looked up each time.
func (r *runner) all(e entry, db database.Database, minSize int64) (schedule.Job, error) {
	if _, ok := db.(database.Server); !ok || e.Name == "" {
		return schedule.Job{}, errors.New("all takes a server's URL, postgres:// or mysql://, and a name, which its snapshots are below")
	}
	r.names = append(r.names, e.Name+"/")
	return schedule.Job{Name: e.Name, Run: func(ctx context.Context, run schedule.Run) error {
		ts, err := targets(ctx, db, e.Name, e.URL, true)
		if err != nil {
			return err
		}
		var errs []error
		for _, t := range ts {
			if ctx.Err() != nil {
				break
			}
			errs = append(errs, r.unlessDone(ctx, t, run.Slot, minSize))
		}
		return errors.Join(append(errs, context.Cause(ctx))...)
	}}, nil
}

// unlessDone makes a snapshot, unless an earlier try has made one for the slot.
func (r *runner) unlessDone(ctx context.Context, t target, slot time.Time, minSize int64) error {
	snap, err := r.b.Latest(ctx, t.name, 0)
	if err == nil && !snap.Time.Before(slot) {
		return nil
	}
	if err != nil && !errors.Is(err, backup.ErrNotExist) {
		return err
	}
	_, err = t.dump(ctx, r.b, minSize)
	return err
}

// cleanUp prunes the names of this run, and removes what backups that died left.
func (r *runner) cleanUp(ctx context.Context) error {
	names, err := r.b.Names(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if !slices.ContainsFunc(r.names, func(n string) bool { return n == name || strings.HasSuffix(n, "/") && strings.HasPrefix(name, n) }) {
			continue
		}
		plan, err := r.b.Prune(ctx, name, r.config.Retention)
		errs = append(errs, err)
		if plan != nil && err == nil {
			for _, gone := range plan.Removals() {
				r.report.note("pruned " + gone.Ref())
			}
		}
	}
	_, err = r.b.Sweep(ctx)
	return errors.Join(append(errs, err)...)
}
