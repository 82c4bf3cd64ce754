package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/databasement/backup/schedule"
)

// schedules reads when things are done.
func (r *reader) schedules() {
	r.value("BACKUP_DAILY_CRON", toSchedule, "0 2 * * *", cron(&r.DailyCron))
	r.value("BACKUP_WEEKLY_CRON", toSchedule, "0 3 * * 0", cron(&r.WeeklyCron))
	r.value("BACKUP_CLEANUP_CRON", toSchedule, "0 4 * * *", cron(&r.CleanupCron))
	r.value("BACKUP_TIMEZONE", toSchedule, "UTC", func(v string) error {
		location, err := time.LoadLocation(v)
		if err != nil {
			return fmt.Errorf("%w: want such as Europe/Berlin; where the system has no time zones, install its tzdata, or build with -tags timetzdata", err)
		}
		r.Location = location
		return nil
	})
	r.value("BACKUP_JOB_TIMEOUT", toSchedule, "7200", positive(&r.JobTimeout))
	r.value("BACKUP_JOB_TRIES", toSchedule, "3", whole(&r.JobTries, 1, maxTries))
	r.value("BACKUP_JOB_BACKOFF", toSchedule, "60", positive(&r.JobBackoff))
}

// retention reads what stays.
func (r *reader) retention() {
	k := &r.Retention
	r.value("BACKUP_KEEP_LAST", toSchedule, "0", whole(&k.KeepLast, 0, maxRule))
	r.value("BACKUP_KEEP_WITHIN", toSchedule, "0", duration(&k.KeepWithin))
	r.value("BACKUP_KEEP_HOURLY", toSchedule, "0", whole(&k.KeepHourly, 0, maxRule))
	r.value("BACKUP_KEEP_DAILY", toSchedule, "0", whole(&k.KeepDaily, 0, maxRule))
	r.value("BACKUP_KEEP_WEEKLY", toSchedule, "0", whole(&k.KeepWeekly, 0, maxRule))
	r.value("BACKUP_KEEP_MONTHLY", toSchedule, "0", whole(&k.KeepMonthly, 0, maxRule))
	r.value("BACKUP_KEEP_YEARLY", toSchedule, "0", whole(&k.KeepYearly, 0, maxRule))
	r.value("BACKUP_KEEP_FLOOR", toSchedule, "1", whole(&k.Floor, 1, maxRule))
	r.value("BACKUP_PRUNE_MIN_RATIO", toSchedule, "0.5", func(v string) error {
		ratio, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(ratio) || ratio > 1 || ratio == 0 {
			return fmt.Errorf("%s is neither a part of 1, such as 0.5, nor negative for none", quoted(v))
		}
		k.MinRatio = ratio
		return nil
	})
	k.Location = r.Location
}

// CheckPrune reports what is wrong with the settings of schedules and retention.
func (c *Config) CheckPrune() error { return c.problem(toSchedule) }

func cron(field *string) func(string) error {
	return func(value string) error {
		*field = value
		return schedule.CheckCron(value)
	}
}

// maxRule bounds numbers, so that a slip of the finger is found; maxTries is schedule's.
const (
	maxRule  = 1_000_000
	maxTries = 100
)

func whole(field *int, least, most int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%s is not a whole number between %d and %d", quoted(value), least, most)
		}
		*field = n
		return nil
	}
}

func positive(field *time.Duration) func(string) error {
	return func(value string) error {
		if err := duration(field)(value); err != nil {
			return err
		}
		if *field == 0 {
			return errors.New("must be more than 0")
		}
		return nil
	}
}

// duration takes seconds, 14d, or what time.ParseDuration does.
func duration(field *time.Duration) func(string) error {
	return func(value string) error {
		d, err := parseDuration(value)
		if err != nil || d < 0 {
			return fmt.Errorf("%s is neither a number of seconds nor a duration, such as 90m, 36h or 14d", quoted(value))
		}
		*field = d
		return nil
	}
}

// maxDuration is some hundred years, less than what a time.Duration holds.
const maxDuration = 100_000 * 24 * time.Hour

func parseDuration(value string) (time.Duration, error) {
	unit := time.Second
	number, days := strings.CutSuffix(value, "d")
	if days {
		unit = 24 * time.Hour
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > int64(maxDuration/unit) {
			return 0, errors.New("out of range")
		}
		return time.Duration(n) * unit, nil
	}
	return time.ParseDuration(value)
}
