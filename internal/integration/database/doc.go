// Package database has only tests: databases on real servers through the whole pipeline, to a directory and to MinIO.
// BACKUP_DATABASE_MB is about how large they are, 8 by default.
package database
