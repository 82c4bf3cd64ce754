package main

import (
	"errors"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
)

// inOurWords says the command or the flag where the library's errors name what Go programs call.
var inOurWords = strings.NewReplacer(
	"List shows those that exist", "dbbackup list shows those that exist",
	"Names shows those that exist", "dbbackup names shows those that exist",
	"set AllowUnsealed to read it all the same", "--allow-unsealed reads it all the same",
	"set AgeOptions.Recipients", "set --age-recipients",
	"set Options.Compressor to the one that wrote the snapshot", "another program wrote the snapshot",
	"leave Options.Compressor unset instead of", "leave --compression unset instead of",
	"set Options.File to one of them", "name one of them with --file",
	"set Options.Encryptor or ReadWith to what opens", "dbbackup has nothing that opens",
	"nothing says how to encrypt: set "+keyVar, "nothing says how to encrypt: set "+keyVar+" (dbbackup keygen makes one)",
	"BACKUP_ENCRYPTION=age with BACKUP_AGE_RECIPIENTS_FILE", "--encryption age with --age-recipients",
	"BACKUP_ENCRYPTION=none to store", "--encryption none to store",
	"BACKUP_ENCRYPTION=7z takes", "--encryption 7z takes",
	"encryption age needs recipients", "encryption age needs recipients: --age-recipients names a file of them",
	"encryption aes256 needs a key", "encryption aes256 needs a key: dbbackup keygen makes one",
	"encryption 7z needs a key", "encryption 7z needs a key or a password: dbbackup keygen makes a key",
	"leave it unset instead of", "leave --compression unset instead of",
	"OpenObject reads", "dbbackup open reads",
)

// explain adds to a library's error what a user of this program can do.
func explain(err error) string {
	text := inOurWords.Replace(oneLine(err.Error()))
	noKey := (*crypto.KeyError)(nil)
	switch {
	case errors.As(err, &noKey) && noKey.Format == "age":
		text += " (give --age-identities the file of one that can read it)"
	case errors.As(err, &noKey) && noKey.Format == "7z":
		text += " (put the key or password into " + keyVar + " or " + oldKeysVar + "; a password takes --encryption 7z)"
	case errors.As(err, &noKey):
		text += " (put the key into " + keyVar + " or " + oldKeysVar + ")"
	case errors.Is(err, backup.ErrTooSmall):
		text += " (--min-size sets the minimum, and 0 allows an empty stream); nothing was committed"
	}
	return text
}
