package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/databasement/backup"
)

const backupText = `back up FILE, or standard input
Prints the snapshot's ID as the last line of standard output. It exists from then on, whole or
not at all.

Beware of pipes: "pg_dump shop | dbbackup backup --name shop" commits what a failing pg_dump has
written until then, because a pipe ends the same way whatever its writer's exit status. pipefail
only reports it. --min-size finds a dump that is far too short; an empty one is refused without it.`

func backupCommand(ctx context.Context, a *app, words []string) error {
	if a.settings.name == "" {
		return usagef("backup needs --name, such as --name shop")
	}
	if err := backup.CheckName(a.settings.name); err != nil {
		return usagef("--name %q: %v; %s would do", a.settings.name, err, backup.CleanName(a.settings.name))
	}
	if err := checkExt(a.settings.ext); err != nil {
		return err
	}
	b, err := a.open(ctx, "", writing)
	if err != nil {
		return err
	}
	opts := &backup.CreateOptions{Ext: a.settings.ext, MinSize: a.settings.minSize}
	source := a.stdin
	if len(words) > 0 && words[0] != "-" {
		f, err := os.Open(words[0])
		if err != nil {
			return err
		}
		defer f.Close()
		source = f
		if opts.Ext == "" {
			opts.Ext = extOf(words[0])
		}
	}
	snap, err := b.Create(ctx, a.settings.name, source, opts)
	if err != nil {
		return err
	}
	if snap.Details.PlainSize == 0 {
		a.report.warn(fmt.Errorf("%s is empty: the input had no bytes, which --min-size 0 allows", snap.Ref()))
	}
	a.leaveRestoreText(ctx, b.Volume())
	return a.printCommitted(snap)
}

// printCommitted prints a new snapshot's ID. A script that does not get it must not believe that there is none.
func (a *app) printCommitted(snap *backup.Snapshot) error {
	if err := a.println(snap.Ref()); err != nil {
		return fmt.Errorf("%s was committed, and is whole, but printing its ID failed: %w", snap.Ref(), err)
	}
	return nil
}

// checkExt finds the usual mistakes in --ext. The library has the last word.
func checkExt(ext string) error {
	if manyExts.MatchString(ext) {
		return nil
	}
	hint := "want such as .sql or .tar.gz"
	if dotted := "." + strings.ToLower(strings.TrimLeft(ext, ".")); manyExts.MatchString(dotted) {
		hint = "want " + dotted
	}
	return usagef("--ext %q: %s", ext, hint)
}

// println writes a result, whose loss is a failure.
func (a *app) println(line string) error {
	if _, err := fmt.Fprintln(a.stdout, line); err != nil {
		return fmt.Errorf("writing the result: %w", err)
	}
	return nil
}

var (
	manyExts = regexp.MustCompile(`^(\.[a-z0-9]{1,10}){0,2}$`)
	validExt = regexp.MustCompile(`^\.[a-z0-9]{1,10}$`)
	number   = regexp.MustCompile(`^\.[0-9]+$`)
	packed   = regexp.MustCompile(`^\.(gz|bz2|xz|zst|lz4)$`)
)

// extOf is a file's extension, as far as a snapshot can have it: .sql, or .tar.gz.
func extOf(file string) string {
	base := strings.ToLower(filepath.Base(file))
	ext := filepath.Ext(base)
	if !isExt(ext) {
		return ""
	}
	inner := filepath.Ext(strings.TrimSuffix(base, ext))
	if packed.MatchString(ext) && isExt(inner) {
		return inner + ext
	}
	return ext
}

func isExt(s string) bool { return validExt.MatchString(s) && !number.MatchString(s) }
