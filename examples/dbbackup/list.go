package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/databasement/backup"
)

func namesCommand(ctx context.Context, a *app, _ []string) error {
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	names, err := b.Names(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	return a.println(strings.Join(names, "\n"))
}

// record is a snapshot as JSON.
type record struct {
	Ref        string    `json:"ref"`
	Name       string    `json:"name"`
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	StoredSize int64     `json:"stored_size"` // bytes
	*backup.Details
}

func recordOf(s *backup.Snapshot) record {
	return record{s.Ref(), s.Name, s.ID, s.Time, s.StoredSize, s.Details}
}

func listCommand(ctx context.Context, a *app, _ []string) error {
	names := []string{a.settings.name}
	if a.settings.name != "" {
		if err := backup.CheckName(a.settings.name); err != nil {
			return usagef("--name %q: %v", a.settings.name, err)
		}
	}
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	if a.settings.name == "" {
		if names, err = b.Names(ctx); err != nil {
			return err
		}
	}
	records := []record{}
	for _, name := range names {
		snapshots, err := b.List(ctx, name)
		if err != nil {
			return err
		}
		for _, s := range snapshots {
			records = append(records, recordOf(s))
		}
	}
	if len(records) == 0 && a.settings.name != "" {
		a.report.note(fmt.Sprintf("there are no snapshots of the name %q: dbbackup names shows those that exist", a.settings.name))
	}
	if a.settings.json {
		return a.printJSON(records)
	}
	return a.printTable(func(w io.Writer) {
		for _, r := range records {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Ref, r.Time.Format(time.DateTime+"Z"), size(r.StoredSize))
		}
	})
}

func showCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], reading)
	if err != nil {
		return err
	}
	snap, err := b.Stat(ctx, ref)
	if err != nil {
		return err
	}
	r := recordOf(snap)
	if a.settings.json {
		return a.printJSON(r)
	}
	return a.printTable(r.print)
}

// print shows everything. Texts of the manifest are quoted: they could hold a terminal's control characters.
func (r record) print(w io.Writer) {
	line := func(key, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, args...))
	}
	line("snapshot", "%s", r.Ref)
	line("begun", "%s", r.Begun.Format(time.RFC3339))
	line("ended", "%s", r.Ended.Format(time.RFC3339))
	line("size", "%d bytes, stored as %d", r.PlainSize, r.StoredSize)
	if r.PlainSHA256 != "" {
		line("sha-256", "%s", r.PlainSHA256)
	}
	line("compression", "%s", stage(r.Compression))
	line("encryption", "%s", stage(r.Encryption))
	line("seal", "%s", sealText(r.Seal))
	for _, o := range r.Objects {
		line("object", "%s", o)
	}
	texts := map[string]string{"source": r.Source, "original name": r.OriginalName, "copied from": r.CopiedFrom}
	for k, v := range r.Labels {
		texts["label "+fmt.Sprintf("%q", k)] = v
	}
	for _, k := range slices.Sorted(maps.Keys(texts)) {
		if texts[k] != "" {
			line(k, "%q", texts[k])
		}
	}
}

func stage(s backup.Stage) string {
	text := s.Name
	for _, k := range slices.Sorted(maps.Keys(s.Params)) {
		text += fmt.Sprintf(", %s %s", k, s.Params[k])
	}
	if len(s.KeyIDs) > 0 {
		text += ", key " + strings.Join(s.KeyIDs, ", ")
	}
	return oneLine(text)
}

func sealText(s backup.Seal) string {
	switch s {
	case backup.SealVerified:
		return "verified with the key"
	case backup.SealNone:
		return "none: the snapshot is not encrypted, and could be anybody's"
	}
	return "not checked: there is no key for it here"
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

func (a *app) printTable(rows func(w io.Writer)) error {
	t := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	rows(t)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

// size is a number of bytes for people.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/(1<<10), 0
	for ; f >= 999.95 && i < len(units)-1; i++ {
		f /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
