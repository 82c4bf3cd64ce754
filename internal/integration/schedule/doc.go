// Package schedule has only tests: three processes that share a schedule, over one MinIO and over one directory.
package schedule
