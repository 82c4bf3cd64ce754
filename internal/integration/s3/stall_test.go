package s3

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/internal/integration/minio"
	"github.com/databasement/backup/s3fs"
)

// pausable is a server of the test's own, and volumes on it that give up a silent request after a second: one tries twice,
// one many times.
func pausable(t *testing.T) (s *store, twice, often *s3fs.Volume) {
	t.Helper()
	s, err := minioStore(minio.Options{Own: true})(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	bucket := "test-" + strings.ToLower(rand.Text())
	if err := s.client(t).MakeBucket(t.Context(), bucket, miniogo.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	opts := s.options()
	opts.PartSize, opts.StallTimeout, opts.MaxAttempts, opts.MaxPause = 5*mib, time.Second, 40, time.Second/4
	often = open(t, bucket, opts)
	opts.MaxAttempts = 2
	return s, open(t, bucket, opts), often
}

// PITFALLS 17: a server that stops in the middle, its connections open, does not hold an operation for ever.
func TestStallGivesUp(t *testing.T) {
	t.Parallel()
	s, v, often := pausable(t)
	if _, err := often.Put(t.Context(), "read", dump(1, 80*mib)); err != nil {
		t.Fatal(err)
	}
	r, err := v.Open(t.Context(), "read", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.CopyN(io.Discard, r, mib); err != nil {
		t.Fatal(err)
	}
	if err := s.minio.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := io.Copy(io.Discard, r); err == nil {
		t.Error("read 80 MiB of a server that has stopped")
	}
	if _, err := v.Put(t.Context(), "small", strings.NewReader("x")); err == nil {
		t.Error("Put to a server that has stopped")
	}
	if _, err := v.Put(t.Context(), "parts", dump(1, 20*mib)); err == nil {
		t.Error("Put of parts to a server that has stopped")
	}
	if took := time.Since(begun); took < 3*time.Second || took > time.Minute {
		t.Errorf("took %v", took)
	}
	if err := s.minio.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Put(t.Context(), "after", strings.NewReader("x")); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// And what is tried again goes through when the server goes on.
func TestStallRecovers(t *testing.T) {
	t.Parallel()
	s, _, v := pausable(t)
	const size = 80 * mib // more than is read ahead
	var pauses sync.WaitGroup
	defer pauses.Wait()
	pause := func() { // until some attempts have stalled
		if err := s.minio.Pause(t.Context()); err != nil {
			t.Error(err)
		}
		pauses.Go(func() {
			time.Sleep(3 * time.Second)
			if err := s.minio.Resume(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	begun := time.Now()
	if _, err := v.Put(t.Context(), "x", &tripwire{r: dump(1, size), at: 12 * mib, trip: pause}); err != nil {
		t.Fatal(err)
	}
	r, err := v.Open(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(&tripwire{r: r, at: 7 * mib, trip: pause})
	want, _ := io.ReadAll(dump(1, size))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, %v, want the %d that were put", len(got), err, len(want))
	}
	if took := time.Since(begun); took < 6*time.Second {
		t.Errorf("two pauses of 3 s took %v", took)
	}
}

// tripwire calls trip once, before it reads the byte at an offset.
type tripwire struct {
	r    io.Reader
	at   int
	trip func()
}

func (w *tripwire) Read(p []byte) (int, error) {
	if w.at <= 0 && w.trip != nil {
		w.trip()
		w.trip = nil
	}
	n, err := w.r.Read(p)
	w.at -= n
	return n, err
}
