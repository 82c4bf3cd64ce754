package s3fs_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/campaign"
	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/internal/faultproxy"
	"github.com/databasement/backup/internal/pipenet"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// TestCampaign runs against stores in memory: one as AWS is, and one that destroys an object if its upload is completed twice or aborted
// after that (minio/minio#17858). make faults runs it for longer.
func TestCampaign(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, fragile := range []bool{false, true} {
		t.Run(fmt.Sprintf("fragile=%v", fragile), func(t *testing.T) {
			faults, seed := campaign.Scale(t, 75)
			synctest.Test(t, func(t *testing.T) {
				x := newTrouble(t, fragile)
				defer x.close()
				campaign.Run(t, faults, seed, x.site())
				t.Logf("%d of the faults were the proxy's, %d the store's", x.proxy.Faults(), x.store.count())
			})
		})
	}
}

const (
	part   = 16 << 10
	latest = 5 * time.Minute // that the store does later what it was asked for

	// Two names of the store: it fails only for those who use the first.
	faultyHost, cleanHost = "store.test", "clean.test"
)

// trouble is a store in memory that fails, behind a proxy that fails too.
type trouble struct {
	t       *testing.T
	fake    *fakes3.Server
	bucket  *fakes3.Bucket
	store   *storeFaults
	proxy   *faultproxy.Proxy
	network *pipenet.Listener
	clean   *s3fs.Volume
}

func newTrouble(t *testing.T, fragile bool) *trouble {
	x := &trouble{t: t, fake: fakes3.New(), network: pipenet.Listen()}
	x.fake.MinPartSize, x.fake.EqualParts, x.fake.Fragile, x.fake.PageSize = part, true, fragile, 20
	x.fake.SetKey("id", fakes3.Key{Secret: "secret"})
	x.bucket = x.fake.CreateBucket("bucket")
	x.store = newStoreFaults(x.fake, x.bucket)
	x.fake.Faults = x.store.draw
	var err error
	if x.proxy, err = faultproxy.New("http://"+faultyHost, &faultproxy.Options{Transport: x.fake.Transport()}); err != nil {
		t.Fatal(err)
	}
	if err := x.proxy.Start(x.network); err != nil {
		t.Fatal(err)
	}
	x.clean = x.volume(x.fake.Client(), s3fs.Options{Endpoint: "http://" + cleanHost})
	return x
}

func (x *trouble) close() {
	x.store.letGo()
	x.clean.Close()
	if err := x.proxy.Close(); err != nil {
		x.t.Error(err)
	}
	x.fake.Close()
}

func (x *trouble) volume(client *http.Client, o s3fs.Options) *s3fs.Volume {
	o.PathStyle, o.Prefix, o.AccessKeyID, o.SecretAccessKey, o.HTTPClient = true, "some/prefix", "id", "secret", client
	v, err := s3fs.Open(x.t.Context(), "bucket", &o)
	if err != nil {
		x.t.Fatal(err)
	}
	s3fs.SetPartSize(v, part)
	return v
}

func (x *trouble) site() *campaign.Site {
	return &campaign.Site{
		Open: x.open, Clean: x.clean, Inject: x.inject, Settle: x.settle, Log: x.log,
		Faults: func() int { return x.proxy.Faults() + x.store.count() },
		Unfinished: func() (keys []string, err error) {
			for _, u := range x.bucket.Uploads() {
				keys = append(keys, u.Key)
			}
			return keys, nil
		},
		Borders:  []int64{0, 1, part, 2 * part, 3 * part, 4 * part, 7 * part},
		Segments: []int64{0, 0, 0, part / 2, part, 5 * part / 2},
		Patience: time.Minute,
	}
}

// open draws the options of a volume.
func (x *trouble) open(r *rand.Rand) (storage.Volume, func()) {
	transport := &http.Transport{DialContext: x.network.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 8}
	v := x.volume(&http.Client{Transport: transport}, s3fs.Options{
		Endpoint: "http://" + faultyHost, Concurrency: 1 + r.IntN(4), MaxParts: 1 + r.IntN(4), MaxAttempts: 1 + r.IntN(1+r.IntN(10)),
		Checksum: []s3fs.Checksum{s3fs.ChecksumNone, s3fs.ChecksumSHA256}[r.IntN(2)],
		MaxPause: time.Second, StallTimeout: 10 * time.Second,
	})
	return v, func() {
		if err := v.Close(); err != nil {
			x.t.Error(err)
		}
	}
}

func (x *trouble) inject(seed uint64, rate float64, trusting bool) {
	x.store.arm(seed, rate/2, trusting)
	kinds := slices.DeleteFunc(faultproxy.Kinds(), func(k faultproxy.Kind) bool {
		// What is answered and done later all the same makes a second Complete of what could be repeated.
		return x.fake.Fragile && k == faultproxy.ApplyLate || trusting && k == faultproxy.FlipResponse
	})
	if err := x.proxy.Random(seed, rate/2, kinds...); err != nil {
		x.t.Fatal(err)
	}
}

func (x *trouble) settle() {
	x.store.letGo()
	x.proxy.Release()
	time.Sleep(latest)
	synctest.Wait()
}

// log has the latest faults of both.
func (x *trouble) log() (all []string) {
	for _, lines := range [][]string{x.proxy.Injected(), x.store.log()} {
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "campaign:") })
		all = append(all, lines[max(0, len(lines)-20):]...)
	}
	return all
}
