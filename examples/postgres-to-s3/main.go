// Command postgres-to-s3 backs up one PostgreSQL database to a bucket and prunes what is old: a program for a cron job, or for
// a CronJob of Kubernetes.
//
//	export DATABASE_URL=postgres://backup:…@db.example.com/shop
//	export BACKUP_VOLUME=s3://my-bucket/backups AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
//	export BACKUP_ENCRYPTION_KEY=base64:…       # openssl rand -base64 32; keep a copy elsewhere
//	export BACKUP_KEEP_DAILY=14 BACKUP_KEEP_MONTHLY=12
//	go run ./examples/postgres-to-s3                      back up, then prune
//	go run ./examples/postgres-to-s3 restore shop/latest  load a snapshot into the database of DATABASE_URL
//
// It needs pg_dump and psql on PATH. The exit status is 0 only if the backup is committed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/databasement/backup"
	"github.com/databasement/backup/config"
	"github.com/databasement/backup/database"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "postgres-to-s3:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	// Everything but the database is said by the environment; all that is wrong there is one error.
	settings, err := config.FromEnv()
	if err != nil {
		return err
	}
	db, err := openDatabase(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	switch {
	case len(args) == 0:
		return store(ctx, out, settings, db)
	case len(args) == 2 && args[0] == "restore":
		return load(ctx, out, settings, db, args[1])
	}
	return errors.New("want no argument, or restore and a snapshot such as shop/latest")
}

func openDatabase(url string) (database.Server, error) {
	if url == "" {
		return nil, errors.New("DATABASE_URL is not set: want postgres://user:password@host/database")
	}
	db, err := database.Postgres(url, nil)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if db.Name() == "" {
		return nil, errors.New("DATABASE_URL names no database: add it after the host")
	}
	return db, nil
}

// store makes a snapshot. Only when it is committed are older ones looked at.
func store(ctx context.Context, out io.Writer, settings *config.Config, db database.Server) error {
	b, closer, err := settings.Open(ctx, config.Writing, nil)
	if err != nil {
		return err
	}
	defer closer.Close()
	info, err := db.Describe(ctx)
	if err != nil {
		return err
	}
	name := backup.CleanName(db.Name())
	snap, err := b.CreateFunc(ctx, name, &backup.CreateOptions{
		Ext: db.Ext(), Source: info.Source, Labels: info.Labels, OriginalName: db.Name(), MinSize: 1,
	}, db.Dump)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "stored %s: %d bytes, %d in the bucket\n", snap.Ref(), snap.Details.PlainSize, snap.StoredSize)
	plan, err := b.Prune(ctx, name, settings.Retention)
	if err != nil {
		return fmt.Errorf("the backup is committed, but pruning failed: %w", err)
	}
	for _, gone := range plan.Removals() {
		fmt.Fprintf(out, "pruned %s\n", gone.Ref())
	}
	return nil
}

// load restores. A snapshot that turns out damaged changes nothing: psql is killed in its one transaction.
func load(ctx context.Context, out io.Writer, settings *config.Config, db database.Server, ref string) error {
	b, closer, err := settings.Open(ctx, config.Reading, nil)
	if err != nil {
		return err
	}
	defer closer.Close()
	if err := b.RestoreFunc(ctx, ref, db.Load); err != nil {
		return err
	}
	fmt.Fprintf(out, "restored %s\n", ref)
	return nil
}
