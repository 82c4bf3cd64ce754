package main

import (
	"context"
	_ "embed"
	"errors"
	"strings"

	"github.com/databasement/backup/storage"
)

const restoreTextName = "RESTORE.txt"

//go:embed RESTORE.txt
var restoreGuide string

// putRestoreText writes RESTORE.txt to the volume's root, once: who has changed it keeps the change.
func putRestoreText(ctx context.Context, vol storage.Volume) error {
	if _, err := vol.Stat(ctx, restoreTextName); !errors.Is(err, storage.ErrNotExist) {
		return err
	}
	if x, ok := storage.As[storage.ExclusivePutter](vol); ok {
		_, err := x.PutIfAbsent(ctx, restoreTextName, []byte(restoreGuide))
		if err == nil || errors.Is(err, storage.ErrExist) {
			return nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	_, err := vol.Put(ctx, restoreTextName, strings.NewReader(restoreGuide))
	return err
}
