// Package s3 has only tests: of package s3fs, and of backups through it, with real servers and a second client.
package s3
