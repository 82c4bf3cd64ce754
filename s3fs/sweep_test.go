package s3fs

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// begin leaves an upload behind, as a process that dies does.
func (w *world) begin(t *testing.T, key string) {
	t.Helper()
	if _, err := w.v.c.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.v.bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) unfinishedKeys() (keys []string) {
	for _, u := range w.bucket.Uploads() {
		keys = append(keys, u.Key)
	}
	return keys
}

// TestSweep removes own, old uploads below the prefix, and nothing else (PITFALLS 18).
func TestSweep(t *testing.T) {
	const id = "20261122t175500123z-7f3a9c2e"
	own := []string{"in/shop/" + id + ".sql.zst", "in/shop/" + id + ".sql.zst.aes.002", "in/eu/shop/" + id, "in/shop/" + id + ".manifest.json"}
	others := []string{
		"shop/" + id + ".sql.zst", "in2/shop/" + id + ".sql", "in/" + id + ".sql", "in/shop/" + id[1:] + ".sql", "in/photo.jpg", "in/shop/photo.jpg",
		"in/Shop/" + id + ".sql", "in/shop/" + id + "x", "in/shop/" + id + "/x", "odd %41+&/key",
	}
	for _, lie := range []fakes3.Lie{fakes3.Honest, fakes3.Disorder} {
		bubble(t, func(o *Options) { o.Prefix = "in" }, func(t *testing.T, w *world) {
			w.PageSize, w.Lie = 3, lie
			for _, key := range slices.Concat(own, others) {
				w.begin(t, key)
			}
			time.Sleep(time.Hour)
			cut := time.Now()
			w.begin(t, own[0]) // in progress
			w.bucket.Put("in/shop/object", nil, nil)
			n, err := w.v.SweepUnfinished(t.Context(), cut)
			if n != len(own) || err != nil {
				t.Errorf("removed %d, %v, want %d", n, err, len(own))
			}
			want := slices.Sorted(slices.Values(append(slices.Clone(others), own[0])))
			if got := w.unfinishedKeys(); !slices.Equal(got, want) {
				t.Errorf("left are %q, want %q", got, want)
			}
			if w.bucket.Object("in/shop/object") == nil {
				t.Error("an object was removed")
			}
		})
	}
}

// TestSweepForeign: what a store lists of elsewhere stays there.
func TestSweepForeign(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.begin(t, snapshotName)
		w.Faults = func(r fakes3.Request) fakes3.Fault {
			if r.Op == "ListMultipartUploads" {
				w.Lie = fakes3.Foreign
			}
			return fakes3.Fault{}
		}
		if n, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("removed %d, %v", n, err)
		}
		for _, r := range w.of("AbortMultipartUpload") {
			if r.Key != snapshotName {
				t.Errorf("aborted an upload of %q", r.Key)
			}
		}
	})
}

// TestSweepGone: an upload that has ended since it was listed is no error, and not counted.
func TestSweepGone(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.begin(t, snapshotName)
		w.play(script{"AbortMultipartUpload": {{Status: 404, Code: "NoSuchUpload"}}})
		if n, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); n != 0 || err != nil {
			t.Errorf("removed %d, %v", n, err)
		}
	})
}

// TestSweepDenied: the error says what to do.
func TestSweepDenied(t *testing.T) {
	for op, permission := range map[string]string{"ListMultipartUploads": "s3:ListBucketMultipartUploads", "AbortMultipartUpload": "s3:AbortMultipartUpload"} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.begin(t, snapshotName)
			w.Deny = map[string]bool{op: true}
			_, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour))
			fails(t, err, storage.ErrPermission, permission, "lifecycle rule with AbortIncompleteMultipartUpload")
		})
	}
}

// TestSweepProbes: what a probe that died has left goes too, and that of one which runs stays.
func TestSweepProbes(t *testing.T) {
	bubble(t, func(o *Options) { o.Prefix = "in" }, func(t *testing.T, w *world) {
		w.bucket.Put("in/"+probeDir+"old", nil, nil)
		w.bucket.Put(probeDir+"elsewhere", nil, nil)
		time.Sleep(time.Hour)
		cut := time.Now()
		time.Sleep(time.Second)
		w.bucket.Put("in/"+probeDir+"new", nil, nil)
		if _, err := w.v.SweepUnfinished(t.Context(), cut); err != nil {
			t.Error(err)
		}
		for key, want := range map[string]bool{"in/" + probeDir + "old": false, "in/" + probeDir + "new": true, probeDir + "elsewhere": true} {
			if got := w.bucket.Object(key) != nil; got != want {
				t.Errorf("%s is there: %v, want %v", key, got, want)
			}
		}
	})
}
