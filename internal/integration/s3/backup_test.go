package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
)

const mib = 1 << 20

// dump is a stream of n bytes that does not compress, the same for a seed.
func dump(seed uint64, n int64) io.Reader {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return io.LimitReader(rand.NewChaCha8(key), n)
}

// newBackup encrypts to a new key.
func newBackup(t *testing.T, v storage.Volume, opts *backup.Options) *backup.Backup {
	t.Helper()
	opts.Encryptor = crypto.AES256(crypto.NewKeyring(crypto.NewKey()))
	b, err := backup.New(v, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// restores fails unless the snapshot is the dump.
func restores(t *testing.T, b *backup.Backup, ref string, seed uint64, n int64) {
	t.Helper()
	got, want := sha256.New(), sha256.New()
	if err := b.Restore(t.Context(), ref, got); err != nil {
		t.Fatalf("restore %s: %v", ref, err)
	}
	io.Copy(want, dump(seed, n))
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Fatalf("%s restored other bytes than were backed up", ref)
	}
}

// The life of a snapshot, wherever backups must work.
func TestBackup(t *testing.T) {
	const size = 11*mib + 7 // three parts
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			s, bucket, opts := p.make(t)
			opts.Prefix, opts.PartSize = "some/prefix", 5*mib
			b := newBackup(t, open(t, bucket, opts), &backup.Options{})
			items, err := b.Check(t.Context())
			if err != nil {
				t.Errorf("Check: %+v, %v", items, err)
			}
			var refs []string
			for seed := range uint64(2) {
				snap, err := b.Create(t.Context(), "shop/eu", dump(seed, size), &backup.CreateOptions{Ext: ".sql"})
				if err != nil {
					t.Fatal(err)
				}
				refs = append(refs, snap.Ref())
			}
			for seed, ref := range refs {
				restores(t, b, ref, uint64(seed), size)
			}
			if _, err := b.Verify(t.Context(), refs[1], nil); err != nil {
				t.Error(err)
			}
			if err := b.Delete(t.Context(), refs[0]); err != nil {
				t.Fatal(err)
			}
			snaps, err := b.List(t.Context(), "shop/eu")
			if err != nil || len(snaps) != 1 || snaps[0].Ref() != refs[1] {
				t.Errorf("after Delete: %v, %v", snaps, err)
			}
			report, err := b.Sweep(t.Context())
			if err != nil || len(report.Abandoned) != 0 {
				t.Errorf("Sweep = %+v, %v", report, err)
			}
			restores(t, b, refs[1], 1, size)
			if keys := s.keys(t, bucket); len(keys) != 2 {
				t.Errorf("one snapshot left, but these objects: %q", keys)
			}
		})
	}
}

// PITFALLS 14: a stream longer than an object may be rolls over to the next.
func TestSegments(t *testing.T) {
	s := plain.get(t)
	bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	opts.PartSize, opts.MaxParts = 8*mib, 3
	b := newBackup(t, open(t, bucket, opts), &backup.Options{Compressor: compress.None})
	const size = 100 * mib
	snap, err := b.Create(t.Context(), "long", dump(7, size), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := snap.Details.Objects; len(got) != 5 {
		t.Errorf("100 MiB in objects of 24 MiB became %q, want 5", got)
	}
	restores(t, b, snap.Ref(), 7, size)
	if err := b.Delete(context.WithoutCancel(t.Context()), snap.Ref()); err != nil {
		t.Fatal(err)
	}
	if keys := s.keys(t, bucket); len(keys) != 0 {
		t.Errorf("after Delete these are left: %q", keys)
	}
}

// Every way to cut a stream into parts, and every number of them at once, stores the same bytes.
func TestParts(t *testing.T) {
	s := plain.get(t)
	bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
	for _, c := range []struct {
		part        int64
		concurrency int
		size        int64
	}{
		{5 * mib, 1, 5 * mib}, {5 * mib, 1, 5*mib + 1}, {5 * mib, 8, 40 * mib}, {6*mib + 1, 3, 30*mib + 6}, {64 * mib, 2, 65 * mib},
	} {
		t.Run(fmt.Sprintf("%d of %d, %d at once", c.size, c.part, c.concurrency), func(t *testing.T) {
			opts := s.options()
			opts.PartSize, opts.Concurrency = c.part, c.concurrency
			v := open(t, bucket, opts)
			want, _ := io.ReadAll(dump(uint64(c.part), c.size))
			o, err := v.Put(t.Context(), "parts", bytes.NewReader(want))
			if err != nil || o.Size != c.size {
				t.Fatalf("Put = %+v, %v", o, err)
			}
			if got := s.read(t, bucket, "parts"); !bytes.Equal(got, want) {
				t.Error("the second client reads other bytes")
			}
			whole, err := s.client(t).StatObject(t.Context(), bucket, "parts", miniogo.StatObjectOptions{PartNumber: 1})
			if err != nil || whole.Size != min(c.part, c.size) {
				t.Errorf("part 1 has %d bytes, %v; want %d", whole.Size, err, min(c.part, c.size))
			}
		})
	}
}
