package campaign

import (
	"filippo.io/age"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
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
		{Encryptor: c.archives(sevenzip.Copy)}, // its first bytes are known last
		{Encryptor: c.archives(sevenzip.Deflate)},
	} {
		b, err := backup.New(c.s.Clean, &opts)
		if err != nil {
			c.t.Fatal(err)
		}
		c.clean = append(c.clean, &way{b, opts})
	}
}

// archives encrypts to .7z with a new key.
func (c *campaign) archives(m sevenzip.Method) crypto.Encryptor {
	e, err := sevenzip.New(sevenzip.FromKey(crypto.NewKey()), &sevenzip.Options{Method: m})
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

// over is the same way on another volume.
func (w *way) over(v storage.Volume, segment int64) (*backup.Backup, error) {
	opts := w.opts
	opts.SegmentSize = segment
	return backup.New(v, &opts)
}
