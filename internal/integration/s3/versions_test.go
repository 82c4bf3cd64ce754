package s3

import (
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
)

// PITFALLS 26: in a versioned bucket Delete only hides.
func TestDeleteVersioned(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			s := server.get(t)
			bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
			if err := s.client(t).EnableVersioning(t.Context(), bucket); err != nil {
				t.Fatal(err)
			}
			v := open(t, bucket, s.options())
			for seed := range uint64(2) {
				if _, err := v.Put(t.Context(), "x", dump(seed, 100)); err != nil {
					t.Fatal(err)
				}
			}
			if err := v.Delete(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Stat(t.Context(), "x"); err == nil {
				t.Error("the object is still there")
			}
			if n, markers := s.versions(t, bucket, "x"); n != 2 || markers != 1 {
				t.Errorf("%d versions and %d markers, want 2 and 1", n, markers)
			}
		})
	}
}

// PITFALLS 13: a bucket with retention takes small objects and parts, by its own rule or by the options, and keeps them.
func TestObjectLock(t *testing.T) {
	for name, server := range servers {
		for by, byBucket := range map[string]bool{"by options": false, "by bucket": true} {
			t.Run(name+" "+by, func(t *testing.T) {
				s := server.get(t)
				bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{ObjectLocking: true}), s.options()
				mode, days, unit := miniogo.Governance, uint(1), miniogo.Days
				if !byBucket {
					opts.ObjectLock.Mode, opts.ObjectLock.For = "GOVERNANCE", 24*time.Hour
				} else if err := s.client(t).SetBucketObjectLockConfig(t.Context(), bucket, &mode, &days, &unit); err != nil {
					t.Fatal(err)
				}
				v := open(t, bucket, opts)
				for key, size := range map[string]int64{"small": 10, "parts": 9 * mib} {
					if _, err := v.Put(t.Context(), key, dump(1, size)); err != nil {
						t.Fatal(err)
					}
					s.keepsForADay(t, bucket, key, !byBucket || server == plain)
					if err := v.Delete(t.Context(), key); err != nil {
						t.Fatal(err)
					}
					if n, markers := s.versions(t, bucket, key); n != 1 || markers != 1 {
						t.Errorf("after Delete of %s: %d versions and %d markers, want 1 and 1", key, n, markers)
					}
				}
			})
		}
	}
}

// keepsForADay fails unless the store refuses to remove the object's one version, and shows until when: versitygw 1.8.0 shows
// nothing on an object that only the bucket's rule keeps.
func (s *store) keepsForADay(t *testing.T, bucket, key string, shown bool) {
	t.Helper()
	c := s.client(t)
	o, err := c.StatObject(t.Context(), bucket, key, miniogo.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mode, date := o.Metadata.Get("X-Amz-Object-Lock-Mode"), o.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")
	until, err := time.Parse(time.RFC3339, date)
	if good := err == nil && mode == "GOVERNANCE" && time.Until(until).Round(time.Hour) == 24*time.Hour; good != shown {
		t.Errorf("%s: retention %q until %q", key, mode, date)
	}
	if err := c.RemoveObject(t.Context(), bucket, key, miniogo.RemoveObjectOptions{VersionID: o.VersionID}); err == nil {
		t.Errorf("%s: the store removed what it should keep", key)
	}
}
