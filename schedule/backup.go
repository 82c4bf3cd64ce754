package schedule

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/databasement/backup"
)

// futureLeeway is how far ahead of the clock a snapshot's time may be, as in the root package.
const futureLeeway = time.Hour

// Backup returns a Job that backs up what produce writes, by b.CreateFunc, and then prunes name if keep is not nil. The name of
// the job is that of the snapshots; Cron is to be set. A slot is done if a committed snapshot of name has an id at or after its time;
// one from the future, of a clock that was wrong, does not count. A backup that failed is never followed by pruning. When
// only pruning fails, that is told like a failed try, and tried again after the next backup.
func Backup(b *backup.Backup, name string, opts *backup.CreateOptions,
	produce func(ctx context.Context, w io.Writer) error, keep *backup.Retention,
) Job {
	return Job{
		Name: name,
		Run: func(ctx context.Context, _ Run) error {
			if _, err := b.CreateFunc(ctx, name, opts, produce); err != nil || keep == nil {
				return err
			}
			if _, err := b.Prune(ctx, name, *keep); err != nil {
				return fmt.Errorf("the backup was made, but: %w", err)
			}
			return nil
		},
		Done: func(ctx context.Context, slot time.Time) (bool, error) {
			snapshots, err := b.List(ctx, name)
			future := time.Now().Add(futureLeeway)
			return slices.ContainsFunc(snapshots, func(s *backup.Snapshot) bool {
				return !s.Time.Before(slot) && s.Time.Before(future)
			}), err
		},
	}
}
