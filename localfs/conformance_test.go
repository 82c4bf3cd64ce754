package localfs

import (
	"io/fs"
	"os"
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// The suite stores over ten thousand objects, so here nothing is flushed to the
// disk unless LOCALFS_TEST_FLUSH=1. Flushes have tests of their own.
func TestConformance(t *testing.T) {
	flush := os.Getenv("LOCALFS_TEST_FLUSH") == "1"
	storagetest.Run(t, func(t *testing.T) storage.Volume {
		v := open(t, t.TempDir())
		if !flush {
			v.fs = hasty{v.fs}
		}
		return v
	})
}

// hasty is a file system that skips flushes.
type hasty struct{ fileSystem }

func (h hasty) SyncDir(string) error { return nil }

func (h hasty) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	f, err := h.fileSystem.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return hastyFile{f}, nil
}

type hastyFile struct{ file }

func (hastyFile) Sync() error { return nil }
