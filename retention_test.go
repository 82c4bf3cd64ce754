package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/databasement/backup/storage"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// history makes snapshots at these times, and sorts them as decide wants them.
func history(times ...time.Time) []*Snapshot {
	var all []*Snapshot
	for i, at := range times {
		all = append(all, &Snapshot{Name: "shop", ID: fmt.Sprint(i), Time: at.UTC()})
	}
	slices.SortStableFunc(all, func(a, b *Snapshot) int { return b.Time.Compare(a.Time) })
	return all
}

func at(t *testing.T, texts ...string) (times []time.Time) {
	t.Helper()
	for _, text := range texts {
		one, err := time.Parse("2006-01-02T15:04Z07:00", text)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, one)
	}
	return times
}

func TestRetention(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	days := at(t, "2026-11-20T02:00Z", "2026-11-20T14:00Z", "2026-11-21T02:00Z", "2026-11-22T02:00Z", "2026-11-22T14:00Z")
	for name, test := range map[string]struct {
		keep  Retention
		times []time.Time
		want  []string // reasons of those that stay, the newest first; "-" for those that go
	}{
		"empty":        {Retention{Floor: 1, MinRatio: 1, Location: berlin}, days[:2], []string{"no rule is set", "no rule is set"}},
		"last":         {Retention{KeepLast: 2}, days, []string{"among the last 2", "among the last 2", "-", "-", "-"}},
		"floor":        {Retention{KeepLast: 1, Floor: 2}, days[:3], []string{"among the last 1", "among the newest 2, which always stay", "-"}},
		"floor of one": {Retention{KeepWithin: 1}, days[:2], []string{"within 1ns of the newest", "-"}},
		"within": {Retention{KeepWithin: 24 * time.Hour}, days, []string{
			"within 24h0m0s of the newest", "within 24h0m0s of the newest", "-", "-", "-"}},
		"daily": {Retention{KeepDaily: 2}, days, []string{"daily 2026-11-22", "-", "daily 2026-11-21", "-", "-"}},
		"several": {Retention{KeepLast: 1, KeepDaily: 3, KeepMonthly: 9, KeepYearly: 1}, days, []string{
			"among the last 1, daily 2026-11-22, monthly 2026-11, yearly 2026", "-", "daily 2026-11-21", "daily 2026-11-20", "-"}},
		"periods without snapshots do not count": {Retention{KeepDaily: 2},
			at(t, "2026-01-01T00:00Z", "2026-06-01T00:00Z", "2026-11-01T00:00Z"), []string{
				"daily 2026-11-01", "daily 2026-06-01", "-"}},
		"the day of the zone": {Retention{KeepDaily: 9, Location: berlin},
			at(t, "2026-07-01T21:59Z", "2026-07-01T22:00Z", "2026-07-02T21:59Z"), []string{
				"daily 2026-07-02", "-", "daily 2026-07-01"}},
		"a day of 25 hours": {Retention{KeepDaily: 9, Location: berlin},
			at(t, "2026-10-24T22:00Z", "2026-10-25T22:59Z", "2026-10-25T23:00Z"), []string{
				"daily 2026-10-26", "daily 2026-10-25", "-"}},
		"a day that comes back, as one minute past midnight became 23:01": {Retention{KeepDaily: 3, Location: zone(t, "America/St_Johns")},
			at(t, "2010-11-06T02:00Z", "2010-11-07T02:00Z", "2010-11-07T02:30Z", "2010-11-07T02:40Z", "2010-11-07T03:40Z"), []string{
				"daily 2010-11-07", "daily 2010-11-06", "-", "-", "daily 2010-11-05"}},
		"hours at the end of summer": {Retention{KeepHourly: 9, Location: berlin},
			at(t, "2026-10-25T00:10Z", "2026-10-25T00:50Z", "2026-10-25T01:10Z", "2026-10-25T02:10Z"), []string{
				"hourly 2026-10-25 03h +01:00", "hourly 2026-10-25 02h +01:00", "hourly 2026-10-25 02h +02:00", "-"}},
		"hours at its beginning": {Retention{KeepHourly: 9, Location: berlin}, at(t, "2026-03-29T00:59Z", "2026-03-29T01:00Z"), []string{
			"hourly 2026-03-29 03h +02:00", "hourly 2026-03-29 01h +01:00"}},
		"weeks over the end of a year": {Retention{KeepWeekly: 9},
			at(t, "2026-12-27T12:00Z", "2026-12-28T12:00Z", "2027-01-03T12:00Z", "2027-01-04T12:00Z"), []string{
				"weekly 2027-W01", "weekly 2026-W53", "-", "weekly 2026-W52"}},
		"months and years of the zone": {Retention{KeepMonthly: 9, KeepYearly: 9, Location: berlin},
			at(t, "2025-12-31T22:59Z", "2025-12-31T23:00Z"), []string{
				"monthly 2026-01, yearly 2026", "monthly 2025-12, yearly 2025"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range test.keep.decide(history(test.times...)) {
				if d.Remove != (d.Reason == "no rule keeps it") {
					t.Errorf("%+v", d)
				}
				got = append(got, strings.ReplaceAll(d.Reason, "no rule keeps it", "-"))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestRetentionCheck(t *testing.T) {
	for _, test := range []struct {
		bad  Retention
		want string
	}{
		{Retention{KeepLast: -1}, "KeepLast"}, {Retention{KeepWithin: -1}, "KeepWithin"}, {Retention{KeepHourly: -1}, "KeepHourly"},
		{Retention{KeepDaily: -1}, "KeepDaily"}, {Retention{KeepWeekly: -1}, "KeepWeekly"}, {Retention{KeepMonthly: -1}, "KeepMonthly"},
		{Retention{KeepYearly: -1}, "KeepYearly"}, {Retention{Floor: -1}, "Floor"},
		{Retention{MinRatio: 1.1}, "MinRatio"}, {Retention{MinRatio: math.NaN()}, "MinRatio"},
	} {
		if err := test.bad.check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.want, err)
		}
	}
	good := Retention{KeepLast: 7, KeepDaily: 14, KeepYearly: 1, KeepWithin: 48 * time.Hour, Location: zone(t, "Europe/Berlin"), MinRatio: -1}
	if err := good.check(); err != nil || good.String() != "last 7, daily 14, yearly 1, within 48h0m0s, in Europe/Berlin" {
		t.Errorf("%v %v", good, err)
	}
	if s := (Retention{Floor: 3}).String(); s != "everything" {
		t.Error(s)
	}
}

// naive says from the definitions alone whether snapshot i stays: it asks of each rule, for each snapshot, which newer
// ones there are.
func naive(r Retention, all []*Snapshot, i int) bool {
	if r.KeepLast+r.KeepHourly+r.KeepDaily+r.KeepWeekly+r.KeepMonthly+r.KeepYearly == 0 && r.KeepWithin == 0 {
		return true
	}
	newer := 0
	newest := all[i]
	for j, s := range all {
		if s.Time.After(all[i].Time) || s.Time.Equal(all[i].Time) && j < i {
			newer++
		}
		if s.Time.After(newest.Time) {
			newest = s
		}
	}
	if newer < r.KeepLast || newer < r.Floor || newer == 0 {
		return true
	}
	if r.KeepWithin > 0 && !all[i].Time.Add(r.KeepWithin).Before(newest.Time) {
		return true
	}
	zone := time.UTC
	if r.Location != nil {
		zone = r.Location
	}
	type span struct{ y, m, d, h, o int }
	hour := func(t time.Time) span { _, o := t.Zone(); return span{t.Year(), int(t.Month()), t.Day(), t.Hour(), o} }
	day := func(t time.Time) span { return span{t.Year(), int(t.Month()), t.Day(), 0, 0} }
	monday := func(t time.Time) span { return day(t.AddDate(0, 0, -(int(t.Weekday())+6)%7)) }
	month := func(t time.Time) span { return span{t.Year(), int(t.Month()), 0, 0, 0} }
	year := func(t time.Time) span { return span{t.Year(), 0, 0, 0, 0} }
	for _, rule := range []struct {
		n  int
		of func(time.Time) span
	}{{r.KeepHourly, hour}, {r.KeepDaily, day}, {r.KeepWeekly, monday}, {r.KeepMonthly, month}, {r.KeepYearly, year}} {
		own := rule.of(all[i].Time.In(zone))
		later := map[span]bool{} // periods with a newer snapshot
		for j, s := range all {
			if s.Time.After(all[i].Time) || s.Time.Equal(all[i].Time) && j < i {
				later[rule.of(s.Time.In(zone))] = true
			}
		}
		if !later[own] && len(later) < rule.n {
			return true
		}
	}
	return false
}

// kept are the snapshots that stay.
func kept(r Retention, all []*Snapshot) []*Snapshot {
	var stay []*Snapshot
	for _, d := range r.decide(all) {
		if !d.Remove {
			stay = append(stay, d.Snapshot)
		}
	}
	return stay
}

func contains(all, part []*Snapshot) bool {
	return !slices.ContainsFunc(part, func(s *Snapshot) bool { return !slices.Contains(all, s) })
}

// Random histories, policies and zones, against naive and what must hold of any policy.
func TestRetentionProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 0))
	var zones []*time.Location
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe",
		"Pacific/Apia"} {
		zones = append(zones, zone(t, name))
	}
	steps := []time.Duration{time.Minute, 20 * time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour, 200 * time.Hour, 900 * time.Hour}
	rule := func(n int) int { return max(0, random.IntN(2*n)-n) }
	for range 3000 {
		r := Retention{KeepLast: rule(5), KeepHourly: rule(9), KeepDaily: rule(9), KeepWeekly: rule(6), KeepMonthly: rule(6),
			KeepYearly: rule(4), Floor: rule(3), Location: zones[random.IntN(len(zones))]}
		if random.IntN(3) == 0 {
			r.KeepWithin = time.Duration(random.Int64N(int64(1000 * time.Hour)))
		}
		now := time.Unix(1_100_000_000+random.Int64N(900_000_000), 0)
		var times []time.Time
		for step, n := steps[random.IntN(len(steps))], random.IntN(50); len(times) < n; {
			times = append(times, now)
			now = now.Add(-time.Duration(random.Int64N(int64(2 * step))))
		}
		all := history(times...)
		for i, d := range r.decide(all) {
			if want := !naive(r, all, i); d.Remove != want {
				t.Fatalf("%v of %v, %d: %+v, naive: remove %v", r, times, i, d, want)
			}
		}
		stay := kept(r, all)
		if !contains(stay, all[:min(len(all), max(1, r.Floor))]) {
			t.Fatalf("%v of %v: the floor was crossed", r, times)
		}
		if again := kept(r, stay); len(again) != len(stay) {
			t.Fatalf("%v of %v: a second plan keeps %d of %d", r, times, len(again), len(stay))
		}
		if r.IsEmpty() {
			continue
		}
		for raised, by := range map[string]func(*Retention){ // adds the rule where it is 0
			"last": func(r *Retention) { r.KeepLast++ }, "within": func(r *Retention) { r.KeepWithin += time.Hour },
			"hourly": func(r *Retention) { r.KeepHourly++ }, "daily": func(r *Retention) { r.KeepDaily++ },
			"weekly": func(r *Retention) { r.KeepWeekly++ }, "monthly": func(r *Retention) { r.KeepMonthly++ },
			"yearly": func(r *Retention) { r.KeepYearly++ }, "floor": func(r *Retention) { r.Floor++ },
		} {
			more := r
			by(&more)
			if !contains(kept(more, all), stay) {
				t.Fatalf("%v of %v: more %s keeps less", r, times, raised)
			}
		}
	}
}

