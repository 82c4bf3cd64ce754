package s3

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/s3fs"
)

// childVariable has this test binary be the process that is killed: it holds a child, as JSON.
const childVariable = "INTEGRATION_CHILD"

// child is what a process that uploads needs to know.
type child struct {
	Endpoint, Bucket, AccessKey, SecretKey, Key string
	Seed                                        uint64
}

// backup is that of the child, and of who looks after it.
func (c child) backup(ctx context.Context) (*backup.Backup, *s3fs.Volume, error) {
	v, err := s3fs.Open(ctx, c.Bucket, &s3fs.Options{
		Endpoint: c.Endpoint, PathStyle: true, AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, PartSize: 5 * mib,
	})
	if err != nil {
		return nil, nil, err
	}
	key, err := crypto.ParseKey(c.Key)
	if err != nil {
		return nil, nil, err
	}
	b, err := backup.New(v, &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(key)), SegmentSize: 8 * mib})
	return b, v, err
}

// uploadForEver makes one backup after the other, of up to 12 MiB, until it is killed, and writes a line after each MiB that
// was taken from it. Each has its seed and size as labels.
func uploadForEver(config string) (code int) {
	err := func() error {
		var c child
		if err := json.Unmarshal([]byte(config), &c); err != nil {
			return err
		}
		b, _, err := c.backup(context.Background())
		for seed := c.Seed; err == nil; seed++ {
			size := int64(seed * 7_919_000 % (12 * mib))
			_, err = b.Create(context.Background(), "shop", &ticker{r: dump(seed, size)}, &backup.CreateOptions{
				Labels: map[string]string{"seed": strconv.FormatUint(seed, 10), "size": strconv.FormatInt(size, 10)},
			})
		}
		return err
	}()
	fmt.Fprintln(os.Stderr, "child:", err)
	return 1
}

// ticker writes a line after each MiB that was read.
type ticker struct {
	r io.Reader
	n int
}

func (t *ticker) Read(p []byte) (int, error) {
	n, err := t.r.Read(p[:min(len(p), mib-t.n%mib)])
	if t.n += n; n > 0 && t.n%mib == 0 {
		fmt.Println(t.n / mib)
	}
	return n, err
}

// PITFALLS 19: what is listed after the process was killed, at any moment, restores, and so does all that was listed before.
func TestKill(t *testing.T) {
	s := plain.get(t)
	c := child{s.endpoint, s.newBucket(t, miniogo.MakeBucketOptions{}), s.accessKey, s.secretKey, crypto.NewKey().Encode(), 0}
	b, v, err := c.backup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	const kills = 10
	listed := map[string]bool{}
	for c.Seed = range uint64(kills) {
		c.killed(t, s)
		now := map[string]bool{}
		for _, snap := range mustList(t, b) {
			now[snap.Ref()] = true
			if !listed[snap.Ref()] {
				restoresAsLabelled(t, b, snap.Ref())
			}
		}
		for ref := range listed {
			if !now[ref] {
				t.Errorf("%s is no longer listed after kill %d", ref, c.Seed)
			}
		}
		listed = now
	}
	for ref := range listed {
		restoresAsLabelled(t, b, ref)
	}
	removed, err := v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour))
	if err != nil {
		t.Error(err)
	}
	if n := s.unfinished(t, c.Bucket); n != 0 {
		t.Errorf("a sweep left %d unfinished uploads", n)
	}
	t.Logf("%d kills left %d snapshots, and %d unfinished uploads", kills, len(listed), removed)
	if len(listed) == 0 || removed == 0 {
		t.Error("no snapshot was made, or no upload interrupted: this shows nothing")
	}
}

// killed runs the child, and kills it: every second time after some MiB, else when an upload in parts has begun.
func (c child) killed(t *testing.T, s *store) {
	t.Helper()
	uploads := s.unfinished(t, c.Bucket)
	inUpload := c.Seed%2 == 1
	c.Seed *= 1000
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(config))
	cmd.Stderr = t.Output()
	ticks, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(ticks)
	for range 1 + rand.IntN(20) {
		if !lines.Scan() {
			t.Error("the child ended by itself")
		}
	}
	for begun := time.Now(); inUpload && s.unfinished(t, c.Bucket) == uploads; time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatal("the child uploads nothing")
		}
	}
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("the child ended by itself: %v", err)
	}
	cmd.Wait()
}

func mustList(t *testing.T, b *backup.Backup) []*backup.Snapshot {
	t.Helper()
	snaps, err := b.List(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	return snaps
}

func restoresAsLabelled(t *testing.T, b *backup.Backup, ref string) {
	t.Helper()
	snap, err := b.Stat(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	seed, err1 := strconv.ParseUint(snap.Details.Labels["seed"], 10, 64)
	size, err2 := strconv.ParseInt(snap.Details.Labels["size"], 10, 64)
	if err1 != nil || err2 != nil {
		t.Fatalf("labels of %s: %v", ref, snap.Details.Labels)
	}
	restores(t, b, ref, seed, size)
}
