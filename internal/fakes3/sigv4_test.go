package fakes3_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/databasement/backup/internal/fakes3"
)

// The examples of AWS's documentation: "Signature calculations for the Authorization header: transferring payload in a
// single chunk" and "Authenticating requests: using query parameters", API reference.
func TestSignatureExamples(t *testing.T) {
	const (
		credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
		empty      = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	)
	header := func(signed, signature, payload string, more ...string) []string {
		auth := "AWS4-HMAC-SHA256 Credential=" + credential + ",SignedHeaders=" + signed + ",Signature=" + signature
		return append(more, "Authorization", auth, "x-amz-date", "20130524T000000Z", "x-amz-content-sha256", payload)
	}
	presigned := "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + strings.ReplaceAll(credential, "/", "%2F") +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	for what, test := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		later              time.Duration
	}{
		"get": {"GET", "/test.txt", "", header("host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", empty, "Range", "bytes=0-9"), 206, 0},
		"another range": {"GET", "/test.txt", "", header("host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", empty, "Range", "bytes=0-8"), 403, 0},
		"put": {"PUT", "/test$file.text", "Welcome to Amazon S3.", header("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class", "REDUCED_REDUNDANCY"), 200, 0},
		"another body": {"PUT", "/test$file.text", "Welcome to Amazon S4.", header("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class", "REDUCED_REDUNDANCY"), 400, 0},
		"list": {"GET", "/?max-keys=2&prefix=J", "", header("host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", empty), 501, 0}, // version 1; without a key 403
		"presigned":         {"GET", presigned, "", nil, 200, 24 * time.Hour},
		"presigned, late":   {"GET", presigned, "", nil, 403, 24*time.Hour + time.Second},
		"presigned, longer": {"GET", strings.Replace(presigned, "86400", "86401", 1), "", nil, 403, 0},
		"unsigned":          {"GET", "/test.txt", "", nil, 403, 0},
		"unsigned x-amz":    {"GET", presigned, "", []string{"x-amz-request-payer", "requester"}, 403, 0},
	} {
		t.Run(what, func(t *testing.T) {
			s := fakes3.New()
			defer s.Close()
			s.Now = func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC).Add(test.later) }
			s.SetKey("AKIAIOSFODNN7EXAMPLE", fakes3.Key{Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"})
			s.CreateBucket("examplebucket").Put("test.txt", []byte("0123456789abc"), nil)
			status, _, text := do(t, s, test.method, "https://examplebucket.s3.amazonaws.com"+test.path, test.body, test.header...)
			if status != test.status {
				t.Errorf("status %d, want %d: %s", status, test.status, text)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	type key = fakes3.Key
	for what, test := range map[string]struct {
		key   key
		token string // that the client sends
		id    string // default: id
		skew  time.Duration
		want  string
	}{
		"right":        {key: key{Secret: "secret"}},
		"wrong secret": {key: key{Secret: "secrets"}, want: "SignatureDoesNotMatch"},
		"unknown":      {key: key{Secret: "secret"}, id: "id2", want: "InvalidAccessKeyId"},
		"token":        {key: key{Secret: "secret", SessionToken: "tok"}, token: "tok"},
		"no token":     {key: key{Secret: "secret", SessionToken: "tok"}, want: "InvalidAccessKeyId"},
		"wrong token":  {key: key{Secret: "secret", SessionToken: "tok"}, token: "tik", want: "InvalidToken"},
		"not expired":  {key: key{Secret: "secret", SessionToken: "tok", Expires: bubbleStart.Add(time.Second)}, token: "tok"},
		"expired":      {key: key{Secret: "secret", SessionToken: "tok", Expires: bubbleStart}, token: "tok", want: "ExpiredToken"},
		"a bit late":   {key: key{Secret: "secret"}, skew: 15 * time.Minute},
		"too late":     {key: key{Secret: "secret"}, skew: 15*time.Minute + time.Second, want: "RequestTimeTooSkewed"},
		"too early":    {key: key{Secret: "secret"}, skew: -15*time.Minute - time.Second, want: "RequestTimeTooSkewed"},
		"another day":  {key: key{Secret: "secret"}, skew: -time.Minute},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.Now = func() time.Time { return time.Now().Add(test.skew) }
				id := test.id
				if id == "" {
					id = "id"
				}
				s.SetKey("id", test.key)
				c := func() *s3.Client { // a new one: the SDK corrects its clock by answers
					return connect(s, func(o *s3.Options) {
						o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
							return aws.Credentials{AccessKeyID: id, SecretAccessKey: "secret", SessionToken: test.token}, nil
						})
					})
				}
				key := "a b/+%2F/ü~*'()!&=?"
				_, err := c().PutObject(t.Context(), &s3.PutObjectInput{
					Bucket: name, Key: &key, Body: strings.NewReader("x"), Metadata: map[string]string{"x": "a  b ,c"}, Tagging: ptr("a=b&c=d"),
				})
				if got := code(t, err); got != test.want {
					t.Fatalf("put: %q, want %q", got, test.want)
				}
				if _, stored := b.Bytes(key); stored != (test.want == "") {
					t.Errorf("stored: %v", stored)
				}
				_, err = c().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name, Prefix: ptr("a b/+%2F/ü~*")})
				if got := code(t, err); got != test.want {
					t.Errorf("list: %q, want %q", got, test.want)
				}
			})
		})
	}
}

