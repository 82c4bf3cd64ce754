package backup

import (
	"context"
	"errors"
	"fmt"
	"time"
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

// futureLeeway is how far ahead of the local clock an id may be.
const futureLeeway = time.Hour

// PlanPrune decides which snapshots of a name go. Only those count for the rules whose manifest is whole and, where this
// Backup has keys to read with, authentic; the others are not counted, and not removed either. The newest that counts
// always stays. An id from the future is an error: it would push good snapshots out.
func (b *Backup) PlanPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	plan, err := b.planPrune(ctx, name, keep)
	return plan, wrap("prune", name, err)
}

func (b *Backup) planPrune(ctx context.Context, name string, keep Retention) (*PrunePlan, error) {
	if keep.KeepLast < 0 || keep.KeepWithin < 0 {
		return nil, fmt.Errorf("a retention of %+v has a negative rule", keep)
	}
	snapshots, err := b.list(ctx, name)
	if err != nil {
		return nil, err
	}
	now := b.now()
	plan := &PrunePlan{Name: name}
	counted := 0
	judge, err := b.judge(ctx)
	if err != nil {
		return nil, err
	}
	for i := len(snapshots) - 1; i >= 0; i-- {
		s := snapshots[i]
		if s.Time.After(now.Add(futureLeeway)) {
			return nil, fmt.Errorf("snapshot %s is from the future: the clock is wrong here or was where it was made, "+
				"or it is forged. Nothing was removed; delete it by its id if it is not wanted", s.ID)
		}
		doubt, err := judge(s)
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

// judge returns a function that says why a snapshot does not count.
func (b *Backup) judge(ctx context.Context) (func(*Snapshot) (doubt, err error), error) {
	canRead := true
	if b.encrypts() {
		err := b.tryKey(ctx)
		if err != nil && !isKeyError(err) {
			return nil, err
		}
		canRead = err == nil
	}
	return func(s *Snapshot) (doubt, err error) {
		m, err := b.load(ctx, b.quiet("prune", s.Ref()), s.Ref())
		if err == nil {
			_, err = b.unlock(ctx, m)
		}
		switch {
		case isKeyError(err) && !canRead:
			return nil, nil
		case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, ErrUnsealed), errors.Is(err, ErrNewerFormat), isKeyError(err):
			return err, nil
		}
		return nil, err
	}, nil
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
