package s3fs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

const (
	testPart   = 64 << 10 // bytes of a part of the volumes in bubbles
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYSECRETKEY"
	testToken  = "FwoGZXIvYXdzEJrSESSIONTOKEN"

	never = 1000 * time.Hour // is how long a store pauses that does not answer

	// snapshotName is a name that a sweep knows to be of this library.
	snapshotName = "shop/20261122t175500123z-7f3a9c2e.sql.zst"
)

// world is a store in memory and a volume in it.
type world struct {
	*fakes3.Server
	bucket *fakes3.Bucket
	v      *Volume

	mu     sync.Mutex
	faults script
	fixed  script
}

// script is what goes wrong with the requests of an operation, or of one part ("UploadPart 3"), in turn.
type script map[string][]fakes3.Fault

// bubble runs a test in time that passes only while all wait, with a store that verifies every signature. It fails if a goroutine
// outlives the volume, and if a fault that was planned did not happen.
func bubble(t *testing.T, change func(*Options), test func(t *testing.T, w *world)) {
	t.Helper()
	setenv(t, nil)
	synctest.Test(t, func(t *testing.T) {
		s := fakes3.New()
		defer s.Close()
		s.MinPartSize = 1
		s.SetKey("AKIATEST", fakes3.Key{Secret: testSecret, SessionToken: testToken})
		transport := s.Transport()
		o := &Options{
			Endpoint: testEndpoint, PathStyle: true, AccessKeyID: "AKIATEST", SecretAccessKey: testSecret, SessionToken: testToken,
			HTTPClient: &http.Client{Transport: transport},
		}
		if change != nil {
			change(o)
		}
		v, err := Open(t.Context(), "bucket", o)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		tune(transport, v.o) // as that of a volume without an own client
		v.o.PartSize = testPart
		w := &world{Server: s, bucket: s.CreateBucket("bucket"), v: v}
		s.Faults = w.next
		test(t, w)
		for what, left := range w.faults {
			if len(left) > 0 {
				t.Errorf("%d faults of %s did not happen", len(left), what)
			}
		}
	})
}

// play has the faults of a script happen, each once.
func (w *world) play(s script) { w.plan(s, nil) }

// always has a fault happen to each request of an operation.
func (w *world) always(what string, f fakes3.Fault) { w.plan(nil, script{what: {f}}) }

func (w *world) plan(faults, fixed script) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.fixed = faults, fixed
}

func (w *world) next(r fakes3.Request) fakes3.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range []string{fmt.Sprint(r.Op, " ", r.Part), r.Op} {
		if f := w.fixed[what]; f != nil {
			return f[0]
		}
		if f := w.faults[what]; len(f) > 0 {
			w.faults[what] = f[1:]
			return f[0]
		}
	}
	return fakes3.Fault{}
}

// times is a fault n times.
func times(n int, f fakes3.Fault) []fakes3.Fault { return slices.Repeat([]fakes3.Fault{f}, n) }

// of returns the requests of some operations, in the order of their arrival.
func (w *world) of(ops ...string) []fakes3.Request {
	return slices.DeleteFunc(w.Requests(), func(r fakes3.Request) bool { return !slices.Contains(ops, r.Op) })
}

// counts says how many requests there were of the operations.
func (w *world) counts(t *testing.T, want map[string]int) {
	t.Helper()
	for op, n := range want {
		if got := w.Count(op); got != n {
			t.Errorf("%d requests of %s, want %d", got, op, n)
		}
	}
}

// put must succeed.
func (w *world) put(t *testing.T, name string, data []byte) storage.Object {
	t.Helper()
	o, err := w.v.Put(t.Context(), name, bytes.NewReader(data))
	if err != nil || o.Size != int64(len(data)) || o.ETag == "" || o.Name != name {
		t.Fatalf("Put gives %+v, %v", o, err)
	}
	return o
}

// stored is the object's data, byte for byte.
func (w *world) stored(t *testing.T, name string, want []byte) {
	t.Helper()
	got, ok := w.bucket.Bytes(w.v.prefix + name)
	if !ok || !bytes.Equal(got, want) {
		t.Errorf("%q has %d bytes (there is one: %v), not those %d that were put", name, len(got), ok, len(want))
	}
}

// nothing of the object is there, neither whole nor in parts.
func (w *world) nothing(t *testing.T, name string) {
	t.Helper()
	if w.bucket.Object(name) != nil {
		t.Errorf("%q is there", name)
	}
	w.noParts(t)
}

func (w *world) noParts(t *testing.T) {
	t.Helper()
	if u := w.bucket.Uploads(); len(u) > 0 {
		t.Errorf("an upload of %q is left, with %d parts", u[0].Key, len(u[0].Parts))
	}
}

// read reads an object to its end.
func (w *world) read(t *testing.T, name string, off, n int64) ([]byte, error) {
	t.Helper()
	r, err := w.v.Open(t.Context(), name, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// fails holds an error to what it is and what it says, and to what none may say.
func fails(t *testing.T, err, is error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("%v\nis not %v", err, is)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v\ndoes not say %q", err, text)
		}
	}
	if e := (*storage.Error)(nil); !errors.As(err, &e) || e.Volume == "" {
		t.Errorf("%v\nis no *storage.Error with its volume", err)
	}
	for _, secret := range []string{testSecret, testToken, "Signature=", "X-Amz-Signature"} {
		if strings.Contains(fmt.Sprintf("%v %+v %q", err, err, err), secret) {
			t.Errorf("%v\nhas a secret in it", err)
		}
	}
}

// open is that the error leaves open whether something was stored.
func leavesOpen(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, storage.ErrNotApplied) {
		t.Errorf("%v: want an error that does not say that nothing was stored", err)
	}
}

// took says how long something took that began at start.
func took(t *testing.T, start time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(start); d < least || d > most {
		t.Errorf("took %s, want %s to %s", d, least, most)
	}
}

// random returns n bytes that only this seed gives.
func random(seed byte, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// tripwire does something before its Reader's byte number at is read.
type tripwire struct {
	io.Reader
	at   int
	trip func()
}

func (r *tripwire) Read(p []byte) (int, error) {
	if r.at == 0 && r.trip != nil {
		r.trip()
		r.trip = nil
	}
	if r.at > 0 {
		p = p[:min(len(p), r.at)]
	}
	n, err := r.Reader.Read(p)
	r.at = max(r.at-n, 0)
	return n, err
}

// pausing is r with a pause before its byte number at, in which all requests end. One that is cut short by what the test does
// next may still be carried out by the store, also after an abort.
func pausing(r io.Reader, at int) io.Reader {
	return &tripwire{r, at, func() { time.Sleep(time.Second) }}
}

// readFunc is a Reader.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// failing yields nothing, and then fails, after a pause as of pausing.
func failing(err error) io.Reader {
	return readFunc(func([]byte) (int, error) {
		time.Sleep(time.Second)
		return 0, err
	})
}

// broken yields n bytes, and then fails.
func broken(n int) io.Reader {
	return io.MultiReader(bytes.NewReader(random(1, n)), failing(errors.New("the dump has failed")))
}
