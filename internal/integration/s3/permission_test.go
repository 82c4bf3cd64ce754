package s3

import (
	"context"
	"errors"
	"strings"
	"testing"
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
		for name, server := range servers {
			t.Run(name+" "+c.name, func(t *testing.T) {
				s := server.get(t)
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
				if time.Since(begun) > 20*time.Second {
					t.Errorf("took %v: it was tried again, and cannot get better", time.Since(begun))
				}
				if err != nil && strings.Contains(err.Error(), opts.SecretAccessKey) {
					t.Error("the error has the secret key in it")
				}
			})
		}
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
			if time.Since(begun) > 20*time.Second {
				t.Errorf("took %v", time.Since(begun))
			}
		})
	}
}
