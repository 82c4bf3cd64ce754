package s3fs

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/storage"
)

// TestStorms: requests are repeated until they have failed Options.MaxAttempts times, 429 too, and no quota runs dry
// (PITFALLS 16, 23).
func TestStorms(t *testing.T) {
	for what, fault := range map[string]fakes3.Fault{
		"503":                {Status: 503, Code: "SlowDown"},
		"429":                {Status: 429, Code: "TooManyRequests"},
		"500":                {Status: 500, Code: "InternalError"},
		"502 of a gateway":   {Status: 502, Body: "<html>bad gateway</html>"},
		"504 without a body": {Status: 504},
		"520 of Cloudflare":  {Status: 520, Body: "error code: 520"},
		"408":                {Status: 408, Body: "request timeout"},
		"400 RequestTimeout": {Status: 400, Code: "RequestTimeout"},
		"clock":              {Status: 403, Code: "RequestTimeTooSkewed"},
		"dropped":            {Drop: true},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.put(t, "first", nil)
				s := script{}
				for _, op := range []string{"GetObject", "DeleteObject", "ListObjectsV2", "CreateMultipartUpload"} {
					s[op] = times(11, fault)
				}
				if fault.Status != 403 && fault.Status != 400 { // HEAD has no body that tells the code
					s["HeadObject"] = times(11, fault)
				}
				for part := range 5 {
					s[fmt.Sprint("UploadPart ", part+1)] = times(11, fault)
				}
				s["PutObject"] = times(11, fault)
				w.play(s)
				w.put(t, "x", random(1, 5*testPart))
				w.put(t, "small", random(2, 100))
				w.stored(t, "x", random(1, 5*testPart))
				if got, err := w.read(t, "small", 0, 100); err != nil || !bytes.Equal(got, random(2, 100)) {
					t.Errorf("read %d bytes, %v", len(got), err)
				}
				if all, err := storage.ListAll(t.Context(), w.v, "x"); err != nil || len(all) != 1 {
					t.Errorf("listed %d, %v", len(all), err)
				}
				if err := w.v.Delete(t.Context(), "x"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestGivesUp: the error says how often it was tried, and nobody above tries again.
func TestGivesUp(t *testing.T) {
	for _, attempts := range []int{1, 2, 12} {
		bubble(t, func(o *Options) { o.MaxAttempts = attempts }, func(t *testing.T, w *world) {
			w.always("HeadObject", fakes3.Fault{Status: 503})
			start := time.Now()
			_, err := w.v.Stat(t.Context(), "x")
			fails(t, err, retry.ErrExhausted, "HeadObject", "503", fmt.Sprintf("(after %d attempts)", attempts))
			w.counts(t, map[string]int{"HeadObject": attempts})
			if attempts == 12 {
				took(t, start, 50*time.Second, 2*time.Minute)
			}
		})
	}
}

// TestPauses: they double, with jitter, up to Options.MaxPause.
func TestPauses(t *testing.T) {
	bubble(t, func(o *Options) { o.MaxPause = 2 * time.Second }, func(t *testing.T, w *world) {
		w.always("HeadObject", fakes3.Fault{Status: 503})
		_, _ = w.v.Stat(t.Context(), "x")
		want, log := firstPause, w.of("HeadObject")
		for i := range len(log) - 1 {
			if d := log[i+1].Time.Sub(log[i].Time); d < want/2 || d > want+time.Millisecond {
				t.Errorf("pause %d is %s, want %s to %s", i+1, d, want/2, want)
			}
			want = min(2*want, 2*time.Second)
		}
	})
}

// TestRetryAfter: a store that says how long is waited for, within bounds.
func TestRetryAfter(t *testing.T) {
	const date = "in 90 s"
	for value, want := range map[string][2]time.Duration{
		"7":                             {7 * time.Second, 7 * time.Second},
		date:                            {89 * time.Second, 90 * time.Second},
		"86400":                         {mostAsked, mostAsked},
		"0":                             {0, firstPause},
		"-5":                            {0, firstPause},
		"":                              {0, firstPause},
		"soon":                          {0, firstPause},
		"1e9":                           {0, firstPause},
		"999999999999999999999":         {0, firstPause},
		"Mon, 02 Jan 2006 15:04:05 GMT": {mostAsked, mostAsked}, // bubbles begin in 2000
		"Mon, 02 Jan 1995 15:04:05 GMT": {0, firstPause},
	} {
		t.Run(value, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				if value == date {
					value = time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
				}
				for _, status := range []int{503, 429} {
					w.play(script{"PutObject": {{Status: status, Code: "SlowDown", Header: http.Header{"Retry-After": {value}}}}})
					start := time.Now()
					w.put(t, "x", nil)
					if want[0] == 89*time.Second && status == 429 {
						continue // the date has passed
					}
					took(t, start, want[0], want[1]+time.Millisecond)
				}
			})
		})
	}
}

// TestFinal: what no repetition mends is not repeated.
func TestFinal(t *testing.T) {
	for _, fault := range []fakes3.Fault{
		{Status: 403, Code: "AccessDenied"}, {Status: 404, Code: "NoSuchBucket"}, {Status: 400, Code: "InvalidArgument"}, {Status: 501, Code: "NotImplemented"},
		{Status: 403, Code: "InvalidAccessKeyId"}, {Status: 403, Code: "SignatureDoesNotMatch"}, {Status: 405, Code: "MethodNotAllowed"},
		{Status: 301, Code: "PermanentRedirect"}, {Status: 307, Code: "TemporaryRedirect"}, {Status: 403, Body: "<html>forbidden</html>"},
	} {
		t.Run(fmt.Sprint(fault.Status, fault.Code), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.always("GetObject", fault)
				_, err := w.read(t, "x", 0, 10)
				fails(t, err, nil, "GetObject: ", fmt.Sprint(fault.Status), fault.Code)
				w.counts(t, map[string]int{"GetObject": 1})
			})
		})
	}
}

