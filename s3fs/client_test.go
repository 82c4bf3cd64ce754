package s3fs

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/storage"
)

// assuming are options that assume testRole by way of f.
func assuming(f *fakeSTS) *Options {
	return &Options{Endpoint: testEndpoint, STSEndpoint: testSTS, PathStyle: true, RoleARN: testRole, HTTPClient: &http.Client{Transport: f}}
}

func mustOpen(t *testing.T, o *Options) *Volume {
	t.Helper()
	v, err := Open(t.Context(), "bucket", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func mustPut(t *testing.T, v *Volume, name, data string) {
	t.Helper()
	if _, err := v.Put(t.Context(), name, strings.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

// server is a fake S3 with a bucket, in which only those with a key may do anything.
func server(t *testing.T) (*fakes3.Server, *fakes3.Bucket) {
	t.Helper()
	s := fakes3.New()
	t.Cleanup(s.Close)
	s.SetKey("AKIAROOT", fakes3.Key{Secret: "root"})
	return s, s.CreateBucket("bucket")
}

// rooted are options with the server's key.
func rooted(s *fakes3.Server) *Options {
	return &Options{Endpoint: testEndpoint, PathStyle: true, HTTPClient: s.Client(), AccessKeyID: "AKIAROOT", SecretAccessKey: "root"}
}

// TestRole: whoever's credentials they are, the role is assumed with them, once, and only the session reaches S3.
func TestRole(t *testing.T) {
	files := "[default]\n" + keysOf("DEFAULT") + "[s3]\n" + keysOf("S3") + "[sts]\n" + keysOf("STS") + "aws_session_token = of-sts\n"
	for what, test := range map[string]struct {
		change        func(*Options)
		env           map[string]string
		signer, token string
	}{
		"default chain": {signer: "AKIADEFAULT"},
		"environment":   {env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}, signer: "AKIAENV"},
		"static keys": {change: func(o *Options) { o.AccessKeyID, o.SecretAccessKey, o.SessionToken = "AKIASTATIC", "s", "t" },
			signer: "AKIASTATIC", token: "t"},
		"profile":     {change: func(o *Options) { o.Profile = "s3" }, signer: "AKIAS3"},
		"STS profile": {change: func(o *Options) { o.Profile, o.STSProfile = "s3", "sts" }, signer: "AKIASTS", token: "of-sts"},
		"STS profile beside keys": {change: func(o *Options) { o.AccessKeyID, o.SecretAccessKey, o.STSProfile = "AKIASTATIC", "s", "sts" },
			signer: "AKIASTS", token: "of-sts"},
		"STS profile beside the environment": {change: func(o *Options) { o.STSProfile = "sts" },
			env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"}, signer: "AKIASTS", token: "of-sts"},
	} {
		t.Run(what, func(t *testing.T) {
			setenv(t, map[string]string{"CREDENTIALS": files})
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			s, bucket := server(t)
			fake := newFakeSTS(s, time.Hour)
			o := assuming(fake)
			if test.change != nil {
				test.change(o)
			}
			v := mustOpen(t, o)
			if n := len(fake.asked()); n != 0 {
				t.Errorf("Open made %d requests", n)
			}
			mustPut(t, v, "a", "1")
			mustPut(t, v, "b", "2")
			if _, ok := bucket.Bytes("b"); !ok {
				t.Error("nothing was stored")
			}
			calls := fake.asked()
			if len(calls) != 1 {
				t.Fatalf("%d calls of STS, want 1", len(calls))
			}
			c := calls[0]
			if c.signer != test.signer || c.token != test.token {
				t.Errorf("assumed by %s with token %q, want %s with %q", c.signer, c.token, test.signer, test.token)
			}
			for field, want := range map[string]string{"RoleArn": testRole, "RoleSessionName": "databasement", "DurationSeconds": "3600"} {
				if got := c.form.Get(field); got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
		})
	}
}

func keysOf(name string) string {
	return "aws_access_key_id = AKIA" + name + "\naws_secret_access_key = s\n"
}

func TestRoleFromEnv(t *testing.T) {
	setenv(t, map[string]string{
		"AWS_ENDPOINT_URL_S3": testEndpoint, "AWS_ENDPOINT_URL_STS": testSTS, "AWS_USE_PATH_STYLE_ENDPOINT": "true",
		"AWS_CUSTOM_ROLE_ARN": testRole, "AWS_ROLE_SESSION_NAME": "me@host", "AWS_STS_PROFILE": "sts", "CREDENTIALS": "[sts]\n" + keysOf("STS"),
	})
	s, _ := server(t)
	fake := newFakeSTS(s, time.Hour)
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	o.HTTPClient = &http.Client{Transport: fake}
	mustPut(t, mustOpen(t, o), "a", "1")
	if c := fake.asked(); len(c) != 1 || c[0].form.Get("RoleSessionName") != "me@host" || c[0].signer != "AKIASTS" {
		t.Errorf("STS was asked %v", c)
	}
}

func TestRoleDenied(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "hunter2"})
	s, _ := server(t)
	fake := newFakeSTS(s, time.Hour)
	o := assuming(fake)
	o.RoleARN = "arn:aws:iam::123456789012:role/other"
	_, err := mustOpen(t, o).Stat(t.Context(), "a")
	for _, want := range []string{"assume role " + o.RoleARN, "AccessDenied", "sts:AssumeRole"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if n := len(fake.asked()); n != 1 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%d calls of STS, want 1, and no secret in %v", n, err)
	}
}

// TestSTSRecovers: also from 429, which the SDK does not repeat by itself.
func TestSTSRecovers(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_MAX_ATTEMPTS": "1", "AWS_RETRY_MODE": "adaptive"})
	synctest.Test(t, func(t *testing.T) {
		s, _ := server(t)
		fake := newFakeSTS(s, time.Hour)
		fake.fails = []int{503, 429, 500, 429, 408, 503, 502}
		mustPut(t, mustOpen(t, assuming(fake)), "a", "1")
		if n := len(fake.asked()); n != stsAttempts {
			t.Errorf("%d calls of STS, want %d", n, stsAttempts)
		}
	})
}

// trickle yields size bytes, with pauses.
type trickle struct {
	size  int
	pause time.Duration
}

func (r *trickle) Read(p []byte) (int, error) {
	if r.size == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.pause)
	n := min(len(p), r.size, 1<<20)
	clear(p[:n])
	r.size -= n
	return n, nil
}

// TestRefreshDuringUpload: a session of 5 s, an upload of a minute (aws/aws-sdk-go-v2#1449).
func TestRefreshDuringUpload(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"})
	synctest.Test(t, func(t *testing.T) {
		s, bucket := server(t)
		fake := newFakeSTS(s, 5*time.Second)
		o := assuming(fake)
		o.PartSize = 5 << 20
		const size = 30 << 20
		if _, err := mustOpen(t, o).Put(t.Context(), "a", &trickle{size, 2 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if data, _ := bucket.Bytes("a"); len(data) != size {
			t.Errorf("%d bytes were stored, want %d", len(data), size)
		}
		if n := len(fake.asked()); n < 5 || n > 15 {
			t.Errorf("%d calls of STS in a minute, want 5 to 15", n)
		}
	})
}

// TestRevoked: the store ends a session before its time, and the credentials are fetched anew.
func TestRevoked(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"})
	synctest.Test(t, func(t *testing.T) {
		s, _ := server(t)
		fake := newFakeSTS(s, time.Hour)
		v := mustOpen(t, assuming(fake))
		mustPut(t, v, "a", "1")
		time.Sleep(time.Minute)
		s.SetKey("ASIASESSION1", fakes3.Key{Secret: "session secret 1", SessionToken: "session token 1", Expires: time.Now()})
		mustPut(t, v, "b", "2")
		if n := len(fake.asked()); n != 2 {
			t.Errorf("%d calls of STS, want 2", n)
		}
	})
}

func TestNoCredentials(t *testing.T) {
	setenv(t, nil)
	s, _ := server(t)
	v := mustOpen(t, &Options{Endpoint: testEndpoint, PathStyle: true, HTTPClient: s.Client()})
	_, err := v.Stat(t.Context(), "a")
	if missing := (*credentialsError)(nil); !errors.As(err, &missing) {
		t.Errorf("got %v, want a credentialsError", err)
	}
	for _, want := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_S3_PROFILE"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// TestMissingTokenFile: a file of the SDK's that is missing is not a missing object.
func TestMissingTokenFile(t *testing.T) {
	setenv(t, map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": filepath.Join(t.TempDir(), "missing"), "AWS_ROLE_ARN": testRole})
	s, _ := server(t)
	_, err := mustOpen(t, &Options{Endpoint: testEndpoint, PathStyle: true, HTTPClient: s.Client()}).Stat(t.Context(), "a")
	if err == nil || errors.Is(err, fs.ErrNotExist) || !errors.Is(err, retry.ErrExhausted) {
		t.Errorf("got %v, want a final error of the credentials", err)
	}
}

// TestExpiredBehindRole: the credentials that assume the role have ended in the SDK's cache, and a second call gets new ones.
func TestExpiredBehindRole(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"})
	s, _ := server(t)
	fake := newFakeSTS(s, time.Hour)
	fake.expired = 1
	mustPut(t, mustOpen(t, assuming(fake)), "a", "1")
	if n := len(fake.asked()); n != 2 {
		t.Errorf("%d calls of STS, want 2", n)
	}
	fake.expired = 2
	_, err := mustOpen(t, assuming(fake)).Stat(t.Context(), "a")
	if want := "assume role " + testRole + ": ExpiredToken: the security token included in the request is expired"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %q at its end", err, want)
	}
}

// TestKeysByHand: a session token of the environment is not mixed with keys that a program has set.
func TestKeysByHand(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"})
	s, _ := server(t)
	v := mustOpen(t, rooted(s))
	mustPut(t, v, "a", "1")
}

// TestCABundle: LoadDefaultConfig fails on AWS_CA_BUNDLE beside any client but its own.
func TestCABundle(t *testing.T) {
	s, _ := server(t)
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(bundle, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	o := &Options{Endpoint: web.URL, PathStyle: true, AccessKeyID: "AKIAROOT", SecretAccessKey: "root"}

	setenv(t, map[string]string{"AWS_CA_BUNDLE": bundle})
	_, err := mustOpen(t, o).Stat(t.Context(), "a")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with the bundle: got %v, want the store's answer", err)
	}
	own := *o
	own.HTTPClient = web.Client()
	if _, err = mustOpen(t, &own).Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("with an own client beside it: got %v, want the store's answer", err)
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	if _, err = mustOpen(t, o).Stat(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the bundle: got %v, want an error of the certificate", err)
	}
}

// transportOf is the transport under a volume's requests.
func transportOf(t *testing.T, v *Volume) *http.Transport {
	t.Helper()
	w, ok := v.c.s3.Options().HTTPClient.(*watched)
	if !ok {
		t.Fatalf("requests are made by a %T", v.c.s3.Options().HTTPClient)
	}
	return w.next.(*http.Client).Transport.(*http.Transport)
}

// TestNoReadTimeout runs in a process of its own, as the SDK looks at the variable once.
func TestNoReadTimeout(t *testing.T) {
	const variable, child = "AWS_ENABLE_DEFAULT_SOCKET_TIMEOUT_2026", "S3FS_TEST_CHILD"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoReadTimeout$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	setenv(t, map[string]string{variable: "true"})
	// The SDK's table exempts S3 today, and may not tomorrow; it does not exempt STS, for which the same transport is used.
	sdk := sts.New(sts.Options{Region: "us-east-1"}).Options().HTTPClient.(*awshttp.BuildableClient)
	if _, ok := sdk.GetReadTimeout(); !ok {
		t.Fatal("the variable does nothing: this test has nothing to show")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := transportOf(t, mustOpen(t, nil)).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, ok := conn.(*net.TCPConn); !ok {
		t.Errorf("connections are %T, with a timeout perhaps", conn)
	}
}

// TestAmbientSettings: what the environment says of retries and checksums does not reach S3.
func TestAmbientSettings(t *testing.T) {
	setenv(t, map[string]string{
		"AWS_RETRY_MODE": "adaptive", "AWS_MAX_ATTEMPTS": "7", "AWS_DEFAULTS_MODE": "auto",
		"AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported", "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_supported",
	})
	s, _ := server(t)
	requests := 0
	var header http.Header
	s.Rewrite = func(r *http.Request) { requests++; header = r.Header.Clone() }
	s.Faults = func(fakes3.Request) fakes3.Fault { return fakes3.Fault{Status: 503, Code: "SlowDown"} }
	v := mustOpen(t, rooted(s))
	_, err := v.c.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &v.bucket, Key: aws.String("a"), Body: bytes.NewReader([]byte("x"))})
	if err == nil || requests != 1 {
		t.Errorf("%d requests and %v, want 1 and an error", requests, err)
	}
	for name := range header {
		if strings.Contains(strings.ToLower(name), "checksum") || strings.EqualFold(name, "x-amz-trailer") {
			t.Errorf("the request has the header %s", name)
		}
	}
}

// TestOwnClient: it is not changed, and its copy follows no redirect, which would send a signature elsewhere.
func TestOwnClient(t *testing.T) {
	setenv(t, nil)
	s, _ := server(t)
	s.Faults = func(r fakes3.Request) fakes3.Fault {
		return fakes3.Fault{Status: 307, Code: "TemporaryRedirect", Header: http.Header{"Location": {"https://elsewhere.test/bucket/a"}}}
	}
	var hosts []string
	s.Rewrite = func(r *http.Request) { hosts = append(hosts, r.Host) }
	o := rooted(s)
	_, err := mustOpen(t, o).Stat(t.Context(), "a")
	if err == nil || len(hosts) != 1 || hosts[0] != "s3.test" {
		t.Errorf("got %v from %q, want an error of s3.test alone", err, hosts)
	}
	if o.HTTPClient.CheckRedirect != nil {
		t.Error("the client was changed")
	}
}

// TestBadConfiguration: what only the SDK sees when it loads names its profile.
func TestBadConfiguration(t *testing.T) {
	files := "[profile token]\nrole_arn = " + testRole + "\nsource_profile = base\nmfa_serial = x\n[profile base]\n" + keysOf("BASE")
	setenv(t, map[string]string{"CONFIG": files})
	for field, o := range map[string]*Options{"Profile": {Profile: "token"}, "STSProfile": {STSProfile: "token", RoleARN: testRole}} {
		_, err := Open(t.Context(), "bucket", o)
		if e := (*storage.Error)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), field+`: profile "token": `) {
			t.Errorf("got %v, want an error of %s", err, field)
		}
	}
}

// TestSTSRetriesAreNotRationed: the SDK's quota runs dry in a long outage.
func TestSTSRetriesAreNotRationed(t *testing.T) {
	var s sts.Options
	new(Options).stsOptions(&s)
	for n := range 1000 {
		if _, err := s.Retryer.GetRetryToken(t.Context(), errors.New("down")); err != nil {
			t.Fatalf("after %d retries: %v", n, err)
		}
	}
}

// TestOpenAsksNobody: neither S3 and STS nor, as AWS_DEFAULTS_MODE would have it, the metadata of an instance.
func TestOpenAsksNobody(t *testing.T) {
	requests := make(chan string, 100)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.URL.Path }))
	t.Cleanup(web.Close)
	setenv(t, map[string]string{
		"AWS_DEFAULTS_MODE": "auto", "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": web.URL,
		"AWS_ENDPOINT_URL": web.URL, "AWS_CUSTOM_ROLE_ARN": testRole,
	})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	v := mustOpen(t, o)
	if n := len(requests); n != 0 {
		t.Errorf("Open made %d requests, the first for %s", n, <-requests)
	}
	if _, err := v.Stat(t.Context(), "a"); err == nil || len(requests) == 0 {
		t.Errorf("nor did Stat, which gives %v: this test has nothing to show", err)
	}
}

func TestOpenWithoutContext(t *testing.T) {
	setenv(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "bucket", nil); err != nil {
		t.Errorf("Open makes no request, and gives %v", err)
	}
}
