package s3

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// The suite that every volume passes, wherever backups must work.
func TestConformance(t *testing.T) {
	for _, p := range places {
		if p.name == "role" || p.name == "locked" {
			continue // the requests are those of restricted and versioned, with a header more
		}
		t.Run(p.name, func(t *testing.T) {
			if p.name != "plain" {
				shorten(t)
			}
			_, bucket, opts := p.make(t)
			volumes := 0
			storagetest.Run(t, func(t *testing.T) storage.Volume {
				volumes++
				own := *opts
				own.Prefix = fmt.Sprintf("conformance/%d", volumes)
				v := open(t, bucket, &own)
				if strings.HasSuffix(p.name, "restricted") {
					return &noSweeper{v, v, v, v, v}
				}
				return v
			})
		})
	}
}

// noSweeper is a volume whose user may not sweep, which takes two more permissions: see TestPermission.
type noSweeper struct {
	storage.Volume
	storage.ExclusivePutter
	storage.HeadPutter
	storage.Presigner
	storage.SizeLimiter
}

// shorten is -short for one test: a listing of 1,100 objects, two pages, instead of 10,000.
func shorten(t *testing.T) {
	t.Helper()
	old := flag.Lookup("test.short").Value.String()
	flag.Set("test.short", "true")
	t.Cleanup(func() { flag.Set("test.short", old) })
}
