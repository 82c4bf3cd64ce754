package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// What the policy does not allow is ErrPermission, at once, and never "absent" (PITFALLS 21).
func TestPermission(t *testing.T) {
	put := func(ctx context.Context, v *s3fs.Volume) error {
		_, err := v.Put(ctx, "new", strings.NewReader("new"))
		return err
	}
	putParts := func(ctx context.Context, v *s3fs.Volume) error {
		_, err := v.Put(ctx, "new", dump(1, 9*mib))
		return err
	}
	stat := func(name string) func(context.Context, *s3fs.Volume) error {
		return func(ctx context.Context, v *s3fs.Volume) error { _, err := v.Stat(ctx, name); return err }
	}
	read := func(ctx context.Context, v *s3fs.Volume) error {
		r, err := v.Open(ctx, "there", 0, -1)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	list := func(ctx context.Context, v *s3fs.Volume) error { _, err := storage.ListAll(ctx, v, ""); return err }
	remove := func(ctx context.Context, v *s3fs.Volume) error { return v.Delete(ctx, "there") }
	sweep := func(ctx context.Context, v *s3fs.Volume) error {
		_, err := v.SweepUnfinished(ctx, time.Now())
		return err
	}
	const canPut, canGet, canDelete, canList = "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"
	for _, c := range []struct {
		name    string
		allowed []string
		do      func(context.Context, *s3fs.Volume) error
		want    error
	}{
		{"put", []string{canGet, canDelete, canList}, put, storage.ErrPermission},
		{"put stores nothing", []string{canGet, canDelete, canList}, put, storage.ErrNotApplied},
		{"put parts", []string{canGet, canDelete, canList}, putParts, storage.ErrPermission},
		{"stat", []string{canPut, canDelete, canList}, stat("there"), storage.ErrPermission},
		{"stat missing", []string{canPut, canDelete}, stat("missing"), storage.ErrPermission},
		{"stat missing, and may list", []string{canGet, canList}, stat("missing"), storage.ErrNotExist},
		{"open", []string{canPut, canDelete, canList}, read, storage.ErrPermission},
		{"list", []string{canPut, canGet, canDelete}, list, storage.ErrPermission},
		{"delete", []string{canPut, canGet, canList}, remove, storage.ErrPermission},
		{"sweep", four, sweep, storage.ErrPermission},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain.get(t)
			bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
			if _, err := open(t, bucket, opts).Put(t.Context(), "there", strings.NewReader("there")); err != nil {
				t.Fatal(err)
			}
			opts.AccessKeyID, opts.SecretAccessKey = s.newUser(t, bucket, c.allowed...)
			begun := time.Now()
			err := c.do(t.Context(), open(t, bucket, opts))
			if !errors.Is(err, c.want) {
				t.Errorf("allowed %q: %v, want %v", c.allowed, err, c.want)
			}
			if errors.Is(err, storage.ErrPermission) && errors.Is(err, storage.ErrNotExist) {
				t.Errorf("an error of both: %v", err)
			}
			if time.Since(begun) > 5*time.Second {
				t.Errorf("took %v: it was tried again, and cannot get better", time.Since(begun))
			}
			if err != nil && strings.Contains(err.Error(), opts.SecretAccessKey) {
				t.Error("the error has the secret key in it")
			}
		})
	}
}

// What is wrong for ever is said at once.
func TestWrong(t *testing.T) {
	s := plain.get(t)
	bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
	for name, c := range map[string]struct {
		bucket string
		wrong  func(*s3fs.Options)
		says   string
	}{
		"secret key": {bucket, func(o *s3fs.Options) { o.SecretAccessKey = "wrong" }, "SignatureDoesNotMatch"},
		"access key": {bucket, func(o *s3fs.Options) { o.AccessKeyID = "wrong" }, "InvalidAccessKeyId"},
		"bucket":     {"test-there-is-none", func(*s3fs.Options) {}, "NoSuchBucket"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := s.options()
			c.wrong(opts)
			begun := time.Now()
			_, err := open(t, c.bucket, opts).Put(t.Context(), "x", strings.NewReader("x"))
			if err == nil || !strings.Contains(err.Error(), c.says) || !errors.Is(err, storage.ErrNotApplied) {
				t.Errorf("Put = %v, want %s", err, c.says)
			}
			if time.Since(begun) > 5*time.Second {
				t.Errorf("took %v", time.Since(begun))
			}
		})
	}
}

// PITFALLS 18: where the policy denies an abort, a failed Put says what failed, and that parts are left, which Sweep removes
// for who may.
func TestAbortDenied(t *testing.T) {
	s := plain.get(t)
	bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	admin := open(t, bucket, opts)
	own := *opts
	own.AccessKeyID, own.SecretAccessKey = s.newUser(t, bucket, four...)
	const name = "shop/20261122t175500123z-7f3a9c2e.sql.zst.aes"
	broken := errors.New("the dump failed")
	_, err := open(t, bucket, &own).Put(t.Context(), name, io.MultiReader(dump(1, 12*mib), iotest.ErrReader(broken)))
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
		if _, err := core.PutObjectPart(t.Context(), bucket, key, id, 1, bytes.NewReader([]byte("part")), 4, miniogo.PutObjectPartOptions{}); err != nil {
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

// unfinished counts uploads as the second client lists them.
func (s *store) unfinished(t *testing.T, bucket string) (n int) {
	t.Helper()
	for u := range s.client(t).ListIncompleteUploads(t.Context(), bucket, "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		n++
	}
	return n
}
