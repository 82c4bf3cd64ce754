package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
)

// Decision is what a plan does with a snapshot, and why.
type Decision struct {
	Snapshot *Snapshot `json:"snapshot"`
	Remove   bool      `json:"remove"`
	Reason   string    `json:"reason"` // all rules that keep it, or why none does, or why it is not counted
}

// PrunePlan is what Prune will do. It is data: nothing was removed yet.
type PrunePlan struct {
	Name      string     `json:"name"`
	Decisions []Decision `json:"decisions"` // the newest snapshot first
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

// PlanPrune decides which snapshots of a name go. Only those count for the rules whose objects are there and whose manifest is
// whole and, where this Backup has keys to read with, authentic; the others are not counted, and not removed either. The newest
// Retention.Floor that count always stay.
//
// With an error that is ErrVeto there is a plan all the same, to look at; Prune removes nothing then. That is so if a snapshot
// is from the future, as it would push good ones out; if none counts, as with the wrong key; and if the newest one is
// suspiciously small: see Retention.MinRatio.
func (b *Backup) PlanPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	plan, err := b.planPrune(ctx, name, keep)
	return plan, wrap("prune", name, err)
}

func (b *Backup) planPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	if err := keep.check(); err != nil {
		return nil, err
	}
	groups, err := b.committed(ctx, name)
	if err != nil {
		return nil, err
	}
	slices.Reverse(groups)
	var counted []*Snapshot
	var sizes []int64
	var future error
	doubts := map[string]error{} // by id
	for _, g := range groups {
		s := g.snapshot()
		if err := b.checkTime(s); err != nil {
			future = err
			doubts[g.id] = err
			continue
		}
		size, doubt, err := b.judge(ctx, g)
		if err != nil {
			return nil, err
		}
		if doubt != nil {
			doubts[g.id] = doubt
			continue
		}
		counted, sizes = append(counted, s), append(sizes, size)
	}
	plan := &PrunePlan{Name: name}
	decided := keep.decide(counted)
	for _, g := range groups {
		if doubt := doubts[g.id]; doubt != nil {
			plan.Decisions = append(plan.Decisions, Decision{g.snapshot(), false, fmt.Sprintf("not counted: %v", doubt)})
			continue
		}
		plan.Decisions, decided = append(plan.Decisions, decided[0]), decided[1:]
	}
	switch {
	case future != nil:
		return plan, fmt.Errorf("%w: %w", ErrVeto, future)
	case len(counted) == 0 && len(groups) > 0:
		newest := plan.Decisions[0]
		return plan, fmt.Errorf("%w: none of the %d snapshots counts; the newest, %s: %s",
			ErrVeto, len(groups), newest.Snapshot.Ref(), newest.Reason)
	case len(plan.Removals()) > 0:
		return plan, keep.suspicious(counted[0], sizes)
	}
	return plan, nil
}

// judge returns a snapshot's plain size, and says why it does not count: because it does not authenticate, or because its
// objects are not all there. With keys that cannot read, by intent, the manifests of that encryption are believed.
func (b *Backup) judge(ctx context.Context, g *group) (size int64, doubt, err error) {
	ref := g.name + "/" + g.id
	m, err := b.load(ctx, b.quiet("prune", ref), ref)
	if err == nil {
		_, err = b.unlock(ctx, m)
	}
	noKey := (*crypto.KeyError)(nil)
	switch {
	case errors.As(err, &noKey) && len(noKey.Have) == 0 && b.writesOnly(m.Encryption.Name):
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrUnsealed), errors.Is(err, ErrNewerFormat), errors.Is(err, ErrNotExist),
		isKeyError(err):
		return 0, err, nil
	case err != nil:
		return 0, nil, err
	}
	return m.PlainSize, g.missing(m.Manifest), nil
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

// Prune plans, and then removes what the plan says, the oldest first. On an error of PlanPrune it returns what that returned.
func (b *Backup) Prune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	op := b.begin("prune", name)
	plan, err := b.planPrune(ctx, name, keep)
	if err != nil {
		return plan, op.end(err)
	}
	gone := plan.Removals()
	for i := len(gone) - 1; i >= 0; i-- {
		if err := b.delete(ctx, gone[i].Name, gone[i].ID); err != nil && !errors.Is(err, ErrNotExist) {
			return plan, op.end(err)
		}
	}
	return plan, op.end(nil)
}
