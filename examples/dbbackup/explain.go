package main

import (
	"errors"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
)

// explain adds to a library's error what a user of this program can do.
func explain(err error) string {
	text := oneLine(err.Error())
	noKey := (*crypto.KeyError)(nil)
	switch {
	case errors.As(err, &noKey) && noKey.Format == "age":
		text += " (give --age-identities the file of one that can read it)"
	case errors.As(err, &noKey):
		text += " (put the key into " + keyVar + " or " + oldKeysVar + ")"
	case errors.Is(err, backup.ErrTooSmall):
		text += " (--min-size sets the minimum, and 0 allows an empty stream); nothing was committed"
	case errors.Is(err, backup.ErrUnsealed):
		text += " (--allow-unsealed)"
	}
	return text
}
