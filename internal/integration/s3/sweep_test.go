package s3

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/storage"
)

// ours is a name that only this library gives.
const ours = "shop/20261122t175500123z-7f3a9c2e.sql.zst.aes"

// PITFALLS 18: where the policy denies an abort, a failed Put says what failed, and that parts are left, which Sweep removes
// for who may.
func TestAbortDenied(t *testing.T) {
	s := plain.get(t)
	bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	admin := open(t, bucket, opts)
	own := *opts
	own.AccessKeyID, own.SecretAccessKey = s.newUser(t, bucket, four...)
	broken := errors.New("the dump failed")
	_, err := open(t, bucket, &own).Put(t.Context(), ours, io.MultiReader(dump(1, 12*mib), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || errors.Is(err, storage.ErrPermission) {
		t.Errorf("Put = %v, want the reader's error and no other", err)
	}
	if keys := s.keys(t, bucket); len(keys) != 0 {
		t.Errorf("a failed Put left %q", keys)
	}
	if n := s.unfinished(t, bucket); n != 1 {
		t.Fatalf("%d unfinished uploads, want 1", n)
	}
	if n, err := admin.SweepUnfinished(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("a sweep of what is older than an hour = %d, %v", n, err)
	}
	if n, err := admin.SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("a sweep = %d, %v, want 1", n, err)
	}
	if n := s.unfinished(t, bucket); n != 0 {
		t.Errorf("%d unfinished uploads after a sweep", n)
	}
}

// Uploads whose key is none of a snapshot's are somebody else's, and stay.
func TestSweepForeign(t *testing.T) {
	s := plain.get(t)
	bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
	core := miniogo.Core{Client: s.client(t)}
	for _, key := range []string{"video.mp4", "shop/20261122.sql.zst", "20261122t175500123z-7f3a9c2e.sql"} {
		id, err := core.NewMultipartUpload(t.Context(), bucket, key, miniogo.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = core.PutObjectPart(t.Context(), bucket, key, id, 1, strings.NewReader("part"), 4, miniogo.PutObjectPartOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := open(t, bucket, s.options()).SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("a sweep = %d, %v, want 0", n, err)
	}
	if n := s.unfinished(t, bucket); n != 3 {
		t.Errorf("%d unfinished uploads are left, want 3", n)
	}
}

// An upload below a prefix is found by the volume with that prefix, and by one above it, and by no other.
func TestSweepPrefix(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := server.get(t)
			bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
			core := miniogo.Core{Client: s.client(t)}
			for _, prefix := range []string{"", "a/", "a/b/", "ab/", "c/"} {
				if _, err := core.NewMultipartUpload(t.Context(), bucket, prefix+ours, miniogo.PutObjectOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range []struct {
				prefix        string
				removed, left int
			}{{"d", 0, 5}, {"a/b", 1, 4}, {"a", 1, 3}, {"c", 1, 2}, {"", 2, 0}} {
				opts := s.options()
				opts.Prefix = c.prefix
				n, err := open(t, bucket, opts).SweepUnfinished(t.Context(), time.Now().Add(time.Hour))
				if err != nil || n != c.removed {
					t.Errorf("a sweep below %q = %d, %v, want %d", c.prefix, n, err, c.removed)
				}
				if n := s.unfinished(t, bucket); n != c.left {
					t.Errorf("after a sweep below %q: %d unfinished uploads, want %d", c.prefix, n, c.left)
				}
			}
		})
	}
}
