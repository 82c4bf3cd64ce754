// Package s3fs is a volume in a bucket of Amazon S3 or of a store that is
// compatible with it.
package s3fs

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/databasement/backup/storage"
)

// Volume is a volume in a bucket. It is a storage.Volume with every capability of that package.
type Volume struct{}

var (
	_ storage.Volume          = (*Volume)(nil)
	_ storage.ExclusivePutter = (*Volume)(nil)
	_ storage.HeadPutter      = (*Volume)(nil)
	_ storage.Presigner       = (*Volume)(nil)
	_ storage.SizeLimiter     = (*Volume)(nil)
	_ storage.Sweeper         = (*Volume)(nil)
)
