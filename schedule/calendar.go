package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// calendar knows the slots of a cron expression in a time zone.
type calendar struct {
	spec      *cron.SpecSchedule // in UTC, to which wall clocks are taken as if they were of it
	loc       *time.Location
	everyHour bool
}

var parser = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// allHours are the bits of a SpecSchedule's Hour.
const allHours = 1<<24 - 1

// horizon is how far a cron expression's next time may be.
const horizon = 5 * 366 * 24 * time.Hour

// CheckCron reports why expr cannot be Job.Cron.
func CheckCron(expr string) error {
	_, err := newCalendar(expr, time.UTC)
	return err
}

func newCalendar(expr string, loc *time.Location) (*calendar, error) {
	if strings.Contains(expr, "TZ=") {
		return nil, fmt.Errorf("cron expression %.100q names a time zone: set Location instead", expr)
	}
	if len(expr) > 1000 {
		return nil, fmt.Errorf("cron expression %.100q… is %d bytes long", expr, len(expr))
	}
	parsed, err := parser.Parse(strings.TrimSpace(expr))
	if err != nil {
		const want = "want five fields: minute hour day month weekday; or six, with seconds first; or @daily, …"
		return nil, fmt.Errorf("cron expression %q: %w (%s)", expr, err, want)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("cron expression %q has no fixed times to agree on: use fields, such as */5 * * * *", expr)
	}
	if slices.Contains([]uint64{spec.Second, spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow}, 0) { // Next would take seconds
		return nil, fmt.Errorf("cron expression %q has a field without a value", expr)
	}
	spec.Location = time.UTC
	c := &calendar{spec: spec, loc: loc, everyHour: spec.Hour&allHours == allHours}
	if c.next(time.Now()).IsZero() {
		return nil, fmt.Errorf("cron expression %q: no such time exists in the next five years", expr)
	}
	return c, nil
}

// from returns the first slot that is not before t, a whole second; the zero time if there is none in five years.
//
// It goes from one change of the clocks to the next: between them the wall clock is UTC, shifted.
func (c *calendar) from(t time.Time) time.Time {
	for {
		t = t.In(c.loc)
		start, end := t.ZoneBounds()
		shift := offset(t)
		if !start.IsZero() && !c.everyHour { // the clock was set back at start: what it shows until then has been a slot before
			if fresh := start.Add(offset(start.Add(-time.Second)) - shift); t.Before(fresh) {
				t = fresh
			}
		}
		slot := c.spec.Next(t.UTC().Add(shift - time.Second))
		if slot.IsZero() {
			return time.Time{}
		}
		slot = slot.Add(-shift).In(c.loc)
		if end.IsZero() || slot.Before(end) {
			return slot
		}
		if !c.everyHour && slot.Before(end.Add(offset(end)-shift)) { // the clock is set forward at end, over this slot
			return end.In(c.loc)
		}
		t = end
	}
}

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// next returns the first slot after t.
func (c *calendar) next(t time.Time) time.Time {
	return c.from(t.Truncate(time.Second).Add(time.Second))
}

// latest returns the last slot that is not after t; the zero time if there was none in five years.
func (c *calendar) latest(t time.Time) time.Time {
	after := func(s time.Time) bool { slot := c.from(s); return slot.IsZero() || slot.After(t) }
	hi := t.Truncate(time.Second).Add(time.Second) // after(hi) holds; after(lo) does not
	lo := hi.Add(-horizon)
	if after(lo) {
		return time.Time{}
	}
	for hi.Sub(lo) > time.Second {
		if middle := lo.Add(hi.Sub(lo) / 2).Truncate(time.Second); after(middle) {
			hi = middle
		} else {
			lo = middle
		}
	}
	return c.from(lo)
}

// timer is a calendar as gocron asks for it. It has UTC, in which gocron sees no clock that changes.
type timer struct{ *calendar }

func (t timer) IsValid(string, *time.Location, time.Time) error { return nil }

func (t timer) Next(last time.Time) time.Time {
	if next := t.next(last); !next.IsZero() {
		return next.UTC()
	}
	return time.Time{}
}
