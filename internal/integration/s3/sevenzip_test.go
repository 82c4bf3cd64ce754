package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// archivePassword is shared, because it remembers its AES key, which takes time to derive.
var archivePassword = sevenzip.FromKey(crypto.NewKey())

// site is a bucket where archives are written, and a directory to download them to.
type site struct {
	*store
	bucket, dir string
	volume      *s3fs.Volume
	parts       *partOrder
}

func newSite(t *testing.T, s *store, change func(*s3fs.Options)) *site {
	t.Helper()
	x := &site{store: s, bucket: s.newBucket(t, miniogo.MakeBucketOptions{}), dir: t.TempDir()}
	x.parts = &partOrder{RoundTripper: s.http, numbers: map[string][]string{}}
	opts := s.options()
	opts.HTTPClient = &http.Client{Transport: x.parts}
	if change != nil {
		change(opts)
	}
	x.volume = open(t, x.bucket, opts)
	return x
}

// partOrder notes in which order the parts of an object are uploaded.
type partOrder struct {
	http.RoundTripper
	mu      sync.Mutex
	numbers map[string][]string // by path
}

func (p *partOrder) RoundTrip(r *http.Request) (*http.Response, error) {
	if n := r.URL.Query().Get("partNumber"); r.Method == http.MethodPut && n != "" {
		p.mu.Lock()
		p.numbers[r.URL.Path] = append(p.numbers[r.URL.Path], n)
		p.mu.Unlock()
	}
	return p.RoundTripper.RoundTrip(r)
}

// of are the numbers of an object's parts, in the order of their uploads.
func (p *partOrder) of(bucket, key string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.numbers["/"+bucket+"/"+key]
}

func (x *site) backup(t *testing.T, m sevenzip.Method, segment int64) *backup.Backup {
	t.Helper()
	level := 1 // what is backed up does not compress
	if m == sevenzip.Copy {
		level = 0
	}
	e, err := sevenzip.New(archivePassword, &sevenzip.Options{Method: m, Level: level})
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.New(x.volume, &backup.Options{Encryptor: e, SegmentSize: segment})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// create backs up n bytes; what is there then restores, and verifies.
func (x *site) create(t *testing.T, b *backup.Backup, n int64) *backup.Snapshot {
	t.Helper()
	snap, err := b.Create(t.Context(), "eu/shop", dump(uint64(n), n), &backup.CreateOptions{Ext: ".sql"})
	if err != nil {
		t.Fatal(err)
	}
	restores(t, b, snap.Ref(), uint64(n), n)
	if _, err := b.Verify(t.Context(), snap.Ref(), nil); err != nil {
		t.Fatal(err)
	}
	return snap
}

// download gets a snapshot's objects with the second client, and returns the names of their files.
func (x *site) download(t *testing.T, snap *backup.Snapshot) (names []string) {
	t.Helper()
	for _, key := range snap.Details.Objects {
		name := filepath.Base(key)
		if err := os.WriteFile(filepath.Join(x.dir, name), x.read(t, x.bucket, key), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(name, snap.ID))
	}
	return names
}

// sevenZip runs stock 7-Zip where the downloads are.
func (x *site) sevenZip(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	if _, err := exec.LookPath("7zz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package 7zip)", err)
	}
	cmd := exec.CommandContext(t.Context(), "7zz", append(args, "-p"+archivePassword.Reveal())...)
	cmd.Dir = x.dir
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("7zz %v: %w: %s%s", args, err, &out, &msg)
	}
	return out.Bytes(), nil
}

// opensStock fails unless stock 7-Zip finds n bytes of a dump in a file that was downloaded.
func (x *site) opensStock(t *testing.T, name string, n int64) {
	t.Helper()
	if _, err := x.sevenZip(t, "t", name); err != nil {
		t.Fatal(err)
	}
	got, err := x.sevenZip(t, "x", "-so", name, "shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := io.ReadAll(dump(uint64(n), n)); !bytes.Equal(got, want) {
		t.Fatalf("7zz x %s gave %d bytes that are not the %d that were backed up", name, len(got), n)
	}
}

