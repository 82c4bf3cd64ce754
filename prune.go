package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
)

// Retention says which snapshots of a name stay. One that any rule keeps stays. The zero value removes nothing.
type Retention struct {
	KeepLast   int           // the newest so many
	KeepWithin time.Duration // those that are not older
}

func (r Retention) empty() bool { return r == Retention{} }

// Decision is what a plan does with a snapshot, and why.
type Decision struct {
	Snapshot *Snapshot
	Remove   bool
	Reason   string
}

// PrunePlan is what Prune will do. It is data: nothing was removed yet.
type PrunePlan struct {
	Name      string
	Decisions []Decision // the newest snapshot first
}

// Removals lists the snapshots that go.
func (p *PrunePlan) Removals() []*Snapshot {
	var gone []*Snapshot
	for _, d := range p.Decisions {
		if d.Remove {
			gone = append(gone, d.Snapshot)
		}
	}
	return gone
}

// PlanPrune decides which snapshots of a name go. Only those count for the rules whose objects are there and whose manifest is whole and, where this
// Backup has keys to read with, authentic; the others are not counted, and not removed either. The newest that counts
// always stays. An id from the future is an error: it would push good snapshots out. So is a name of which nothing counts, as with the wrong key.
func (b *Backup) PlanPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	plan, err := b.planPrune(ctx, name, keep)
	return plan, wrap("prune", name, err)
}

func (b *Backup) planPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	if keep.KeepLast < 0 || keep.KeepWithin < 0 {
		return nil, fmt.Errorf("a retention of %+v has a negative rule", keep)
	}
	groups, err := b.committed(ctx, name)
	if err != nil {
		return nil, err
	}
	now := b.now()
	plan := &PrunePlan{Name: name}
	counted := 0
	for _, g := range slices.Backward(groups) {
		s := g.snapshot()
		if err := b.checkTime(s); err != nil {
			return nil, err
		}
		doubt, err := b.judge(ctx, g)
		if err != nil {
			return nil, err
		}
		if doubt != nil {
			plan.Decisions = append(plan.Decisions, Decision{s, false, fmt.Sprintf("not counted: %v", doubt)})
			continue
		}
		counted++
		plan.Decisions = append(plan.Decisions, keep.decide(s, counted, now))
	}
	if counted == 0 && len(groups) > 0 {
		return nil, fmt.Errorf("none of the %d snapshots counts, so nothing is removed; the newest: %s", len(groups), plan.Decisions[0].Reason)
	}
	return plan, nil
}

// decide applies the rules to the nth newest snapshot, from 1.
func (r Retention) decide(s *Snapshot, nth int, now time.Time) Decision {
	switch {
	case r.empty():
		return Decision{s, false, "no rule is set"}
	case nth <= r.KeepLast:
		return Decision{s, false, fmt.Sprintf("among the last %d", r.KeepLast)}
	case nth == 1:
		return Decision{s, false, "the newest always stays"}
	case r.KeepWithin > 0 && now.Sub(s.Time) <= r.KeepWithin:
		return Decision{s, false, fmt.Sprintf("not older than %s", r.KeepWithin)}
	}
	return Decision{s, true, "no rule keeps it"}
}

// judge says why a snapshot does not count: because it does not authenticate, or because its objects are not all there. With keys that
// cannot read, by intent, the manifests of that encryption are believed.
func (b *Backup) judge(ctx context.Context, g *group) (doubt, err error) {
	ref := g.name + "/" + g.id
	m, err := b.load(ctx, b.quiet("prune", ref), ref)
	if err == nil {
		_, err = b.unlock(ctx, m)
	}
	noKey := (*crypto.KeyError)(nil)
	switch {
	case errors.As(err, &noKey) && len(noKey.Have) == 0 && b.writesOnly(m.Encryption.Name):
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrUnsealed), errors.Is(err, ErrNewerFormat), errors.Is(err, ErrNotExist), isKeyError(err):
		return err, nil
	case err != nil:
		return nil, err
	}
	return g.missing(m.Manifest), nil
}

// writesOnly reports whether every Encryptor of this name holds no key to read with.
func (b *Backup) writesOnly(name string) bool {
	any := false
	for _, e := range b.encryptors {
		if e.Name() != name {
			continue
		}
		any = true
		if r, ok := e.(crypto.KeyHolder); !ok || len(r.HeldKeyIDs()) > 0 {
			return false
		}
	}
	return any
}

// missing says which object of the snapshot is not listed as its manifest says.
func (g *group) missing(m *manifest.Manifest) error {
	sizes := map[string]int64{}
	for _, o := range g.objects {
		sizes[o.Name] = o.Size
	}
	for i, s := range m.Segments {
		if n, ok := sizes[m.Object(i+1)]; !ok || n != s.Size {
			return fmt.Errorf("%w: %q is not there, or has another size", ErrDamaged, m.Object(i+1))
		}
		if sums := layout.Sums(m.Name, m.ID, i+1); len(m.Segments) > 1 && sizes[sums] == 0 {
			return fmt.Errorf("%w: %q is not there", ErrDamaged, sums)
		}
	}
	return nil
}

// Prune plans and then removes what the plan says, the oldest first.
func (b *Backup) Prune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	op := b.begin("prune", name)
	plan, err := b.planPrune(ctx, name, keep)
	if err != nil {
		return nil, op.end(err)
	}
	gone := plan.Removals()
	for i := len(gone) - 1; i >= 0; i-- {
		if err := b.delete(ctx, gone[i].Name, gone[i].ID); err != nil && !errors.Is(err, ErrNotExist) {
			return plan, op.end(err)
		}
	}
	return plan, op.end(nil)
}
