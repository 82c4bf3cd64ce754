package s3fs

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/databasement/backup/internal/fakes3"
)

const (
	testRole     = "arn:aws:iam::123456789012:role/backup"
	testEndpoint = "https://s3.test"
	testSTS      = "https://sts.test"
)

// fakeSTS is a security token service that lets anyone assume testRole, and tells an S3 server of the sessions. As a
// transport it is for sts.test, and every other host is that server.
type fakeSTS struct {
	s3   *fakes3.Server
	next http.RoundTripper
	life time.Duration // of sessions

	mu      sync.Mutex
	calls   []stsCall
	fails   []int // statuses of the next answers
	expired int   // how many of the next answers are that the caller's token has expired
}

// stsCall is what was asked.
type stsCall struct {
	form   url.Values
	signer string // id of the access key
	token  string // of its session
}

func newFakeSTS(s *fakes3.Server, life time.Duration) *fakeSTS {
	return &fakeSTS{s3: s, next: s.Transport(), life: life}
}

// RoundTrip implements http.RoundTripper.
func (f *fakeSTS) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "sts.test" {
		return f.next.RoundTrip(req)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	status, text := f.answer(stsCall{form, signer(req), req.Header.Get("X-Amz-Security-Token")})
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: http.Header{"Content-Type": {"text/xml"}},
		Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}

// signer is the id of the access key in "Credential=ID/20060102/…".
func signer(req *http.Request) string {
	_, after, _ := strings.Cut(req.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(after, "/")
	return id
}

func (f *fakeSTS) answer(c stsCall) (status int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	if len(f.fails) > 0 {
		status, f.fails = f.fails[0], f.fails[1:]
		return status, stsError("ServiceUnavailable", "come back later")
	}
	if f.expired > 0 {
		f.expired--
		return http.StatusForbidden, stsError("ExpiredToken", "the security token included in the request is expired")
	}
	if c.form.Get("Action") != "AssumeRole" || c.form.Get("RoleArn") != testRole {
		return http.StatusForbidden, stsError("AccessDenied", "not authorized to perform sts:AssumeRole")
	}
	n := len(f.calls)
	key := fakes3.Key{Secret: fmt.Sprint("session secret ", n), SessionToken: fmt.Sprint("session token ", n), Expires: time.Now().Add(f.life)}
	id := fmt.Sprint("ASIASESSION", n)
	f.s3.SetKey(id, key)
	return http.StatusOK, fmt.Sprintf(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>`+
		`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
		`</Credentials></AssumeRoleResult></AssumeRoleResponse>`, id, key.Secret, key.SessionToken, key.Expires.UTC().Format(time.RFC3339Nano))
}

func stsError(code, message string) string {
	return fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, message)
}

// asked is what f was asked so far.
func (f *fakeSTS) asked() []stsCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]stsCall(nil), f.calls...)
}
