package backup

import (
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
		"periods without snapshots do not count": {Retention{KeepDaily: 2}, at(t, "2026-01-01T00:00Z", "2026-06-01T00:00Z", "2026-11-01T00:00Z"), []string{
			"daily 2026-11-01", "daily 2026-06-01", "-"}},
		"the day of the zone": {Retention{KeepDaily: 9, Location: berlin}, at(t, "2026-07-01T21:59Z", "2026-07-01T22:00Z", "2026-07-02T21:59Z"), []string{
			"daily 2026-07-02", "-", "daily 2026-07-01"}},
		"hours at the end of summer": {Retention{KeepHourly: 9, Location: berlin},
			at(t, "2026-10-25T00:10Z", "2026-10-25T00:50Z", "2026-10-25T01:10Z", "2026-10-25T02:10Z"), []string{
				"hourly 2026-10-25 03h +01:00", "hourly 2026-10-25 02h +01:00", "hourly 2026-10-25 02h +02:00", "-"}},
		"hours at its beginning": {Retention{KeepHourly: 9, Location: berlin}, at(t, "2026-03-29T00:59Z", "2026-03-29T01:00Z"), []string{
			"hourly 2026-03-29 03h +02:00", "hourly 2026-03-29 01h +01:00"}},
		"weeks over the end of a year": {Retention{KeepWeekly: 9}, at(t, "2026-12-27T12:00Z", "2026-12-28T12:00Z", "2027-01-03T12:00Z", "2027-01-04T12:00Z"), []string{
			"weekly 2027-W01", "weekly 2026-W53", "-", "weekly 2026-W52"}},
		"years of the zone": {Retention{KeepYearly: 9, Location: berlin}, at(t, "2025-12-31T22:59Z", "2025-12-31T23:00Z"), []string{"yearly 2026", "yearly 2025"}},
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
	for _, bad := range []Retention{{KeepLast: -1}, {KeepWithin: -1}, {KeepHourly: -1}, {KeepDaily: -1}, {KeepWeekly: -1}, {KeepMonthly: -1}, {KeepYearly: -1},
		{Floor: -1}, {MinRatio: 1.1}, {MinRatio: math.NaN()}} {
		if err := bad.check(); err == nil {
			t.Errorf("%+v is accepted", bad)
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

// naive says from the definitions alone whether snapshot i stays: it asks of each rule, for each snapshot, which newer ones there are.
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
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"} {
		zones = append(zones, zone(t, name))
	}
	steps := []time.Duration{time.Minute, 20 * time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour, 40 * time.Hour, 200 * time.Hour, 900 * time.Hour}
	rule := func(n int) int { return max(0, random.IntN(2*n)-n) }
	for range 4000 {
		r := Retention{KeepLast: rule(5), KeepHourly: rule(9), KeepDaily: rule(9), KeepWeekly: rule(6), KeepMonthly: rule(6), KeepYearly: rule(4),
			Floor: rule(3), Location: zones[random.IntN(len(zones))]}
		if random.IntN(3) == 0 {
			r.KeepWithin = time.Duration(random.Int64N(int64(1000 * time.Hour)))
		}
		now := time.Unix(1_100_000_000+random.Int64N(900_000_000), 0)
		var times []time.Time
		for step, n := steps[random.IntN(len(steps))], random.IntN(60); len(times) < n; {
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
		if more := r; !r.IsEmpty() {
			more.KeepDaily, more.KeepHourly, more.KeepLast = r.KeepDaily+1, r.KeepHourly+2, r.KeepLast+1
			if !contains(kept(more, all), stay) {
				t.Fatalf("%v of %v: larger rules keep less", r, times)
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
			if errors.Is(err, ErrVeto) != test.vetoed || test.vetoed && left != len(test.sizes) || !test.vetoed && left != len(test.sizes)-len(plan.Removals()) {
				t.Errorf("%v %v: %d are left, %v", test.sizes, test.keep, left, err)
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
	if !errors.Is(err, ErrVeto) || len(plan.Decisions) != 3 || plan.Decisions[0].Remove || !strings.Contains(plan.Decisions[0].Reason, "not counted") {
		t.Fatalf("%+v %v", plan, err)
	}
	if n := len(listIDs(t, b, "shop")); n != 3 {
		t.Fatalf("%d are left", n)
	}
}
