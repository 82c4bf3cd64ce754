package s3

import (
	"bytes"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/internal/integration/toxic"
	"github.com/databasement/backup/s3fs"
)

// fault is what connections suffer from while bytes move.
type fault struct {
	name       string
	kind       string
	attributes map[string]int
	heal       time.Duration // after which it is over; 0: it never is
	costs      time.Duration // at least, or it was not there
}

var faults = []fault{
	{"latency", "latency", map[string]int{"latency": 100, "jitter": 20}, 0, 150 * time.Millisecond},
	{"small packets", "slicer", map[string]int{"average_size": 2000, "size_variation": 1000, "delay": 20}, 0, 0},
	{"bandwidth", "bandwidth", map[string]int{"rate": 4000}, 0, time.Second}, // kB/s: slower than StallTimeout, and moving
	{"resets", "reset_peer", map[string]int{"timeout": 5}, 2 * time.Second, 2 * time.Second},
	{"silence", "timeout", map[string]int{"timeout": 0}, 3 * time.Second, 3 * time.Second},
	{"silence, then the end", "timeout", map[string]int{"timeout": 300}, 2 * time.Second, 2 * time.Second},
	{"ends after 300 kB", "limit_data", map[string]int{"bytes": 300_000}, 2 * time.Second, 0},
}

// Whatever happens to connections, what is put is whole, and what is read is what was put.
func TestFaults(t *testing.T) {
	for _, f := range faults {
		for _, direction := range []toxic.Direction{toxic.Up, toxic.Down} {
			t.Run(f.name+" "+string(direction), func(t *testing.T) {
				t.Parallel()
				s, bucket, proxy, v := throughProxy(t)
				want, _ := io.ReadAll(dump(1, 13*mib))
				hurt := func() {
					if err := proxy.Add(f.kind, direction, f.attributes); err != nil {
						t.Error(err)
					}
					if f.heal > 0 {
						time.AfterFunc(f.heal, func() { proxy.Heal(t.Context()) })
					}
				}
				begun := time.Now()
				o, err := v.Put(t.Context(), "x", &tripwire{r: bytes.NewReader(want), at: 6 * mib, trip: hurt})
				if err != nil || o.Size != int64(len(want)) {
					t.Fatalf("Put = %+v, %v", o, err)
				}
				if got := s.read(t, bucket, "x"); !bytes.Equal(got, want) {
					t.Error("other bytes are stored than were put")
				}
				proxy.Heal(t.Context())
				hurt()
				r, err := v.Open(t.Context(), "x", 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("read %d bytes, %v, want the %d that were put", len(got), err, len(want))
				}
				if took := time.Since(begun); took < f.costs {
					t.Errorf("took only %v: the fault did nothing", took)
				}
			})
		}
	}
}

// throughProxy is a volume behind a proxy of its own.
func throughProxy(t *testing.T) (*store, string, *toxic.Proxy, *s3fs.Volume) {
	t.Helper()
	s := plain.get(t)
	bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	proxy, err := toxic.Start(strings.TrimPrefix(s.endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	opts.Endpoint = "http://" + proxy.Address()
	opts.PartSize, opts.StallTimeout, opts.MaxAttempts, opts.MaxPause = 5*mib, time.Second, 50, time.Second/4
	return s, bucket, proxy, open(t, bucket, opts)
}

// PITFALLS 7: a read goes on where its connection broke, for as long as each brings it further.
func TestReadResumes(t *testing.T) {
	t.Parallel()
	_, _, proxy, v := throughProxy(t)
	const size = 40 * mib
	if _, err := v.Put(t.Context(), "x", dump(1, size)); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Add("limit_data", toxic.Down, map[string]int{"bytes": 3_000_000}); err != nil {
		t.Fatal(err)
	}
	v.Close() // so that no connection is from before
	r, err := v.Open(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, want := sha256.New(), sha256.New()
	io.Copy(want, dump(1, size))
	if n, err := io.Copy(got, r); n != size || err != nil || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}
