package main

import (
	"flag"
	"slices"

	"github.com/databasement/backup/config"
)

// variables are the flags that stand for a variable of the environment.
var variables = []struct{ flag, name, usage string }{
	{"volume", "BACKUP_VOLUME", "where snapshots live: `URL`, file:///path or s3://bucket/prefix"},
	{"compression", "BACKUP_COMPRESSION", "`format` of new snapshots: zstd (default), gzip, xz, none, or encrypted, which is 7z"},
	{"level", "BACKUP_COMPRESSION_LEVEL", "compression `level`; default: the format's own"},
	{"encryption", "BACKUP_ENCRYPTION", "`format` of new snapshots: aes256 (default if there is a key), age (default if there are only recipients), 7z, which compresses too, or none"},
	{"7z-method", "BACKUP_7Z_METHOD", "how 7z compresses: `method` deflate (default), lzma2 (smaller, several times slower) or copy"},
	{"age-recipients", "BACKUP_AGE_RECIPIENTS_FILE", "`file` of who can read new snapshots"},
	{"age-identities", "BACKUP_AGE_IDENTITIES_FILE", "`file` of secret keys to read snapshots with"},
	{"allow-unsealed", "BACKUP_ALLOW_UNSEALED", "read snapshots that are not encrypted too, though keys are set"},
	{"segment-size", "BACKUP_SEGMENT_SIZE", "cut what is stored into numbered objects (.001, .002, …) of this many `bytes`; default: one object, as far as the volume takes it"},
	{"keep-last", "BACKUP_KEEP_LAST", "keep the newest `N`"},
	{"keep-within", "BACKUP_KEEP_WITHIN", "keep what is not older than this `duration`, such as 14d, before the newest"},
	{"keep-hourly", "BACKUP_KEEP_HOURLY", "keep the newest of each of `N` hours"},
	{"keep-daily", "BACKUP_KEEP_DAILY", "keep the newest of each of `N` days"},
	{"keep-weekly", "BACKUP_KEEP_WEEKLY", "keep the newest of each of `N` weeks"},
	{"keep-monthly", "BACKUP_KEEP_MONTHLY", "keep the newest of each of `N` months"},
	{"keep-yearly", "BACKUP_KEEP_YEARLY", "keep the newest of each of `N` years"},
	{"keep-floor", "BACKUP_KEEP_FLOOR", "the newest `N` always stay; default: 1"},
	{"min-ratio", "BACKUP_PRUNE_MIN_RATIO", "delete nothing if the newest is smaller than this `part` of those before it; default: 0.5, negative: never mind"},
}

// configure reads the environment, over which flags win.
func (a *app) configure(flags *flag.FlagSet) error {
	dropped := a.dropped(flags)
	lookup := func(variable string) (value, origin string) {
		for _, v := range variables {
			if v.name == variable && set(flags, v.flag) {
				return flags.Lookup(v.flag).Value.String(), "--" + v.flag
			}
		}
		if slices.Contains(dropped, variable) {
			return "", ""
		}
		return a.env(variable), "environment"
	}
	a.config, _ = config.Parse(lookup) // each command looks at the problems that are its own
	if set(flags, "7z-method") && !a.config.Is7z() {
		return usagef("--7z-method is only for --encryption 7z")
	}
	return nil
}

// dropped is what the environment says for other formats than those that flags have chosen.
func (a *app) dropped(flags *flag.FlagSet) (names []string) {
	if set(flags, "encryption") {
		is7z := flags.Lookup("encryption").Value.String() == "7z"
		if is7z || a.env("BACKUP_COMPRESSION") == "encrypted" {
			names = append(names, "BACKUP_COMPRESSION", "BACKUP_COMPRESSION_LEVEL")
		}
		if !is7z {
			names = append(names, "BACKUP_7Z_METHOD")
		}
	}
	if set(flags, "compression") {
		names = append(names, "BACKUP_COMPRESSION_LEVEL")
	}
	return names
}
