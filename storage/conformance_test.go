package storage_test

import (
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Run("Memory", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Volume { return storage.Memory() })
	})
	t.Run("PrefixOverFaultyWithLimit", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Volume {
			m := &storage.MemoryVolume{Limit: 100_000}
			return storage.Prefix(storagetest.NewFaulty(m, 1), "some/dir")
		})
	})
}
