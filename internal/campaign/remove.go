package campaign

import (
	"context"
	"iter"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/storage"
)

// remove deletes a snapshot. It settles, because a repeated Put of a manifest that arrives after its snapshot was deleted
// brings its name back, as docs/DESIGN.md says.
func (c *campaign) remove(v storage.Volume) {
	s := c.any()
	if s == nil {
		return
	}
	b, err := c.clean[s.way].over(v, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	s.state = unsure // until it is known to be gone; what lists meanwhile restores
	if err := b.Delete(c.t.Context(), s.ref); err == nil {
		s.state = absent
		c.tally.removed++
	}
}

// sweep removes, through the faults, what failed backups left. It may end anywhere, and takes nothing that is committed. It
// settles, because what it removes is to be older than any request.
func (c *campaign) sweep(v storage.Volume) {
	b, err := c.clean[0].over(aged{v}, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := c.t.Context(), context.CancelFunc(func() {})
	if c.rng.IntN(3) == 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, c.soon(), errCancelled)
	}
	defer cancel()
	report, _ := b.Sweep(ctx) // an error is no promise broken, and audit sees the rest
	c.swept(report)
}

func (c *campaign) swept(r *backup.SweepReport) {
	c.tally.swept += r.Objects
	c.tally.aborted += r.Unfinished
}

// aged is a volume on which all is 8 days older, and with that old enough to be swept.
type aged struct{ storage.Volume }

const past = 8 * 24 * time.Hour

func (a aged) Stat(ctx context.Context, name string) (storage.Object, error) {
	o, err := a.Volume.Stat(ctx, name)
	o.ModTime = o.ModTime.Add(-past)
	return o, err
}

func (a aged) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		for o, err := range a.Volume.List(ctx, prefix) {
			o.ModTime = o.ModTime.Add(-past)
			if !yield(o, err) {
				return
			}
		}
	}
}

// SweepUnfinished implements storage.Sweeper.
func (a aged) SweepUnfinished(ctx context.Context, before time.Time) (int, error) {
	sweeper, ok := storage.As[storage.Sweeper](a.Volume)
	if !ok {
		return 0, nil
	}
	return sweeper.SweepUnfinished(ctx, before.Add(past))
}
