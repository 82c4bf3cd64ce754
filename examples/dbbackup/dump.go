package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/database"
)

const dumpText = `back up the database of a URL by its own tools
postgres://user@host/database, mysql://user@host/database or sqlite:path; or env:NAME, the variable that
holds it, which is the place for a URL with a password. A snapshot exists only if the tool ended well. Its
name is --name, or the database's. With --all there is one of each database of the server, below --name.
Prints their IDs.`

func dumpCommand(ctx context.Context, a *app, words []string) error {
	db, err := a.openDatabase(words[0], a.settings.format)
	if err != nil {
		return err
	}
	ts, err := targets(ctx, db, a.settings.name, words[0], a.settings.all)
	if err != nil {
		return err
	}
	b, err := a.open(ctx, "", writing)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range ts { // one that fails does not keep the others from their backup
		snap, err := t.dump(ctx, b, a.settings.minSize)
		if err == nil {
			err = a.printCommitted(snap)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	a.leaveRestoreText(ctx, b.Volume())
	return errors.Join(errs...)
}

const loadText = `restore a snapshot of dump into the database of a URL
The URL is as for dump. What the database has of the same names is replaced; with --prepare create it must not exist
and is made, with --prepare drop-and-create all of it is dropped, once the whole snapshot is verified. PostgreSQL and SQLite take over all of it or
nothing. MySQL and MariaDB cannot: there use --verify-first, which finds damage before the first row is loaded.`

func loadCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], reading)
	if err != nil {
		return err
	}
	snap, err := a.examine(ctx, b, ref)
	if err != nil {
		return err
	}
	db, err := a.openDatabase(words[1], formatOf(snap.Details.Ext))
	if err != nil {
		return err
	}
	url, err := a.databaseURL(words[1])
	if err != nil {
		return err
	}
	if err := suits(snap, db, url); err != nil {
		return err
	}
	if err := a.prepare(ctx, db); err != nil {
		return err
	}
	return b.RestoreFunc(ctx, snap.Ref(), db.Load)
}

// examine reads the manifest, or everything: with --verify-first, and before something is dropped for it.
func (a *app) examine(ctx context.Context, b *backup.Backup, ref string) (*backup.Snapshot, error) {
	if a.settings.verifyFirst || a.settings.prepare == dashed(database.DropAndCreate) {
		return b.Verify(ctx, ref, nil)
	}
	return b.Stat(ctx, ref)
}

// formatOf is the format of PostgreSQL's dumps that have this extension.
func formatOf(ext string) string {
	for _, format := range []database.PostgresFormat{database.PostgresPlain, database.PostgresCustom} {
		if format.Ext() == ext {
			return string(format)
		}
	}
	return ""
}

// suits refuses to load what another kind of database has dumped.
func suits(snap *backup.Snapshot, db database.Database, url string) error {
	if ext := snap.Details.Ext; ext != db.Ext() {
		return fmt.Errorf("%s is a dump with the extension %q, but this database loads %q", snap.Ref(), ext, db.Ext())
	}
	if from, to := kindOf(snap.Details.Source), kindOf(url); from != "" && to != "" && from != to {
		return fmt.Errorf("%s is a dump of %s, but the URL is of %s", snap.Ref(), from, to)
	}
	return nil
}

// kindOf is the kind of server that a URL is of; empty if it is none.
func kindOf(url string) string {
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "postgres", "postgresql":
		return "PostgreSQL"
	case "mysql", "mariadb":
		return "MySQL or MariaDB"
	}
	return ""
}

func dashed(p database.Preparation) string { return strings.ReplaceAll(p.String(), " ", "-") }

// prepare does what --prepare says.
func (a *app) prepare(ctx context.Context, db database.Database) error {
	if a.settings.prepare == "" {
		return nil
	}
	server, ok := db.(database.Server)
	if !ok {
		return usagef("--prepare takes a server's URL, postgres:// or mysql://")
	}
	for _, p := range []database.Preparation{database.Create, database.DropAndCreate} {
		if dashed(p) == a.settings.prepare {
			return server.Prepare(ctx, p)
		}
	}
	return usagef("--prepare %q: want create, or drop-and-create, which deletes all that the database holds", a.settings.prepare)
}
