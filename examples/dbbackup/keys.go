package main

import (
	"context"
	"fmt"

	"github.com/databasement/backup/crypto"
)

const (
	keyVar     = "BACKUP_ENCRYPTION_KEY"
	oldKeysVar = "BACKUP_ENCRYPTION_OLD_KEYS"
)

const keygenText = `make a key for --encryption aes256 or 7z
Standard output gets the line BACKUP_ENCRYPTION_KEY=base64:…, fit for a file of environment variables.
Standard error gets the key's id, which reveals nothing, and advice.`

func keygenCommand(_ context.Context, a *app, _ []string) error {
	key := crypto.NewKey()
	if _, err := fmt.Fprintf(a.stdout, "%s=%s\n", keyVar, key.Encode()); err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	a.report.note("key id " + key.ID() + ", which snapshots are marked with and errors name")
	a.report.note("to store it for nobody else to read, and over no other key: (umask 077; set -C; dbbackup keygen > FILE)")
	a.report.note("keep a copy of the key away from the backups: without it nobody can read them, and with it anybody can")
	a.report.note("to change keys, move the old one to " + oldKeysVar + ": it goes on reading older snapshots")
	return nil
}
