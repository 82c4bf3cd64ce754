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
	t.Run("MemoryWithLimit", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Volume { return &storage.MemoryVolume{Limit: 100_000} })
	})
	t.Run("PrefixOverFaulty", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Volume {
			return storage.Prefix(storagetest.NewFaulty(storage.Memory(), 1), "some/dir")
		})
	})
}
