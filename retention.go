package backup

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Retention says which snapshots of a name stay: those that any Keep rule keeps. Without a Keep rule all do, so the zero value
// removes nothing.
//
// Hourly to yearly rules keep the newest snapshot of each of the newest so many periods that have one, in Location.
// An hour that a clock change repeats is two. Weeks begin on Monday (ISO 8601).
type Retention struct {
	KeepLast    int           // the newest so many
	KeepWithin  time.Duration // those not older than this before the newest, so that nothing goes while no backup is made
	KeepHourly  int
	KeepDaily   int
	KeepWeekly  int
	KeepMonthly int
	KeepYearly  int

	Location *time.Location // of hours, days, weeks, months and years; nil is UTC

	// Floor is how many of the newest snapshots stay, whatever the rules; 0 is 1, and there is no less.
	Floor int

	// MinRatio vetoes removals while the newest snapshot's plain size is less than this part of the median of the seven before
	// it: a dump that lost most of its data must not push out those that have it. Of a shrink that is meant to be, the median
	// becomes the new size by itself after four snapshots. 0 is DefaultMinRatio; negative: no veto. At most 1.
	MinRatio float64
}

// DefaultMinRatio is half.
const DefaultMinRatio = 0.5

// predecessors is how many snapshots the newest one's size is compared with.
const predecessors = 7

// periodRule keeps the newest snapshot of each of so many periods.
type periodRule struct {
	name  string
	count int
	of    func(t time.Time) string // names the period
}

func (r Retention) periods() []periodRule {
	format := func(layout string) func(time.Time) string {
		return func(t time.Time) string { return t.Format(layout) }
	}
	return []periodRule{
		{"hourly", r.KeepHourly, format("2006-01-02 15h -07:00")},
		{"daily", r.KeepDaily, format("2006-01-02")},
		{"weekly", r.KeepWeekly, func(t time.Time) string {
			year, week := t.ISOWeek()
			return fmt.Sprintf("%d-W%02d", year, week)
		}},
		{"monthly", r.KeepMonthly, format("2006-01")},
		{"yearly", r.KeepYearly, format("2006")},
	}
}

// IsEmpty reports whether there is no Keep rule, so that nothing is removed.
func (r Retention) IsEmpty() bool {
	return r.KeepLast == 0 && r.KeepWithin == 0 && !slices.ContainsFunc(r.periods(), func(p periodRule) bool { return p.count != 0 })
}

// String states the rules, such as "last 7, daily 14, within 48h0m0s, in Europe/Berlin".
func (r Retention) String() string {
	if r.IsEmpty() {
		return "everything"
	}
	var rules []string
	if r.KeepLast != 0 {
		rules = append(rules, fmt.Sprintf("last %d", r.KeepLast))
	}
	for _, p := range r.periods() {
		if p.count != 0 {
			rules = append(rules, fmt.Sprintf("%s %d", p.name, p.count))
		}
	}
	if r.KeepWithin != 0 {
		rules = append(rules, fmt.Sprintf("within %s", r.KeepWithin))
	}
	return strings.Join(rules, ", ") + ", in " + r.location().String()
}

func (r Retention) location() *time.Location {
	if r.Location == nil {
		return time.UTC
	}
	return r.Location
}

func (r Retention) check() error {
	for _, field := range []struct {
		name     string
		negative bool
	}{
		{"KeepLast", r.KeepLast < 0}, {"KeepWithin", r.KeepWithin < 0}, {"KeepHourly", r.KeepHourly < 0}, {"KeepDaily", r.KeepDaily < 0},
		{"KeepWeekly", r.KeepWeekly < 0}, {"KeepMonthly", r.KeepMonthly < 0}, {"KeepYearly", r.KeepYearly < 0}, {"Floor", r.Floor < 0},
	} {
		if field.negative {
			return fmt.Errorf("%s of the retention is negative: 0 leaves it out", field.name)
		}
	}
	if math.IsNaN(r.MinRatio) || r.MinRatio > 1 {
		return fmt.Errorf("MinRatio of the retention is %v: it must be at most 1, or negative for no veto", r.MinRatio)
	}
	return nil
}

// decide applies the rules to the snapshots that count, the newest first.
func (r Retention) decide(counted []*Snapshot) []Decision {
	decisions := make([]Decision, len(counted))
	for i, s := range counted {
		decisions[i].Snapshot = s
	}
	if r.IsEmpty() {
		for i := range decisions {
			decisions[i].Reason = "no rule is set"
		}
		return decisions
	}
	reasons := make([][]string, len(counted))
	keep := func(i int, format string, args ...any) { reasons[i] = append(reasons[i], fmt.Sprintf(format, args...)) }
	for i, s := range counted {
		if i < r.KeepLast {
			keep(i, "among the last %d", r.KeepLast)
		}
		if r.KeepWithin > 0 && counted[0].Time.Sub(s.Time) <= r.KeepWithin {
			keep(i, "within %s of the newest", r.KeepWithin)
		}
	}
	for _, p := range r.periods() {
		seen := map[string]bool{} // all, as clocks that were set back at midnight have a day twice
		for i := 0; i < len(counted) && len(seen) < p.count; i++ {
			if period := p.of(counted[i].Time.In(r.location())); !seen[period] {
				keep(i, "%s %s", p.name, period)
				seen[period] = true
			}
		}
	}
	for i := range decisions {
		d := &decisions[i]
		if d.Reason = strings.Join(reasons[i], ", "); d.Reason == "" && i < max(1, r.Floor) {
			d.Reason = fmt.Sprintf("among the newest %d, which always stay", max(1, r.Floor))
		}
		if d.Remove = d.Reason == ""; d.Remove {
			d.Reason = "no rule keeps it"
		}
	}
	return decisions
}

// suspicious says why the newest of the plain sizes, the newest first, is too small to remove anything.
func (r Retention) suspicious(newest *Snapshot, sizes []int64) error {
	ratio := r.MinRatio
	if ratio == 0 {
		ratio = DefaultMinRatio
	}
	if len(sizes) < 2 || ratio < 0 {
		return nil
	}
	before := slices.Sorted(slices.Values(sizes[1:min(len(sizes), 1+predecessors)]))
	median := before[len(before)/2]
	if float64(sizes[0]) >= ratio*float64(median) {
		return nil
	}
	return fmt.Errorf("%w: the newest snapshot, %s, has %d bytes, less than %v of the median of the %d before it, %d bytes: "+
		"look whether it is whole; delete it if it is not, or set a lower MinRatio if it is",
		ErrVeto, newest.Ref(), sizes[0], ratio, len(before), median)
}
