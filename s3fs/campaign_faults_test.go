package s3fs_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/databasement/backup/internal/fakes3"
)

// storeFaults are the faults of the store itself, drawn at random.
type storeFaults struct {
	fake   *fakes3.Server
	bucket *fakes3.Bucket

	mu       sync.Mutex
	rng      *rand.Rand
	rate     float64        // of failing requests
	rest     float64        // rate for all but manifests
	trusting bool           // no bit of an answer is flipped
	failed   map[string]int // by what is asked for
	injected []string
	stalls   chan struct{} // closed by letGo
}

func newStoreFaults(fake *fakes3.Server, bucket *fakes3.Bucket) *storeFaults {
	f := &storeFaults{fake: fake, bucket: bucket, stalls: make(chan struct{})}
	f.arm(0, 0, false)
	return f
}

// arm begins anew. Sometimes only what concerns manifests fails, but often, as that decides what became of a backup.
func (f *storeFaults) arm(seed uint64, rate float64, trusting bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rng, f.failed, f.trusting = rand.New(rand.NewPCG(seed, 2)), map[string]int{}, trusting
	f.rate, f.rest = rate, rate
	if rate > 0 && f.rng.IntN(4) == 0 {
		f.rate, f.rest = 0.8, 0
	}
}

// letGo ends the stalls.
func (f *storeFaults) letGo() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.stalls)
	f.stalls = make(chan struct{})
}

func (f *storeFaults) count() int { return len(f.log()) }

func (f *storeFaults) log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.injected)
}

// mostPerRequest is how many attempts of one request fail.
const mostPerRequest = 8

// draw decides about one request. All take some time, so that what goes on at once does so in changing order.
func (f *storeFaults) draw(r fakes3.Request) fakes3.Fault {
	if r.Host == cleanHost {
		return fakes3.Fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	what := fmt.Sprint(r.Op, " ", r.Key, " ", r.Part, " ", r.UploadID, " ", r.Header.Get("Range"))
	latency := time.Duration(f.rng.IntN(30)) * time.Millisecond
	rate := f.rest
	if strings.HasSuffix(r.Key, ".manifest.json") {
		rate = f.rate
	}
	if f.rng.Float64() >= rate || f.failed[what] >= mostPerRequest {
		return fakes3.Fault{At: fakes3.Arrived, Pause: latency}
	}
	fitting := slices.DeleteFunc(slices.Clone(storeKinds), func(k storeKind) bool {
		return k.ops != nil && !slices.Contains(k.ops, r.Op)
	})
	kind := fitting[f.rng.IntN(len(fitting))]
	fault, ok := kind.draw(f, r)
	if !ok {
		return fakes3.Fault{At: fakes3.Arrived, Pause: latency}
	}
	f.failed[what]++
	f.injected = append(f.injected, fmt.Sprintf("store: %s: %s", what, kind.name))
	return fault
}

// storeKind is what goes wrong in a store.
type storeKind struct {
	name string
	ops  []string // nil: all
	draw func(f *storeFaults, r fakes3.Request) (_ fakes3.Fault, ok bool)
}

var (
	bodies = []string{"PutObject", "UploadPart"}
	writes = []string{"PutObject", "UploadPart", "CreateMultipartUpload", "CompleteMultipartUpload", "AbortMultipartUpload", "DeleteObject"}

	storeKinds = []storeKind{
		{"the connection is closed", nil, func(f *storeFaults, _ fakes3.Request) (fakes3.Fault, bool) {
			return fakes3.Fault{At: f.moment(fakes3.Arrived, fakes3.Received, fakes3.Applied, fakes3.Sending), Drop: true}, true
		}},
		{"refused", nil, func(f *storeFaults, _ fakes3.Request) (fakes3.Fault, bool) { return f.refusal(), true }},
		{"stalled", nil, func(f *storeFaults, _ fakes3.Request) (fakes3.Fault, bool) {
			return fakes3.Fault{At: f.moment(fakes3.Received, fakes3.Applied, fakes3.Sending), Wait: f.stalls}, true
		}},
		{"closed within the body", bodies, func(f *storeFaults, r fakes3.Request) (fakes3.Fault, bool) {
			return fakes3.Fault{At: fakes3.Receiving, Bytes: f.rng.Int64N(max(1, r.Size)), Drop: true}, r.Size > 0
		}},
		{"closed within the answer", []string{"GetObject"}, func(f *storeFaults, r fakes3.Request) (fakes3.Fault, bool) {
			o := f.bucket.Object(r.Key)
			if o == nil || len(o.Data) == 0 {
				return fakes3.Fault{}, false
			}
			return fakes3.Fault{At: fakes3.Sending, Bytes: f.rng.Int64N(int64(len(o.Data))), Drop: true}, true
		}},
		{"a bit is flipped", []string{"PutObject", "UploadPart", "CompleteMultipartUpload", "GetObject"}, func(f *storeFaults, r fakes3.Request) (fakes3.Fault, bool) {
			return fakes3.Fault{Damage: true}, r.Op != "GetObject" || !f.trusting
		}},
		{"no ETag", []string{"PutObject", "UploadPart", "CompleteMultipartUpload"}, func(*storeFaults, fakes3.Request) (fakes3.Fault, bool) {
			return fakes3.Fault{NoETag: true}, true
		}},
		{"done later", writes, func(f *storeFaults, r fakes3.Request) (fakes3.Fault, bool) {
			return f.delay(r.Op == "CompleteMultipartUpload" && f.fake.Fragile), true
		}},
	}
)

func (f *storeFaults) moment(of ...fakes3.Moment) fakes3.Moment { return of[f.rng.IntN(len(of))] }

// refusal is an answer in S3's words or, from something between, in HTML.
func (f *storeFaults) refusal() fakes3.Fault {
	answers := []fakes3.Fault{
		{Status: http.StatusInternalServerError, Code: "InternalError"},
		{Status: http.StatusServiceUnavailable, Code: "SlowDown", Header: http.Header{"Retry-After": {"2"}}},
		{Status: http.StatusTooManyRequests, Code: "TooManyRequests"},
		{Status: http.StatusBadRequest, Code: "RequestTimeout"},
		{Status: http.StatusBadGateway, Body: "<html><body>Bad Gateway</body></html>"},
		{Status: http.StatusServiceUnavailable},
	}
	a := answers[f.rng.IntN(len(answers))]
	a.At = f.moment(fakes3.Arrived, fakes3.Received, fakes3.Applied)
	return a
}

// delay has a request applied when its client no longer waits. A store that destroys an object by a second Complete
// does not say of the first that it failed.
func (f *storeFaults) delay(silent bool) fakes3.Fault {
	fault := fakes3.Fault{Late: 1 + time.Duration(f.rng.Int64N(int64(latest)>>f.rng.IntN(8)))}
	if !silent && f.rng.IntN(2) == 0 {
		fault.Status, fault.Code = http.StatusServiceUnavailable, "SlowDown"
	}
	return fault
}