// TestClockWrong: a store whose clock is an hour away, or this machine's, is written to all the same: the SDK takes the difference
// from the first answer (boto/boto3#3893; PITFALLS 23).
func TestClockWrong(t *testing.T) {
	for _, away := range []time.Duration{time.Hour, -time.Hour} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.Now = func() time.Time { return time.Now().Add(away) }
			w.put(t, "x", random(1, 5*testPart))
			w.put(t, "small", nil)
			if got, err := w.read(t, "x", 1, 5); err != nil || !bytes.Equal(got, random(1, 6)[1:]) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			if n := w.Count(); n > 15 {
				t.Errorf("it took %d requests: the difference is not kept", n)
			}
		})
	}
}

// TestExpiredToken: the store ends a session in mid-upload; the part is sent again with a new one (aws/aws-sdk-go-v2#1449;
// PITFALLS 22).
func TestExpiredToken(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"})
	synctest.Test(t, func(t *testing.T) {
		s, bucket := server(t)
		s.MinPartSize = 1
		sts := newFakeSTS(s, time.Hour)
		v := mustOpen(t, assuming(sts))
		v.o.PartSize = testPart
		expire := func() {
			time.Sleep(time.Minute)
			s.SetKey("ASIASESSION1", fakes3.Key{Secret: "session secret 1", SessionToken: "session token 1", Expires: time.Now()})
		}
		if _, err := v.Put(t.Context(), "x", &tripwire{bytes.NewReader(random(1, 9*testPart)), 4 * testPart, expire}); err != nil {
			t.Fatal(err)
		}
		if got, _ := bucket.Bytes("x"); !bytes.Equal(got, random(1, 9*testPart)) {
			t.Errorf("%d bytes were stored", len(got))
		}
		refused := 0
		for _, r := range s.Requests() {
			if r.Code == "ExpiredToken" {
				refused++
			}
		}
		if n := len(sts.asked()); n != 2 || refused == 0 || refused > 3 {
			t.Errorf("%d sessions were asked for, want 2; %d requests were refused, want 1 to 3", n, refused)
		}
	})
}

// dialing is a client whose connections cannot be made.
func dialing(dials *atomic.Int32, err error) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		dials.Add(1)
		return nil, err
	}}}
}

// TestUnreachable: an endpoint that has never answered may be the wrong one, so it is given up soon.
func TestUnreachable(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: errors.New("connect: connection refused")}
	for what, test := range map[string]struct {
		err   error
		dials int
		texts []string
	}{
		"refused":      {refused, unreached, []string{"192.0.2.1:443", "connection refused", "after 8 attempts"}},
		"no such host": {&net.DNSError{Err: "no such host", Name: "s3.test", IsNotFound: true}, 1, []string{"s3.test", "no such host"}},
		"names fail":   {&net.DNSError{Err: "server misbehaving", Name: "s3.test", IsTemporary: true}, unreached, []string{"s3.test", "after 8 attempts"}},
	} {
		t.Run(what, func(t *testing.T) {
			var dials atomic.Int32
			bubble(t, func(o *Options) { o.HTTPClient = dialing(&dials, test.err) }, func(t *testing.T, w *world) {
				start := time.Now()
				_, err := w.v.Put(t.Context(), "x", strings.NewReader("data"))
				took(t, start, 0, 15*time.Second)
				fails(t, err, storage.ErrNotApplied, test.texts...)
				if int(dials.Load()) != test.dials {
					t.Errorf("%d attempts, want %d", dials.Load(), test.dials)
				}
			})
		})
	}
}

// TestOutage: a store that has answered before is waited for longer.
func TestOutage(t *testing.T) {
	var down atomic.Bool
	change := func(o *Options) {
		transport := o.HTTPClient.Transport.(*http.Transport)
		dial := transport.DialTLSContext
		transport.DisableKeepAlives = true
		transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
			}
			return dial(ctx, network, addr)
		}
	}
	bubble(t, change, func(t *testing.T, w *world) {
		w.put(t, "first", nil)
		outage := func() {
			down.Store(true)
			time.AfterFunc(30*time.Second, func() { down.Store(false) })
		}
		if _, err := w.v.Put(t.Context(), "x", &tripwire{bytes.NewReader(random(1, 6*testPart)), 3 * testPart, outage}); err != nil {
			t.Error(err)
		}
		w.stored(t, "x", random(1, 6*testPart))
	})
}

// TestCertificate: an unknown authority is not tried again.
func TestCertificate(t *testing.T) {
	setenv(t, nil)
	s := fakes3.New()
	defer s.Close()
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	var dials atomic.Int32
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}}
	v := mustOpen(t, &Options{Endpoint: web.URL, PathStyle: true, AccessKeyID: "AKIATEST", SecretAccessKey: testSecret, HTTPClient: client})
	_, err := v.Stat(t.Context(), "x")
	if unknown := (x509.UnknownAuthorityError{}); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
	fails(t, err, nil, "HeadObject: ", "certificate")
	if n := dials.Load(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}
