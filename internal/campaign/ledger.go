package campaign

import (
	"context"
	"maps"
	"slices"

	"github.com/databasement/backup"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// snapshot is what is known of one.
type snapshot struct {
	ref   string
	way   int // of campaign.clean
	seed  uint64
	size  int64
	state state
	err   error // of the backup
}

type state string

const (
	committed state = "committed"
	absent    state = "failed or deleted"
	unsure    state = "of unknown outcome"
)

// enter notes a snapshot.
func (c *campaign) enter(s *snapshot) {
	if c.known[s.ref] != nil {
		c.violation("%s was made twice", s.ref)
	}
	c.known[s.ref] = s
}

// in are the snapshots in a state, in a fixed order.
func (c *campaign) in(want state) (all []*snapshot) {
	for _, ref := range slices.Sorted(maps.Keys(c.known)) {
		if s := c.known[ref]; s.state == want {
			all = append(all, s)
		}
	}
	return all
}

// any is a committed snapshot, nil if there is none.
func (c *campaign) any() *snapshot {
	all := c.in(committed)
	if len(all) == 0 {
		return nil
	}
	return all[c.rng.IntN(len(all))]
}

// listed is what is listed past the faults.
func (c *campaign) listed() map[string]bool {
	refs, err := list(c.t.Context(), c.clean[0].Backup)
	if err != nil {
		c.violation("listing without faults: %v", err)
		c.t.FailNow() // the store is gone, or all that follows says the same
	}
	return refs
}

func list(ctx context.Context, b *backup.Backup) (map[string]bool, error) {
	names, err := b.Names(ctx)
	refs := map[string]bool{}
	for _, name := range names {
		snaps, err := b.List(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, s := range snaps {
			refs[s.Ref()] = true
		}
	}
	return refs, err
}

// audit compares what is listed with what is known, and looks into a sample of what is committed.
func (c *campaign) audit() {
	c.t.Helper()
	listed := c.listed()
	for ref := range listed {
		switch s := c.known[ref]; {
		case s == nil:
			c.violation("%s is listed, and nobody made it", ref)
		case s.state == absent:
			c.violation("%s is listed, and has failed or was deleted: %v", ref, s.err)
		}
	}
	for _, s := range c.in(committed) {
		if !listed[s.ref] {
			c.violation("%s was committed, and is not listed", s.ref)
		}
	}
	for _, s := range c.in(unsure) {
		if listed[s.ref] {
			c.inspect(s)
		}
	}
	if s := c.any(); s != nil {
		c.inspect(s)
	}
}

// inspect holds a snapshot to what was backed up, past the faults.
func (c *campaign) inspect(s *snapshot) {
	c.t.Helper()
	b := c.clean[s.way]
	got := compare(s.seed, s.size)
	err := b.Restore(c.t.Context(), s.ref, got)
	if wrong := got.check(err); err != nil || wrong != nil {
		c.violation("%s, %s, does not restore: %v, %v", s.ref, s.state, err, wrong)
	}
	if _, err := b.Verify(c.t.Context(), s.ref, nil); err != nil {
		c.violation("%s, %s, does not verify: %v", s.ref, s.state, err)
	}
}

// settle has all earlier requests end, after which nothing is unsure.
func (c *campaign) settle() {
	c.s.Settle()
	listed := c.listed()
	for _, s := range c.in(unsure) {
		if s.state = absent; listed[s.ref] {
			s.state = committed
			c.inspect(s)
		}
	}
}

// end looks into everything, sweeps, and looks again.
func (c *campaign) end() {
	c.what = "the end"
	c.settle()
	for _, s := range c.in(committed) {
		c.inspect(s)
	}
	b, err := c.clean[0].over(aged{c.s.Clean}, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	report, err := b.Sweep(c.t.Context())
	if err != nil {
		c.violation("sweeping without faults: %v", err)
	}
	c.swept(report)
	c.audit()
	for _, s := range c.in(committed) {
		c.inspect(s)
	}
	c.wantNothingElse()
	if y := c.tally; y.committed == 0 || y.failed == 0 || y.read == 0 {
		c.violation("this showed nothing: %s", y)
	}
}

// wantNothingElse is after a sweep.
func (c *campaign) wantNothingElse() {
	uploads, err := c.s.Unfinished()
	if len(uploads) > 0 || err != nil {
		c.violation("a sweep left the uploads %q, %v", uploads, err)
	}
	if strays := c.strays(); len(strays) > 0 {
		c.violation("a sweep left the objects %q", strays)
	}
}

// strays are the objects that do not belong to a committed snapshot.
func (c *campaign) strays() (names []string) {
	all, err := storage.ListAll(c.t.Context(), c.s.Clean, "")
	if err != nil {
		c.violation("listing without faults: %v", err)
	}
	for _, o := range all {
		name, id, _, ok := layout.Parse(o.Name)
		if s := c.known[name+"/"+id]; !ok || s == nil || s.state != committed {
			names = append(names, o.Name)
		}
	}
	return names
}
