package s3

import (
	"fmt"
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// The suite that every volume passes, wherever backups must work.
func TestConformance(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			_, bucket, opts := p.make(t)
			volumes := 0
			storagetest.Run(t, func(t *testing.T) storage.Volume {
				volumes++
				own := *opts
				own.Prefix = fmt.Sprintf("conformance/%d", volumes)
				return open(t, bucket, &own)
			})
		})
	}
}
