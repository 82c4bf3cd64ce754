package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/databasement/backup"
	"github.com/databasement/backup/config"
	"github.com/databasement/backup/storage"
)

// Access to a volume and to keys.
const (
	reading  = config.Reading
	writing  = config.Writing
	rekeying = config.Rekeying
)

// openFor makes a Backup on the volume of the settings, for a command on the snapshot that word names.
func (a *app) openFor(ctx context.Context, word string, as config.Access) (*backup.Backup, string, error) {
	ref, err := refOf(word)
	if err != nil {
		return nil, "", err
	}
	b, err := a.open(ctx, "", as)
	return b, ref, err
}

// open makes a Backup on the volume of that URL, or of the settings. It is closed at the end.
func (a *app) open(ctx context.Context, volume string, as config.Access) (*backup.Backup, error) {
	b, closer, err := a.config.Open(ctx, as, &config.OpenOptions{
		Volume: volume, OnEvent: a.report.event, File: a.settings.file,
		OnRetry: func(operation string, attempt int, err error) {
			if attempt >= 3 { // once or twice is an ordinary day
				a.report.warn(fmt.Errorf("attempt %d of %s failed, trying again: %w", attempt, operation, err))
			}
		},
	})
	if err != nil {
		return nil, usageOf(err)
	}
	a.opened = append(a.opened, closer)
	return b, nil
}

// usageOf makes wrong settings an error of usage.
func usageOf(err error) error {
	if problem := (*config.Problem)(nil); errors.As(err, &problem) {
		return usagef("%v", err)
	}
	return err
}

// leaveRestoreText tells strangers what the volume is, and how to use it. A snapshot is none the worse without.
func (a *app) leaveRestoreText(ctx context.Context, vol storage.Volume) {
	if err := putRestoreText(ctx, vol); err != nil {
		a.report.warn(fmt.Errorf("writing %s to the volume: %w", restoreTextName, err))
	}
}