func TestPruneVeto(t *testing.T) {
	for _, test := range []struct {
		sizes  []int // the oldest first
		keep   Retention
		vetoed bool
	}{
		{[]int{1000, 1000, 1000, 499}, Retention{KeepLast: 1}, true},
		{[]int{1000, 1000, 1000, 500}, Retention{KeepLast: 1}, false},
		{[]int{1000, 1000, 1000, 499}, Retention{KeepLast: 1, MinRatio: 0.4}, false},
		{[]int{1000, 1000, 1000, 999}, Retention{KeepLast: 1, MinRatio: 1}, true},
		{[]int{1000, 1000, 1000, 0}, Retention{KeepLast: 1, MinRatio: -1}, false},
		{[]int{1000, 1000, 1000, 0}, Retention{KeepLast: 4}, false}, // nothing would go
		{[]int{1000, 1000, 1000, 0}, Retention{}, false},
		{[]int{9000, 9000, 10, 10, 10, 10, 10}, Retention{KeepLast: 1}, false}, // a shrink that stayed
		{[]int{1, 1, 1, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 100}, Retention{KeepLast: 1}, true},
		{[]int{1000, 1000, 1000, 1, 1, 100}, Retention{KeepLast: 1}, true}, // the median, not the least
		{[]int{0, 0, 0}, Retention{KeepLast: 1}, false},
		{[]int{1000}, Retention{KeepLast: 1}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBackup(t, storage.Memory(), nil)
			for _, n := range test.sizes {
				create(t, b, "shop", dump(n))
				time.Sleep(time.Hour)
			}
			plan, err := b.PlanPrune(t.Context(), "shop", test.keep)
			if errors.Is(err, ErrVeto) != test.vetoed || (err != nil) != test.vetoed || plan == nil || len(plan.Decisions) != len(test.sizes) {
				t.Fatalf("%v %v: %+v, %v", test.sizes, test.keep, plan, err)
			}
			_, err = b.Prune(t.Context(), "shop", test.keep)
			left := len(listIDs(t, b, "shop"))
			want := len(test.sizes)
			if !test.vetoed {
				want -= len(plan.Removals())
			}
			if errors.Is(err, ErrVeto) != test.vetoed || left != want {
				t.Errorf("%v %v: %d are left, want %d, %v", test.sizes, test.keep, left, want, err)
			}
			if test.vetoed && !strings.Contains(err.Error(), fmt.Sprintf("has %d bytes", test.sizes[len(test.sizes)-1])) {
				t.Error(err)
			}
		})
	}
}

