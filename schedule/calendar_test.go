package schedule

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func slotsOf(t *testing.T, expr, zone string) *calendar {
	t.Helper()
	c, err := newCalendar(expr, location(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSlots(t *testing.T) {
	for _, test := range []struct{ what, cron, zone, after, want string }{
		{"daily", "0 2 * * *", "UTC", "2026-11-22T00:00:00Z", "11-22T02:00:00Z 11-23T02:00:00Z"},
		{"strictly after", "0 2 * * *", "UTC", "2026-11-22T02:00:00Z", "11-23T02:00:00Z"},
		{"after a part of a second", "0 2 * * *", "UTC", "2026-11-22T01:59:59.999Z", "11-22T02:00:00Z"},
		{"in a zone", "0 2 * * *", "Asia/Kolkata", "2026-11-22T00:00:00Z", "11-22T20:30:00Z 11-23T20:30:00Z"},
		{"by name", "@weekly", "UTC", "2026-11-22T00:00:00Z", "11-29T00:00:00Z 12-06T00:00:00Z"},
		{"seconds", "*/20 * * * * *", "UTC", "2026-11-22T00:00:00Z", "11-22T00:00:20Z 11-22T00:00:40Z 11-22T00:01:00Z"},
		{"leap day", "0 0 29 2 *", "UTC", "2026-11-22T00:00:00Z", "02-29T00:00:00Z"},

		{"skipped in spring: at the change", "0 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", "03-28T01:00:00Z 03-29T01:00:00Z 03-30T00:00:00Z"},
		{"skipped by half an hour", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29T01:00:00Z 03-30T00:30:00Z"},
		{"several skipped: once", "*/10 2 * * *", "America/New_York", "2026-03-07T07:45:00Z", "03-07T07:50:00Z 03-08T07:00:00Z 03-09T06:00:00Z"},
		{"skipped, and there is one at the change", "0 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29T01:00:00Z 03-30T00:00:00Z"},
		{"just before the change", "59 1 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "03-29T00:59:00Z 03-29T23:59:00Z"},
		{"every hour in spring", "0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "03-29T01:00:00Z 03-29T02:00:00Z"},
		{"midnight is skipped", "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "09-06T04:00:00Z 09-07T03:00:00Z"},

		{"twice in autumn: the first", "0 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "10-25T00:00:00Z 10-26T01:00:00Z"},
		{"twice, several", "*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "10-25T00:00:00Z 10-25T00:30:00Z 10-26T01:00:00Z"},
		{"every hour in autumn", "0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "10-25T01:00:00Z 10-25T02:00:00Z"},
		{"half an hour twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", "04-04T14:45:00Z 04-05T15:15:00Z"},
		{"half an hour skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "10-03T15:30:00Z 10-04T15:15:00Z"},
	} {
		c := slotsOf(t, test.cron, test.zone)
		at, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(test.want) {
			at = c.next(at)
			got = append(got, at.UTC().Format("01-02T15:04:05Z"))
			if l := c.latest(at); !l.Equal(at) {
				t.Errorf("%s: the latest slot at %s is %s", test.what, at, l)
			}
		}
		if g := strings.Join(got, " "); g != test.want {
			t.Errorf("%s: %s, want %s", test.what, g, test.want)
		}
	}
}

// TestSlotsByMinute compares a year of slots with a look at each minute's wall clock.
func TestSlotsByMinute(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"} {
		loc := location(t, zone)
		daily, hourly := slotsOf(t, "30 2 * * *", zone), slotsOf(t, "15 * * * *", zone)
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		nextDaily, nextHourly := daily.next(at), hourly.next(at)
		days := map[string]int{}
		for end := at.AddDate(1, 0, 0); at.Before(end); {
			at = at.Add(time.Minute)
			wall := at.In(loc)
			if is := nextDaily.Equal(at); is {
				days[wall.Format(time.DateOnly)]++
				_, before := at.Add(-time.Minute).In(loc).Zone()
				_, now := wall.Zone()
				if clock := wall.Format("15:04"); clock != "02:30" && (now <= before || clock < "02:30") {
					t.Errorf("%s: a daily slot at %s", zone, wall)
				}
				nextDaily = daily.next(at)
			}
			if is, want := nextHourly.Equal(at), wall.Minute() == 15; is != want {
				t.Fatalf("%s: %s is an hourly slot: %t, want %t", zone, wall, is, want)
			} else if is {
				nextHourly = hourly.next(at)
			}
		}
		if len(days) < 365 {
			t.Errorf("%s: %d days with a daily slot", zone, len(days))
		}
		for day, n := range days {
			if n != 1 {
				t.Errorf("%s: %d daily slots on %s", zone, n, day)
			}
		}
	}
}

func TestLatest(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 500, time.UTC)
	for cron, want := range map[string]string{
		"0 2 * * *":      "2026-11-22T02:00:00Z",
		"0 12 * * *":     "2026-11-22T12:00:00Z",
		"1 12 * * *":     "2026-11-21T12:01:00Z",
		"* * * * * *":    "2026-11-22T12:00:00Z",
		"@yearly":        "2026-01-01T00:00:00Z",
		"0 0 29 2 *":     "2024-02-29T00:00:00Z",
		"* * * 1 1 *":    "2026-01-01T23:59:59Z",
		"0 0 1 * sun":    "2026-11-22T00:00:00Z",
		"5 4 * * 1-5":    "2026-11-20T04:05:00Z",
		"0 22 * * mon":   "2026-11-16T22:00:00Z",
		" 0  2 * * * ":   "2026-11-22T02:00:00Z",
		"0 0 31 */2 *":   "2026-07-31T00:00:00Z",
		"59 59 23 * * *": "2026-11-21T23:59:59Z",
	} {
		if got := slotsOf(t, cron, "UTC").latest(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", cron, got, want)
		}
	}
}

func TestWrongCron(t *testing.T) {
	for _, cron := range []string{
		"", " ", "0 2 * *", "0 2 * * * * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 31 2 *", "x * * * *", "@often", "@every 1h", "*/0 * * * *",
		"TZ=UTC 0 2 * * *", "CRON_TZ=UTC", "TZ=", "0 , * * *", ", * * * * *", "5-1 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "-1 * * * *", strings.Repeat("1,", 1000) + "1 * * * *",
	} {
		if _, err := newCalendar(cron, time.UTC); err == nil {
			t.Errorf("%.50q is accepted", cron)
		}
	}
}

// No expression panics, and every accepted one has slots that fit together.
func FuzzCalendar(f *testing.F) {
	for _, cron := range []string{"0 2 * * *", "*/5 1-3 * jan,6 sun", "@daily", "TZ=", "* * * * * *", "1/9 0 29 2 ?"} {
		f.Add(cron, int64(1774746000))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cron string, unix int64) {
		c, err := newCalendar(cron, berlin)
		if err != nil {
			return
		}
		at := time.Unix(unix%(1<<32), 0)
		next := c.next(at)
		if next.IsZero() {
			return // none within five years of at
		}
		if !next.After(at) {
			t.Fatalf("%q: %s comes after %s", cron, next, at)
		}
		if latest := c.latest(next.Add(-time.Second)); latest.After(at) {
			t.Fatalf("%q: %s is between %s and %s", cron, latest, at, next)
		}
		if latest := c.latest(next); !latest.Equal(next) {
			t.Fatalf("%q: at the slot %s the latest is %s", cron, next, latest)
		}
	})
}
