package campaign

import (
	"context"
	"crypto/rand"
	randv2 "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/databasement/backup/internal/campaign"
	"github.com/databasement/backup/internal/faultproxy"
	"github.com/databasement/backup/internal/integration/minio"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// TestCampaign goes on for 60 faults, and for as many as BACKUP_FAULTS says.
func TestCampaign(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	faults, seed := campaign.Scale(t, 60)
	campaign.Run(t, faults, seed, newTrouble(t).site())
}

const mib = 1 << 20

// trouble is a MinIO behind a proxy that fails.
type trouble struct {
	t        *testing.T
	server   *minio.Server
	client   *miniogo.Client // which also looks afterwards
	bucket   string
	proxy    *faultproxy.Proxy
	inFlight *counting
	endpoint string // of the proxy
}

func newTrouble(t *testing.T) *trouble {
	x := &trouble{t: t, bucket: "campaign-" + strings.ToLower(rand.Text())}
	x.inFlight = &counting{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}}
	var err error
	if x.server, err = minio.Start(t.Context(), minio.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.server.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Logf("minio: %v", x.server)
	if err := x.makeBucket(); err != nil {
		t.Fatal(err)
	}
	if x.proxy, err = faultproxy.New(x.server.Endpoint, &faultproxy.Options{Transport: x.inFlight}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.proxy.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := x.proxy.Start(l); err != nil {
		t.Fatal(err)
	}
	x.endpoint = "http://" + l.Addr().String()
	return x
}

// makeBucket makes one that is removed at the end with all that is in it.
func (x *trouble) makeBucket() error {
	u, err := url.Parse(x.server.Endpoint)
	if err != nil {
		return err
	}
	if x.client, err = miniogo.New(u.Host, &miniogo.Options{
		Creds: credentials.NewStaticV4(x.server.AccessKey, x.server.SecretKey, ""), Region: "us-east-1",
	}); err != nil {
		return err
	}
	x.t.Cleanup(func() {
		if err := x.client.RemoveBucketWithOptions(context.Background(), x.bucket, miniogo.RemoveBucketOptions{ForceDelete: true}); err != nil {
			x.t.Errorf("remove the bucket %s: %v", x.bucket, err)
		}
	})
	return x.client.MakeBucket(x.t.Context(), x.bucket, miniogo.MakeBucketOptions{})
}

func (x *trouble) site() *campaign.Site {
	clean, done := x.volume(s3fs.Options{Endpoint: x.server.Endpoint})
	x.t.Cleanup(done)
	return &campaign.Site{
		Open: x.open, Clean: clean, Inject: x.inject, Settle: x.settle, Log: x.log,
		Faults: x.proxy.Faults, Unfinished: x.unfinished,
		Borders:  []int64{0, 1, 1000, 100_000, 5 * mib, 10 * mib, 15 * mib, 25 * mib},
		Segments: []int64{0, 0, 0, 2 * mib, 5 * mib, 12 * mib},
		Patience: 2 * time.Second,
	}
}

func (x *trouble) volume(o s3fs.Options) (*s3fs.Volume, func()) {
	o.PathStyle, o.Prefix, o.PartSize = true, "some/prefix", 5*mib
	o.AccessKeyID, o.SecretAccessKey = x.server.AccessKey, x.server.SecretKey
	v, err := s3fs.Open(x.t.Context(), x.bucket, &o)
	if err != nil {
		x.t.Fatal(err)
	}
	return v, func() {
		if err := v.Close(); err != nil {
			x.t.Error(err)
		}
	}
}

// open draws the options of a volume through the proxy.
func (x *trouble) open(r *randv2.Rand) (storage.Volume, func()) {
	return x.volume(s3fs.Options{
		Endpoint: x.endpoint, Concurrency: 1 + r.IntN(4), MaxParts: 1 + r.IntN(4), MaxAttempts: 1 + r.IntN(1+r.IntN(10)),
		Checksum: []s3fs.Checksum{s3fs.ChecksumNone, s3fs.ChecksumSHA256}[r.IntN(2)],
		MaxPause: 50 * time.Millisecond, StallTimeout: time.Second,
	})
}

func (x *trouble) inject(seed uint64, rate float64, trusting bool) {
	kinds := slices.DeleteFunc(faultproxy.Kinds(), func(k faultproxy.Kind) bool { return trusting && k == faultproxy.FlipResponse })
	if err := x.proxy.Random(seed, rate, kinds...); err != nil {
		x.t.Fatal(err)
	}
}

// goesOn is a time in which MinIO has done what it had been sent when the connection ended.
const goesOn = 300 * time.Millisecond

// settle waits for all that the proxy has forwarded, late or for a client that has gone.
func (x *trouble) settle() {
	x.proxy.Release()
	time.Sleep(goesOn)
	for begun := time.Now(); x.inFlight.n.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			x.t.Fatalf("MinIO has not answered %d requests for a minute", x.inFlight.n.Load())
		}
	}
}

func (x *trouble) log() []string {
	lines := slices.DeleteFunc(x.proxy.Injected(), func(l string) bool { return strings.HasPrefix(l, "campaign:") })
	return lines[max(0, len(lines)-30):]
}

func (x *trouble) unfinished() (keys []string, err error) {
	for u := range x.client.ListIncompleteUploads(context.WithoutCancel(x.t.Context()), x.bucket, "", true) {
		if u.Err != nil {
			return nil, u.Err
		}
		keys = append(keys, u.Key)
	}
	return keys, nil
}

// counting counts the requests that have no answer yet.
type counting struct {
	*http.Transport
	n atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	defer c.n.Add(-1)
	return c.Transport.RoundTrip(r)
}
