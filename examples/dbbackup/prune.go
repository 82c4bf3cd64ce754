package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/databasement/backup"
)

const pruneText = `delete the snapshots that no rule keeps, of --name or of all names
The rules are BACKUP_KEEP_LAST, _WITHIN, _HOURLY, _DAILY, _WEEKLY, _MONTHLY and _YEARLY, or the flags of those names.
Without a rule nothing is deleted. With --dry-run it only says what would go, what stays, and why. Nothing of a
name is deleted if its newest snapshot is much smaller than those before it, or from the future.`

func pruneCommand(ctx context.Context, a *app, _ []string) error {
	if err := a.config.CheckPrune(); err != nil {
		return usageOf(err)
	}
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	names := []string{a.settings.name}
	if a.settings.name != "" {
		if err := backup.CheckName(a.settings.name); err != nil {
			return usagef("--name %q: %v", a.settings.name, err)
		}
	}
	if a.config.Retention.IsEmpty() {
		a.report.note("there is no rule, so nothing is deleted: set BACKUP_KEEP_… or --keep-…")
	}
	if a.settings.name == "" {
		if names, err = b.Names(ctx); err != nil {
			return err
		}
	}
	prune := b.Prune
	if a.settings.dryRun {
		prune = b.PlanPrune
	}
	decisions := []decision{}
	var errs []error
	for _, name := range names {
		plan, err := prune(ctx, name, a.config.Retention)
		if plan != nil {
			for _, d := range plan.Decisions {
				decisions = append(decisions, decision{d.Snapshot.Ref(), d.Snapshot.Time, d.Snapshot.StoredSize, d.Remove && err == nil, d.Reason})
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, a.printDecisions(decisions))...)
}

// decision is what becomes of a snapshot, as JSON.
type decision struct {
	Ref        string    `json:"ref"`
	Time       time.Time `json:"time"`
	StoredSize int64     `json:"stored_size"` // bytes
	Remove     bool      `json:"remove"`      // or removed
	Reason     string    `json:"reason"`
}

func (a *app) printDecisions(decisions []decision) error {
	if a.settings.json {
		return a.printJSON(decisions)
	}
	removed := "removed"
	if a.settings.dryRun {
		removed = "would go"
	}
	return a.printTable(func(w io.Writer) {
		for _, d := range decisions {
			what := "stays"
			if d.Remove {
				what = removed
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", what, d.Ref, size(d.StoredSize), oneLine(d.Reason))
		}
	})
}
