// Package config makes a ready [backup.Backup] of environment variables, those of Databasement's backups:
//
//	BACKUP_VOLUME                file:///path, or s3://bucket/prefix with the variables of s3fs.OptionsFromEnv
//	BACKUP_COMPRESSION           zstd (default), gzip, xz, none; or encrypted, which is BACKUP_ENCRYPTION=7z
//	BACKUP_COMPRESSION_LEVEL     default: the format's own
//	BACKUP_7Z_METHOD             deflate (default), lzma2, copy
//	BACKUP_ENCRYPTION            aes256 (default), age (default with recipients and no BACKUP_ENCRYPTION_KEY), 7z, none
//	BACKUP_ENCRYPTION_KEY        base64: and 32 bytes; for 7z also a password; default: APP_KEY, which reads too
//	BACKUP_ENCRYPTION_OLD_KEYS   earlier keys that still read, separated by commas
//	BACKUP_AGE_RECIPIENTS_FILE   who can read new snapshots
//	BACKUP_AGE_IDENTITIES_FILE   secret keys that read
//	BACKUP_ALLOW_UNSEALED        true: read snapshots that are not encrypted, too
//	BACKUP_SEGMENT_SIZE          bytes of an object, 0 (default): as many as the volume takes
//
//	BACKUP_DAILY_CRON            0 2 * * *
//	BACKUP_WEEKLY_CRON           0 3 * * 0
//	BACKUP_CLEANUP_CRON          0 4 * * *
//	BACKUP_TIMEZONE              of these, and of retention: UTC; Local is what TZ says
//	BACKUP_JOB_TIMEOUT           7200, seconds, or a duration such as 2h
//	BACKUP_JOB_TRIES             3
//	BACKUP_JOB_BACKOFF           60, seconds, or a duration
//
//	BACKUP_KEEP_LAST, BACKUP_KEEP_HOURLY, BACKUP_KEEP_DAILY, BACKUP_KEEP_WEEKLY, BACKUP_KEEP_MONTHLY, BACKUP_KEEP_YEARLY
//	BACKUP_KEEP_WITHIN           a duration such as 36h or 14d
//	BACKUP_KEEP_FLOOR            the newest so many always stay: 1
//	BACKUP_PRUNE_MIN_RATIO       veto of a newest snapshot that is too small: 0.5; -1: none
//
// An empty variable is as good as none. What a [Config] prints holds no secret.
//
// What belongs here is the reading of settings. What they mean is the other packages'.
package config
