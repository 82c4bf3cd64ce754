package campaign

import (
	"filippo.io/age"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
)

// way is how snapshots are written and read: stages, with one key for the whole campaign.
type way struct {
	*backup.Backup
	opts backup.Options
}

// open makes the ways past the faults.
func (c *campaign) open() {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		c.t.Fatal(err)
	}
	aes := crypto.AES256(crypto.NewKeyring(crypto.NewKey()))
	for _, opts := range []backup.Options{
		{Encryptor: crypto.None, Compressor: compress.None}, // stored as it comes: sources meet borders exactly
		{Encryptor: aes, Compressor: compress.None},
		{Encryptor: aes, Compressor: compress.Zstd(nil)},
		{Encryptor: crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{identity.Recipient()}, Identities: []age.Identity{identity}}), Compressor: compress.Gzip(nil)},
		{Encryptor: late{aes}, Compressor: compress.None},
	} {
		b, err := backup.New(c.s.Clean, &opts)
		if err != nil {
			c.t.Fatal(err)
		}
		c.clean = append(c.clean, &way{b, opts})
	}
}

// over is the same way on another volume.
func (w *way) over(v storage.Volume, segment int64) (*backup.Backup, error) {
	opts := w.opts
	opts.SegmentSize = segment
	return backup.New(v, &opts)
}
