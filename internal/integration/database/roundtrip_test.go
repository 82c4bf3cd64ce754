package database

import (
	"crypto/rand"
	"strings"
	"testing"

	"filippo.io/age"
	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// encryptions are all there are, each with a key of its own.
func encryptions(t *testing.T) map[string]crypto.Encryptor {
	t.Helper()
	archive, err := sevenzip.New(sevenzip.FromKey(crypto.NewKey()), nil)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, identities := []age.Recipient{identity.Recipient()}, []age.Identity{identity}
	return map[string]crypto.Encryptor{
		"none": crypto.None, "aes256": crypto.AES256(crypto.NewKeyring(crypto.NewKey())),
		"age": crypto.Age(&crypto.AgeOptions{Recipients: recipients, Identities: identities}), "7z": archive,
	}
}

// directory is a volume in a temporary directory.
func directory(t *testing.T) storage.Volume {
	t.Helper()
	v, err := localfs.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// bucket is a volume in a new bucket of MinIO.
func bucket(t *testing.T) storage.Volume {
	t.Helper()
	m := store.get(t)
	name := "databases-" + strings.ToLower(rand.Text())
	newBucket(t, name)
	v, err := s3fs.Open(t.Context(), name, &s3fs.Options{Endpoint: m.Endpoint, PathStyle: true, AccessKeyID: m.AccessKey, SecretAccessKey: m.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// newBucket makes a bucket, which goes with the server.
func newBucket(t *testing.T, name string) {
	t.Helper()
	m := store.get(t)
	host, _ := strings.CutPrefix(m.Endpoint, "http://")
	c, err := miniogo.New(host, &miniogo.Options{Creds: credentials.NewStaticV4(m.AccessKey, m.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeBucket(t.Context(), name, miniogo.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	volumes := map[string]func(*testing.T) storage.Volume{"directory": directory, "minio": bucket}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			e.up(t)
			want := e.state(t, e, "shop")
			if n := strings.Count(want, "\n"); n < 20 {
				t.Fatalf("only %d lines are compared:\n%s", n, want)
			}
			for format, shop := range formats(t, e) {
				for encryption, encryptor := range encryptions(t) {
					for where, volume := range volumes {
						t.Run(format+" "+encryption+" "+where, func(t *testing.T) {
							b, err := backup.New(volume(t), &backup.Options{Encryptor: encryptor})
							if err != nil {
								t.Fatal(err)
							}
							roundTrip(t, e, b, shop, want)
						})
					}
				}
			}
		})
	}
}

// formats are the ways to dump the database shop. A large one goes one way, to save time.
func formats(t *testing.T, e *engine) map[string]database.Server {
	t.Helper()
	all := map[string]database.Server{"plain": e.at(t, "shop")}
	if e == postgres {
		custom, err := database.Postgres(e.server.URL, &database.PostgresOptions{Format: database.PostgresCustom})
		if err != nil {
			t.Fatal(err)
		}
		all["custom"] = custom.Select("shop")
	}
	return all
}

// roundTrip dumps shop, loads it into a database that is made for that, and compares the two.
func roundTrip(t *testing.T, e *engine, b *backup.Backup, shop database.Server, want string) {
	info, err := shop.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snap, err := b.CreateFunc(t.Context(), "shop", &backup.CreateOptions{Ext: shop.Ext(), Source: info.Source, Labels: info.Labels}, shop.Dump)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, stored as %d; %s", snap.Details.PlainSize, snap.StoredSize, info.Source)
	if megabytes() >= 100 && snap.Details.PlainSize < 100<<20 {
		t.Errorf("the dump has only %d bytes", snap.Details.PlainSize)
	}
	restored := shop.Select("restored")
	if err := restored.Prepare(t.Context(), database.DropAndCreate); err != nil {
		t.Fatal(err)
	}
	if err := b.RestoreFunc(t.Context(), snap.Ref(), restored.Load); err != nil {
		t.Fatal(err)
	}
	if got := e.state(t, e, "restored"); got != want {
		t.Errorf("the databases differ:\n%s", difference(got, want))
	}
}

// difference shows the lines that only one of the two has.
func difference(got, want string) string {
	var b strings.Builder
	for _, side := range [][3]string{{"restored", got, want}, {"original", want, got}} {
		for line := range strings.Lines(side[1]) {
			if !strings.Contains(side[2], line) {
				b.WriteString(side[0] + ": " + line)
			}
		}
	}
	return b.String()
}
