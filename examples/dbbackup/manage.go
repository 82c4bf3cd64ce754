package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

const copyText = `copy a snapshot to another volume, through the keys and the compression of now
The copy keeps the time of the original, and exists only after all of the original was verified. Prints
the copy's ID. To cure a leaked key: copy, then delete the original.`

func copyCommand(ctx context.Context, a *app, words []string) error {
	ref, err := refOf(words[0])
	if err != nil {
		return err
	}
	if a.settings.to == "" {
		return usagef("copy needs --to, such as --to file:///mnt/other")
	}
	if name := a.settings.name; name != "" {
		if err := backup.CheckName(name); err != nil {
			return usagef("--name %q: %v", name, err)
		}
	}
	from, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	to, err := a.open(ctx, a.settings.to, writing)
	if err != nil {
		return err
	}
	snap, err := from.Copy(ctx, ref, to, &backup.CopyOptions{Name: a.settings.name})
	if err != nil {
		return err
	}
	a.leaveRestoreText(ctx, to.Volume())
	return a.printCommitted(snap)
}

func deleteCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], reading)
	if err != nil {
		return err
	}
	return b.Delete(ctx, ref)
}

const sweepText = `remove what backups that died left, once it is older than 7 days
It takes no key, touches no snapshot, and may run while backups do.`

func sweepCommand(ctx context.Context, a *app, _ []string) error {
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	r, err := b.Sweep(ctx)
	if err != nil {
		return err
	}
	for _, id := range r.Abandoned {
		if err := a.println("removed " + id); err != nil {
			return err
		}
	}
	return a.println(fmt.Sprintf("%d abandoned backups: %d objects, %s; %d unfinished files",
		len(r.Abandoned), r.Objects, size(r.Bytes), r.Unfinished))
}

const rekeyText = `give the key of now access to a snapshot of an old key
It adds a small object; the snapshot's own objects stay as they are, and the old key still reads it. If
that has leaked, copy the snapshot and delete the original instead. Prints the new key's id.`

func rekeyCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], rekeying)
	if err != nil {
		return err
	}
	keyID, err := b.Rekey(ctx, ref)
	if err != nil {
		return err
	}
	return a.println(keyID)
}

const checkText = `try the volume and the keys, and say what works
Each permission is tried apart. For a bucket it also prints the settings in effect and where each is from, and the
least that a writer, a restorer and a pruner may do there, as IAM policies.`

// permissions are what the volume's methods need in a bucket.
var permissions = map[string]string{
	"put": "s3:PutObject", "stat": "s3:GetObject", "open": "s3:GetObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject",
}

func checkCommand(ctx context.Context, a *app, _ []string) error {
	b, err := a.open(ctx, "", writing)
	if err != nil {
		return err
	}
	bucket, inBucket := storage.As[*s3fs.Volume](b.Volume())
	if inBucket {
		if err := a.println(strings.TrimSpace(bucket.Options().String()) + "\n"); err != nil {
			return err
		}
	}
	items, err := b.Check(ctx)
	for _, i := range items {
		if p := permissions[i.Name]; inBucket && p != "" {
			i.Name += " (" + p + ")"
		}
		line := "ok      " + i.Name
		switch {
		case i.Err != nil:
			line = "FAILED  " + i.Name
		case i.Note != "":
			line += ": " + i.Note
		}
		if err := a.println(line); err != nil {
			return err
		}
	}
	if inBucket {
		err = errors.Join(err, a.printPolicies(bucket))
	}
	return err
}

func (a *app) printPolicies(bucket *s3fs.Volume) error {
	for _, role := range []s3fs.Role{s3fs.Writer, s3fs.Restorer, s3fs.Pruner} {
		text := fmt.Sprintf("\nThe least that a %s may do, as an IAM policy:\n%s", role, strings.TrimSpace(bucket.Policy(role)))
		if err := a.println(text); err != nil {
			return err
		}
	}
	return nil
}

func versionCommand(_ context.Context, a *app, _ []string) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	return a.println(fmt.Sprintf("dbbackup %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
}