// A snapshot from the future vetoes, and the plan shows it.
func TestPruneVetoOfTheFuture(t *testing.T) {
	vol := storage.Memory()
	b, ahead := newBackup(t, vol, nil), newBackup(t, vol, nil)
	ahead.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	create(t, b, "shop", dump(10))
	create(t, b, "shop", dump(10))
	create(t, ahead, "shop", dump(10))
	plan, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1})
	if !errors.Is(err, ErrVeto) || len(plan.Decisions) != 3 || len(plan.Removals()) != 1 ||
		!strings.Contains(plan.Decisions[0].Reason, "not counted") {
		t.Fatalf("%+v %v", plan, err)
	}
	if n := len(listIDs(t, b, "shop")); n != 3 {
		t.Fatalf("%d are left", n)
	}
}

// Sizes of what does not authenticate neither veto nor prevent a veto.
func TestPruneVetoCountsWhatIsAuthentic(t *testing.T) {
	for name, test := range map[string]struct {
		sizes  []int // the oldest first
		forged []int // indexes
		vetoed bool
	}{
		"a small forged newest":      {[]int{1000, 1000, 1000, 1}, []int{3}, false},
		"large forged predecessors":  {[]int{10, 10, 9000, 9000, 9000, 10}, []int{2, 3, 4}, false},
		"small forged predecessors":  {[]int{1000, 1000, 1, 1, 1, 1, 100}, []int{2, 3, 4, 5}, true},
		"nothing counts":             {[]int{1000, 1000}, []int{0, 1}, true},
		"the same, when all is well": {[]int{1000, 1000}, nil, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			vol := storage.Memory()
			b := newBackup(t, vol, nil)
			for i, n := range test.sizes {
				writer := b
				if slices.Contains(test.forged, i) {
					writer = newBackup(t, vol, &Options{Encryptor: aes(otherKey)})
				}
				create(t, writer, "shop", dump(n))
				time.Sleep(time.Hour)
			}
			plan, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1})
			if errors.Is(err, ErrVeto) != test.vetoed || (err != nil) != test.vetoed || len(plan.Decisions) != len(test.sizes) {
				t.Fatalf("%s: %+v, %v", name, plan, err)
			}
			want := len(test.sizes)
			if !test.vetoed {
				want = 1 + len(test.forged)
			}
			if left := len(listIDs(t, b, "shop")); left != want {
				t.Errorf("%s: %d are left, want %d", name, left, want)
			}
		})
	}
}

func TestPrunePlanAsJSON(t *testing.T) {
	plan := PrunePlan{"shop", []Decision{{nil, true, "no rule keeps it"}}}
	got, err := json.Marshal(plan)
	want := `{"name":"shop","decisions":[{"snapshot":null,"remove":true,"reason":"no rule keeps it"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}
