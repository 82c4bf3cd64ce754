package s3

import (
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
)

// versions counts what there is of an object, and the markers that hide it.
func (s *store) versions(t *testing.T, bucket, key string) (versions, markers int) {
	t.Helper()
	for o := range s.client(t).ListObjects(t.Context(), bucket, miniogo.ListObjectsOptions{Prefix: key, WithVersions: true}) {
		switch {
		case o.Err != nil:
			t.Fatal(o.Err)
		case o.IsDeleteMarker:
			markers++
		default:
			versions++
		}
	}
	return versions, markers
}

// PITFALLS 26: in a versioned bucket Delete only hides.
func TestDeleteVersioned(t *testing.T) {
	for _, p := range places {
		if p.name != "versioned" && p.name != "locked" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			s, bucket, opts := p.make(t)
			v := open(t, bucket, opts)
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
	s := plain.get(t)
	c := s.client(t)
	for _, byBucket := range []bool{false, true} {
		bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{ObjectLocking: true}), s.options()
		mode, days, unit := miniogo.Governance, uint(1), miniogo.Days
		if byBucket {
			if err := c.SetBucketObjectLockConfig(t.Context(), bucket, &mode, &days, &unit); err != nil {
				t.Fatal(err)
			}
		} else {
			opts.ObjectLock.Mode, opts.ObjectLock.For = "GOVERNANCE", 24*time.Hour
		}
		v := open(t, bucket, opts)
		for name, size := range map[string]int64{"small": 10, "parts": 9 * mib} {
			before := time.Now()
			if _, err := v.Put(t.Context(), name, dump(1, size)); err != nil {
				t.Fatal(err)
			}
			got, until, err := c.GetObjectRetention(t.Context(), bucket, name, "")
			if err != nil || *got != mode || until.Sub(before).Round(time.Hour) != 24*time.Hour {
				t.Fatalf("%s: retention %v until %v, %v", name, got, until, err)
			}
			o, err := c.StatObject(t.Context(), bucket, name, miniogo.StatObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.RemoveObject(t.Context(), bucket, name, miniogo.RemoveObjectOptions{VersionID: o.VersionID}); err == nil {
				t.Errorf("%s: the store removed what it should keep", name)
			}
		}
	}
}
