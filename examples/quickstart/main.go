// Command quickstart makes a backup and gets it back, on a local disk.
//
//	go run ./examples/quickstart              a generated SQL dump, in a temporary volume
//	go run ./examples/quickstart FILE         a file of yours
//	go run ./examples/quickstart FILE DIR     in a volume that stays, for a look at it
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/localfs"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	tmp, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	dump, dir := filepath.Join(tmp, "shop.sql"), filepath.Join(tmp, "volume")
	switch len(args) {
	case 0:
		if err := os.WriteFile(dump, sampleDump(), 0o600); err != nil {
			return err
		}
	case 1:
		dump = args[0]
	case 2:
		dump, dir = args[0], args[1]
	default:
		return fmt.Errorf("%d arguments: want none, FILE, or FILE DIR", len(args))
	}
	return tour(ctx, out, dump, dir, filepath.Join(tmp, "restored"))
}

// tour backs dump up to the volume in dir, and restores it to another file.
func tour(ctx context.Context, out io.Writer, dump, dir, restored string) error {
	// A volume is where snapshots live.
	vol, err := localfs.Open(dir, nil)
	if err != nil {
		return err
	}
	defer vol.Close()
	fmt.Fprintf(out, "volume    %v\n", vol)

	// Who has the key can read the snapshots. A real program keeps key.Encode() somewhere safe.
	key := crypto.NewKey()
	fmt.Fprintf(out, "key       %s (its id; the key itself is forgotten at the end)\n", key.ID())

	// Compression is zstd unless Options say otherwise.
	b, err := backup.New(vol, &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(key))})
	if err != nil {
		return err
	}

	// Create stores what a reader yields: a file here, as well a pipe or a connection.
	file, err := os.Open(dump)
	if err != nil {
		return err
	}
	defer file.Close()
	created, err := b.Create(ctx, "shop", file, &backup.CreateOptions{Ext: ".sql"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "created   %s\n", created.Ref())

	// List reads no object. What it lists was committed, and so can be restored.
	snapshots, err := b.List(ctx, "shop")
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		fmt.Fprintf(out, "listed    %s, %d bytes\n", s.Ref(), s.StoredSize)
	}

	// Verify reads all of it, decrypts and decompresses it, and compares sizes and digests.
	verified, err := b.Verify(ctx, created.Ref(), nil)
	if err != nil {
		return err
	}
	describe(out, verified)

	// RestoreFile verifies too: the file takes its name only when all is well.
	if err := b.RestoreFile(ctx, "shop/latest", restored); err != nil {
		return err
	}
	if err := compare(dump, restored); err != nil {
		return err
	}
	fmt.Fprintf(out, "restored  %s: identical\n", created.Ref())
	return nil
}

// describe prints what a snapshot's manifest says.
func describe(out io.Writer, s *backup.Snapshot) {
	d := s.Details
	fmt.Fprintf(out, "verified  %d bytes as %d with %s and %s", d.PlainSize, s.StoredSize, d.Compression.Name, d.Encryption.Name)
	if d.PlainSize > 0 {
		fmt.Fprintf(out, ": %.1f %%", 100*float64(s.StoredSize)/float64(d.PlainSize))
	}
	fmt.Fprintf(out, "\nsha-256   %s\n", d.PlainSHA256)
	for _, object := range d.Objects {
		fmt.Fprintf(out, "object    %s\n", object)
	}
}