func TestRegion(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		s.Region = "eu-west-1"
		s.SetKey("id", fakes3.Key{Secret: "secret"})
		status, _, text := do(t, s, "GET", presign(t, connect(s), "k", time.Minute), "")
		if status != http.StatusBadRequest || !strings.Contains(text, "<Region>eu-west-1</Region>") {
			t.Errorf("%d %s", status, text)
		}
	})
}

func presign(t *testing.T, c *s3.Client, key string, expires time.Duration) string {
	t.Helper()
	r, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: name, Key: &key, ResponseContentDisposition: ptr("attachment; filename=x"),
	}, s3.WithPresignExpires(expires))
	check(t, err)
	return r.URL
}

func TestPresigned(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		s.SetKey("id", fakes3.Key{Secret: "secret"})
		b.Put("a b/ü", []byte("hello"), nil)
		c := connect(s)
		link := presign(t, c, "a b/ü", time.Minute)
		status, header, text := do(t, s, "GET", link, "")
		if status != 200 || text != "hello" || header.Get("Content-Disposition") != "attachment; filename=x" {
			t.Errorf("%d %q %v", status, text, header)
		}
		if status, _, text := do(t, s, "GET", strings.Replace(link, "filename", "fakename", 1), ""); status != 403 {
			t.Errorf("another file name: %d %s", status, text)
		}
		time.Sleep(time.Minute + time.Second)
		if status, _, text := do(t, s, "GET", link, ""); status != 403 || !strings.Contains(text, "Request has expired") {
			t.Errorf("late: %d %s", status, text)
		}
	})
}

// A proxy that changes a signed header breaks the signature (aws/aws-sdk-go-v2#1816).
func TestRewrittenHeader(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		s.SetKey("id", fakes3.Key{Secret: "secret"})
		s.Rewrite = func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") }
		_, err := connect(s).PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("k"), Body: bytes.NewReader(nil)})
		if got := code(t, err); got != "SignatureDoesNotMatch" {
			t.Errorf("got %q", got)
		}
	})
}

// Signatures that are not ones. None may be taken.
func TestMalformed(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=id/20000101/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=00"
	presigned := func(change ...string) string {
		return "?" + strings.NewReplacer(change...).Replace("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=id/20000101/us-east-1/s3/aws4_request"+
			"&X-Amz-Date=20000101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00")
	}
	for what, test := range map[string]struct {
		query, auth, code string
		header            []string
	}{
		"wrong":          {"", good, "SignatureDoesNotMatch", nil},
		"version 2":      {"", "AWS id:00", "InvalidRequest", nil},
		"no scope":       {"", strings.Replace(good, "/s3/", "/", 1), "AuthorizationHeaderMalformed", nil},
		"service":        {"", strings.Replace(good, "/s3/", "/sts/", 1), "AuthorizationHeaderMalformed", nil},
		"day":            {"", strings.Replace(good, "/20000101/", "/20000102/", 1), "AuthorizationHeaderMalformed", nil},
		"no signature":   {"", strings.Replace(good, "Signature=00", "", 1), "AuthorizationHeaderMalformed", nil},
		"no host":        {"", strings.Replace(good, "host;", "", 1), "AccessDenied", nil},
		"no date":        {"", good, "AccessDenied", []string{"x-amz-date", "now"}},
		"no payload":     {"", good, "InvalidRequest", []string{"x-amz-content-sha256", ""}},
		"both":           {presigned(), good, "InvalidArgument", nil},
		"query":          {presigned(), "", "SignatureDoesNotMatch", nil},
		"query expires":  {presigned("=60", "=604801"), "", "AuthorizationQueryParametersError", nil},
		"query date":     {presigned("20000101T", "2000T"), "", "AuthorizationQueryParametersError", nil},
		"query future":   {presigned("20000101T000000Z", "20000101T001501Z"), "", "AccessDenied", nil},
		"query algo":     {presigned("-SHA256", "-MD5"), "", "AuthorizationQueryParametersError", nil},
		"query scope":    {presigned("/s3/", "/"), "", "AuthorizationQueryParametersError", nil},
		"query unsigned": {presigned("SignedHeaders=host", "SignedHeaders="), "", "AccessDenied", nil},
	} {
		bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
			s.SetKey("id", fakes3.Key{Secret: "secret"})
			var header []string
			if test.auth != "" {
				header = append([]string{"Authorization", test.auth, "x-amz-date", "20000101T000000Z", "x-amz-content-sha256", "UNSIGNED-PAYLOAD"}, test.header...)
			}
			status, _, text := do(t, s, "PUT", host+"k"+test.query, "x", header...)
			if codeOf(text) != test.code {
				t.Errorf("%s: %d %s, want %s", what, status, text, test.code)
			}
		})
	}
}
