package s3fs

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// errorsOf is what each method says.
func (w *world) errorsOf(t *testing.T) map[string]error {
	t.Helper()
	_, put := w.v.Put(t.Context(), "x", strings.NewReader("data"))
	_, parts := w.v.Put(t.Context(), "x", bytes.NewReader(random(1, 3*testPart)))
	_, absent := w.v.PutIfAbsent(t.Context(), "x", nil)
	_, open := w.v.Open(t.Context(), "x", 0, -1)
	_, stat := w.v.Stat(t.Context(), "x")
	_, list := storage.ListAll(t.Context(), w.v, "")
	_, sweep := w.v.SweepUnfinished(t.Context(), time.Now())
	return map[string]error{"put": put, "parts": parts, "absent": absent, "open": open, "stat": stat, "list": list, "sweep": sweep, "delete": w.v.Delete(t.Context(), "x")}
}

// TestErrorTexts: what happened, to what, and what to do.
func TestErrorTexts(t *testing.T) {
	region := http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}
	for what, test := range map[string]struct {
		fault  fakes3.Fault
		change func(w *world)
		texts  map[string][]string // by method, "" for all
	}{
		"wrong region": {fakes3.Fault{Status: 301, Code: "PermanentRedirect", Header: region}, nil,
			map[string][]string{"": {"HTTP 301", "the bucket is in region eu-west-1: set Region or AWS_REGION"}}},
		"wrong region, as newer": {fakes3.Fault{Status: 400, Code: "AuthorizationHeaderMalformed", Header: region}, nil,
			map[string][]string{"": {"HTTP 400", "the bucket is in region eu-west-1"}}},
		"wrong region, not told": {fakes3.Fault{Status: 301, Code: "PermanentRedirect"}, nil,
			map[string][]string{"put": {"PermanentRedirect", "set the region or the endpoint"}}},
		"region of the signature": {fakes3.Fault{}, func(w *world) { w.Region = "eu-central-1" },
			map[string][]string{"put": {"the region 'us-east-1' is wrong; expecting 'eu-central-1'", "set the region"}}},
		"no bucket": {fakes3.Fault{}, func(w *world) { w.v.bucket = "other" },
			map[string][]string{"put": {`put "x" on s3://other: nothing was stored: PutObject: NoSuchBucket, HTTP 404: The specified bucket does not exist`, "create the bucket"}}},
		"wrong secret": {fakes3.Fault{}, func(w *world) { w.SetKey("AKIATEST", fakes3.Key{Secret: "other", SessionToken: testToken}) },
			map[string][]string{"put": {"SignatureDoesNotMatch", "check the access key and its secret"}, "stat": {"HTTP 403"}}},
		"unknown key": {fakes3.Fault{Status: 403, Code: "InvalidAccessKeyId"}, nil,
			map[string][]string{"put": {"InvalidAccessKeyId, HTTP 403", "check the access key"}}},
		"wrong token": {fakes3.Fault{}, func(w *world) { w.SetKey("AKIATEST", fakes3.Key{Secret: testSecret, SessionToken: "other"}) },
			map[string][]string{"put": {"InvalidToken", "the session token has ended, or is not one for this store"}}},
		"no rights": {fakes3.Fault{Status: 403, Code: "AccessDenied"}, nil, map[string][]string{
			"": {"HTTP 403"}, "put": {"the credentials may lack s3:PutObject"}, "parts": {"CreateMultipartUpload", "s3:PutObject"}, "open": {"s3:GetObject"},
			"stat": {"s3:GetObject, and s3:ListBucket"}, "list": {"s3:ListBucket"}, "delete": {"s3:DeleteObject"},
		}},
		"page of a proxy": {fakes3.Fault{Status: 403, Body: "<html><body>Blocked. Authorization: Signature=abc</body></html>"}, nil,
			map[string][]string{"": {"HTTP 403 Forbidden"}}},
		"nothing of a proxy": {fakes3.Fault{Status: 502}, nil,
			map[string][]string{"": {"HTTP 502 Bad Gateway", "(after 12 attempts)"}}},
		"text of a proxy": {fakes3.Fault{Status: 400, Body: "bad request: <<<"}, nil, map[string][]string{"": {"400"}}},
		"clock": {fakes3.Fault{Status: 403, Code: "RequestTimeTooSkewed"}, nil,
			map[string][]string{"put": {"set the clock of this machine"}}},
		"archived": {fakes3.Fault{Status: 403, Code: "InvalidObjectState"}, nil,
			map[string][]string{"open": {"restore it there first"}}},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				if test.change != nil {
					test.change(w)
				} else {
					w.Faults = func(fakes3.Request) fakes3.Fault { return test.fault }
				}
				for method, err := range w.errorsOf(t) {
					if method == "delete" && err == nil {
						t.Error("delete succeeds")
						continue
					}
					fails(t, err, nil, append(test.texts[""], test.texts[method]...)...)
					if n := len(err.Error()); n > 1000 {
						t.Errorf("%d bytes of error: %v", n, err)
					}
				}
			})
		})
	}
}

// TestLongMessage: a store does not decide how long an error is, nor put control characters into a log.
func TestLongMessage(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		body := fmt.Sprintf("<Error><Code>%s</Code><Message>one\n\x1b[2Jtwo %s</Message><RequestId>%s</RequestId></Error>",
			"Odd"+strings.Repeat("c", 9999), strings.Repeat("ä", 9999), strings.Repeat("r", 9999))
		body = strings.ReplaceAll(body, "\x1b", "&#x9b;") // of the control characters that XML has
		w.always("PutObject", fakes3.Fault{Status: 400, Body: body})
		_, err := w.v.Put(t.Context(), "x", strings.NewReader("data"))
		fails(t, err, storage.ErrNotApplied, "Oddcc", "HTTP 400: one  [2Jtwo ää")
		if n := len(err.Error()); n > 1500 || strings.ContainsFunc(err.Error(), unicode.IsControl) || !utf8.ValidString(err.Error()) {
			t.Errorf("%d bytes of error: %q", n, err)
		}
	})
}

// TestNames: what is no object's name never reaches the store.
func TestNames(t *testing.T) {
	bubble(t, func(o *Options) { o.Prefix = strings.Repeat("p/", 249) + "p" }, func(t *testing.T, w *world) {
		for _, name := range []string{"", "/", "a/", "/a", "a//b", "../a", "a/./b", "a\x00b", "\xff", strings.Repeat("n/", 262) + "n", strings.Repeat("n/", 2000) + "n"} {
			_, put := w.v.Put(t.Context(), name, strings.NewReader("data"))
			_, absent := w.v.PutIfAbsent(t.Context(), name, nil)
			_, head := w.v.PutHead(t.Context(), name, strings.NewReader("data"), 1, nil)
			_, open := w.v.Open(t.Context(), name, 0, -1)
			_, stat := w.v.Stat(t.Context(), name)
			for _, err := range []error{put, absent, head, open, stat, w.v.Delete(t.Context(), name)} {
				fails(t, err, storage.ErrInvalidName)
			}
			for _, err := range []error{put, absent, head} {
				fails(t, err, storage.ErrNotApplied)
			}
		}
		if n := w.Count(); n != 0 {
			t.Errorf("%d requests", n)
		}
		w.put(t, strings.Repeat("n/", 261)+"nn", []byte("fits"))
	})
}