// What a bucket gets opens with stock 7-Zip, though the first part, which has the head, was uploaded last.
func TestArchives(t *testing.T) {
	for _, test := range []struct {
		server string
		method sevenzip.Method
		part   int64
		sizes  []int64
	}{
		{"minio", sevenzip.Deflate, 8 * mib, []int64{0, 1, 5000, 8 * mib, 17 * mib}},
		{"minio", sevenzip.Copy, 8 * mib, []int64{5000, 8*mib - 1000, 17 * mib}},
		{"minio", sevenzip.LZMA2, 5 * mib, []int64{5000, 5 * mib}}, // no more, because noise takes long with -race
		{"versitygw", sevenzip.Deflate, 8 * mib, []int64{5000, 17 * mib}},
	} {
		x := newSite(t, servers[test.server].get(t), func(o *s3fs.Options) { o.PartSize = test.part })
		if _, ok := storage.As[storage.HeadPutter](x.volume); !ok {
			t.Fatal("a bucket takes no late head")
		}
		b := x.backup(t, test.method, 0)
		for _, n := range test.sizes {
			t.Run(fmt.Sprintf("%s %s %d", test.server, test.method, n), func(t *testing.T) {
				snap := x.create(t, b, n)
				if names := x.download(t, snap); !slices.Equal(names, []string{".sql.7z"}) {
					t.Fatalf("the objects are %q", names)
				}
				x.opensStock(t, snap.ID+".sql.7z", n)
				parts := x.parts.of(x.bucket, snap.Details.Objects[0])
				if snap.StoredSize > test.part && (len(parts) < 2 || slices.Index(parts, "1") != len(parts)-1) {
					t.Errorf("%d bytes, parts uploaded as %q: the first was not the last", snap.StoredSize, parts)
				}
			})
		}
	}
}

// With SegmentSize the objects are what 7-Zip calls volumes. The first one's upload stays open until the others are there.
func TestArchivesInSegments(t *testing.T) {
	x := newSite(t, plain.get(t), func(o *s3fs.Options) { o.PartSize = 5 * mib })
	for _, segment := range []int64{3*mib + 7, 11 * mib} { // in one request, in parts
		const size = 16 * mib
		snap := x.create(t, x.backup(t, sevenzip.Deflate, segment), size)
		names := x.download(t, snap)
		if n := int(snap.StoredSize/segment) + 1; len(names) != n || names[0] != ".sql.7z.001" || names[n-1] != fmt.Sprintf(".sql.7z.%03d", n) {
			t.Fatalf("%d bytes in segments of %d are %q", snap.StoredSize, segment, names)
		}
		x.opensStock(t, snap.ID+names[0], size)
	}
}

// Where the store's limit cuts the stream, the first object has no number, and 7-Zip finds nothing but a damaged archive until it has got one, as
// RESTORE.txt and docs/FORMAT.md say.
func TestArchivesThatRollOver(t *testing.T) {
	x := newSite(t, plain.get(t), func(o *s3fs.Options) { o.PartSize, o.MaxParts = 5*mib, 2 })
	const size = 21 * mib
	snap := x.create(t, x.backup(t, sevenzip.Copy, 0), size)
	if names := x.download(t, snap); !slices.Equal(names, []string{".sql.7z", ".sql.7z.002", ".sql.7z.003"}) {
		t.Fatalf("the objects are %q", names)
	}
	first := snap.ID + ".sql.7z"
	if _, err := x.sevenZip(t, "t", first); err == nil {
		t.Error("7zz opens it as it is: then RESTORE.txt need not say anything")
	}
	mv := exec.CommandContext(t.Context(), "sh", "-c", "mv ID.sql.7z ID.sql.7z.001")
	mv.Args[2] = strings.ReplaceAll(mv.Args[2], "ID", snap.ID)
	mv.Dir = x.dir
	if out, err := mv.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	x.opensStock(t, first+".001", size)
}
