package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// SweepReport says what Sweep removed.
type SweepReport struct {
	Abandoned  []string `json:"abandoned"`  // name/id of backups that were never committed, or only half deleted
	Objects    int      `json:"objects"`    // how many objects these had
	Bytes      int64    `json:"bytes"`      // and their size
	Unfinished int      `json:"unfinished"` // the volume's own temporary files or uploads
}

// Sweep removes what died backups left: objects of an id without a manifest whose newest object is older
// than 7 days, and the volume's own unfinished uploads of that age. It removes nothing that it does not know the name
// of, and never a snapshot. It may run while backups do.
func (b *Backup) Sweep(ctx context.Context) (*SweepReport, error) {
	op := b.begin("sweep", "")
	report, err := b.sweep(ctx, op)
	return report, op.end(err)
}

func (b *Backup) sweep(ctx context.Context, op *operation) (*SweepReport, error) {
	report := &SweepReport{Abandoned: []string{}}
	before := b.now().Add(-sweepAge)
	all, err := b.groups(ctx, "")
	if err != nil {
		return report, err
	}
	for _, g := range all {
		if g.committed || !g.newest.Before(before) {
			continue
		}
		// The listing is older than this question.
		if _, err := b.vol.Stat(ctx, layout.Manifest(g.name, g.id)); !errors.Is(err, storage.ErrNotExist) {
			if err != nil {
				return report, err
			}
			continue
		}
		if err := b.remove(ctx, g.name, g.id, g.objects); err != nil {
			return report, err
		}
		report.Abandoned = append(report.Abandoned, g.name+"/"+g.id)
		report.Objects += len(g.objects)
		for _, o := range g.objects {
			report.Bytes += o.Size
		}
	}
	sweeper, ok := storage.As[storage.Sweeper](b.vol)
	if !ok {
		return report, nil
	}
	report.Unfinished, err = sweeper.SweepUnfinished(ctx, before)
	if errors.Is(err, storage.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		op.warn(fmt.Errorf("the volume's unfinished uploads stay: %w", err))
		err = nil
	}
	return report, err
}
