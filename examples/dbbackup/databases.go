package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/database"
)

// target is a database, and the name of its snapshots.
type target struct {
	name     string
	original string // what name was made of, if it differs
	db       database.Database
}

// openDatabase opens what a URL names, or the variable of env:NAME. format is of PostgreSQL's dumps.
func (a *app) openDatabase(word, format string) (database.Database, error) {
	text, err := a.databaseURL(word)
	if err != nil {
		return nil, err
	}
	postgres := &database.PostgresOptions{Format: database.PostgresFormat(format)}
	db, err := database.Open(text, &database.Options{Postgres: postgres})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return db, nil
}

// databaseURL is a URL from the command line, or from the variable that it names.
func (a *app) databaseURL(word string) (string, error) {
	if name, ok := strings.CutPrefix(word, "env:"); ok {
		if text := a.env(name); text != "" {
			return text, nil
		}
		return "", usagef("the variable %s, which is to hold the database's URL, is not set", name)
	}
	if hasPassword(word) {
		return "", usagef("a password on the command line is shown to every user of this machine: put the URL into a variable and give env:NAME, " +
			"or leave the password to PGPASSWORD, ~/.pgpass, MYSQL_PWD or ~/.my.cnf")
	}
	return word, nil
}

// hasPassword reports whether a URL holds a password. What cannot be parsed is judged by its look.
func hasPassword(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		before, _, found := strings.Cut(text, "@")
		return found && strings.Count(before, ":") > 1
	}
	if _, has := u.User.Password(); has {
		return true
	}
	return u.Query().Has("password") || u.Query().Has("sslpassword")
}

// targets are the database itself, or with all each one of its server.
func targets(ctx context.Context, db database.Database, name, url string, all bool) ([]target, error) {
	server, isServer := db.(database.Server)
	if !all {
		t := target{name: name, db: db}
		if t.name == "" {
			t.original = nameOf(db, url)
			t.name = backup.CleanName(t.original)
		}
		if isServer && server.Name() == "" || t.original == "" && name == "" {
			return nil, errors.New("the URL names no database: add it after the host, or back up all of the server's with --all")
		}
		return []target{t}, backup.CheckName(t.name)
	}
	if !isServer {
		return nil, errors.New("--all takes a server's URL, postgres:// or mysql://")
	}
	names, err := server.List(ctx)
	if err != nil {
		return nil, err
	}
	var ts []target
	for _, original := range names {
		t := target{strings.TrimPrefix(name+"/"+backup.CleanName(original), "/"), original, server.Select(original)}
		if err := backup.CheckName(t.name); err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	if len(ts) == 0 {
		return nil, errors.New("the server has no database, or none that this user may see")
	}
	slices.SortFunc(ts, func(a, b target) int { return strings.Compare(a.name, b.name) })
	return ts, nil
}

// nameOf is what the database itself is called.
func nameOf(db database.Database, url string) string {
	if server, ok := db.(database.Server); ok {
		return server.Name()
	}
	base := filepath.Base(strings.TrimPrefix(url, "sqlite:"))
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// options describe a new snapshot of the target.
func (t target) options(ctx context.Context, minSize int64) (*backup.CreateOptions, error) {
	o := &backup.CreateOptions{Ext: t.db.Ext(), OriginalName: t.original, MinSize: minSize}
	if o.OriginalName == t.name {
		o.OriginalName = ""
	}
	if d, ok := t.db.(database.Describer); ok {
		info, err := d.Describe(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking what is to be backed up as %q: %w", t.name, err)
		}
		o.Source, o.Labels = info.Source, info.Labels
	}
	return o, nil
}

// dump makes a snapshot of the target.
func (t target) dump(ctx context.Context, b *backup.Backup, minSize int64) (*backup.Snapshot, error) {
	o, err := t.options(ctx, minSize)
	if err != nil {
		return nil, err
	}
	return b.CreateFunc(ctx, t.name, o, t.db.Dump)
}
