package fakes3_test

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/databasement/backup/internal/fakes3"
)

const host = "https://fake.test/bucket/"

// resolve is target's address, from that of the bucket.
func resolve(t *testing.T, target string) string {
	t.Helper()
	base, err := url.Parse(host)
	check(t, err)
	u, err := base.Parse(target)
	check(t, err)
	return u.String()
}

// What AWS refuses.
func TestStrict(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for what, test := range map[string]struct {
		method, target, body string
		header               []string
		status               int
		code                 string
	}{
		"no bucket":      {"PUT", "/bukket/k", "x", nil, 404, "NoSuchBucket"},
		"no key":         {"GET", "absent", "", nil, 404, "NoSuchKey"},
		"long key":       {"PUT", strings.Repeat("k", 1025), "x", nil, 400, "KeyTooLongError"},
		"subresource":    {"PUT", "k?tagging", "x", nil, 501, "NotImplemented"},
		"copy":           {"PUT", "k", "", []string{"x-amz-copy-source", "bucket/k"}, 501, "NotImplemented"},
		"sha256":         {"PUT", "k", "x", []string{"x-amz-content-sha256", strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		"no sha256":      {"PUT", "k", "x", []string{"x-amz-content-sha256", "x"}, 400, "InvalidArgument"},
		"md5":            {"PUT", "k", "x", []string{"Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="}, 400, "BadDigest"},
		"no md5":         {"PUT", "k", "x", []string{"Content-MD5", "1B2M"}, 400, "InvalidDigest"},
		"crc32":          {"PUT", "k", "x", []string{"x-amz-checksum-crc32", "AAAAAA=="}, 400, "BadDigest"},
		"no crc32":       {"PUT", "k", "x", []string{"x-amz-checksum-crc32", "AAAA"}, 400, "InvalidRequest"},
		"two checksums":  {"PUT", "k", "x", []string{"x-amz-checksum-crc32", "AAAAAA==", "x-amz-checksum-crc32c", "AAAAAA=="}, 400, "InvalidRequest"},
		"class":          {"PUT", "k", "x", []string{"x-amz-storage-class", "COLD"}, 400, "InvalidStorageClass"},
		"encryption":     {"PUT", "k", "x", []string{"x-amz-server-side-encryption", "rot13"}, 400, "InvalidArgument"},
		"key without":    {"PUT", "k", "x", []string{"x-amz-server-side-encryption-aws-kms-key-id", "id"}, 400, "InvalidArgument"},
		"tags":           {"PUT", "k", "x", []string{"x-amz-tagging", "1&2&3&4&5&6&7&8&9&10&11"}, 400, "BadRequest"},
		"tag":            {"PUT", "k", "x", []string{"x-amz-tagging", "a=" + long}, 400, "InvalidTag"},
		"same tag":       {"PUT", "k", "x", []string{"x-amz-tagging", "a=1&a=2"}, 400, "InvalidTag"},
		"metadata":       {"PUT", "k", "x", []string{"x-amz-meta-a", long, "x-amz-meta-b", long}, 400, "MetadataTooLarge"},
		"lock":           {"PUT", "k", "x", []string{"x-amz-object-lock-legal-hold", "ON"}, 400, "InvalidRequest"},
		"condition":      {"PUT", "k", "x", []string{"If-None-Match", `"etag"`}, 501, "NotImplemented"},
		"if absent":      {"PUT", "there", "x", []string{"If-None-Match", "*"}, 412, "PreconditionFailed"},
		"if match":       {"GET", "there", "", []string{"If-Match", `"other"`}, 412, "PreconditionFailed"},
		"archived":       {"GET", "cold", "", nil, 403, "InvalidObjectState"},
		"range":          {"GET", "there", "", []string{"Range", "bytes=5-"}, 416, "InvalidRange"},
		"empty":          {"GET", "empty", "", []string{"Range", "bytes=0-"}, 416, "InvalidRange"},
		"list version 1": {"GET", "", "", nil, 501, "NotImplemented"},
		"page":           {"GET", "?list-type=2&max-keys=-1", "", nil, 400, "InvalidArgument"},
		"token":          {"GET", "?list-type=2&continuation-token=there", "", nil, 400, "InvalidArgument"},
		"encoding":       {"GET", "?list-type=2&encoding-type=xml", "", nil, 400, "InvalidArgument"},
		"part 0":         {"PUT", "k?uploadId=x&partNumber=0", "x", nil, 400, "InvalidArgument"},
		"part 10001":     {"PUT", "k?uploadId=x&partNumber=10001", "x", nil, 400, "InvalidArgument"},
		"no upload":      {"PUT", "k?uploadId=x&partNumber=1", "x", nil, 404, "NoSuchUpload"},
		"abort nothing":  {"DELETE", "k?uploadId=x", "", nil, 404, "NoSuchUpload"},
		"list nothing":   {"GET", "k?uploadId=x", "", nil, 404, "NoSuchUpload"},
		"complete":       {"POST", "k?uploadId=x", "<CompleteMultipartUpload/>", nil, 400, "MalformedXML"},
		"not XML":        {"POST", "k?uploadId=x", "<Comp", nil, 400, "MalformedXML"},
		"algorithm":      {"POST", "k?uploads", "", []string{"x-amz-checksum-algorithm", "MD4"}, 400, "InvalidRequest"},
		"signed chunks":  {"PUT", "k", "x", []string{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, 501, "NotImplemented"},
		"bad chunks":     {"PUT", "k", "9\r\nx\r\n0\r\n\r\n", []string{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, 400, "IncompleteBody"},
		"no trailer": {"PUT", "k", "1\r\nx\r\n0\r\n\r\n", []string{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
			"x-amz-decoded-content-length", "1", "x-amz-trailer", "x-amz-checksum-crc32"}, 400, "MalformedTrailerError"},
		"wrong trailer": {"PUT", "k", "1\r\nx\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", []string{"x-amz-content-sha256",
			"STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length", "1", "x-amz-trailer", "x-amz-checksum-crc32"}, 400, "BadDigest"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				b.Put("there", []byte("12345"), nil)
				b.Put("empty", nil, nil)
				do(t, s, "PUT", host+"cold", "x", "x-amz-storage-class", "GLACIER")
				status, _, text := do(t, s, test.method, resolve(t, test.target), test.body, test.header...)
				if status != test.status || codeOf(text) != test.code {
					t.Errorf("%d %s, want %d %s", status, text, test.status, test.code)
				}
				if n := len(b.Objects()); n != 3 {
					t.Errorf("%d objects, want 3", n)
				}
				if status, h, text := do(t, s, "HEAD", host+"absent", ""); status != 404 || text != "" || h.Get("Date") == "" {
					t.Errorf("HEAD: %d %q", status, text)
				}
			})
		})
	}
}

// A body without a length is refused.
func TestNoLength(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", host+"k", io.MultiReader(strings.NewReader("x")))
		check(t, err)
		resp, err := s.Client().Do(r)
		check(t, err)
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusLengthRequired {
			t.Error(resp.Status)
		}
	})
}

func TestRanges(t *testing.T) {
	for text, test := range map[string]struct {
		status        int
		body, content string
	}{
		"bytes=0-3":    {206, "0123", "bytes 0-3/10"},
		"bytes=9-":     {206, "9", "bytes 9-9/10"},
		"bytes=8-99":   {206, "89", "bytes 8-9/10"},
		"bytes=-3":     {206, "789", "bytes 7-9/10"},
		"bytes=-30":    {206, "0123456789", "bytes 0-9/10"},
		"bytes=4-3":    {200, "0123456789", ""},
		"bytes=1-2,4-": {200, "0123456789", ""},
		"lines=1-2":    {200, "0123456789", ""},
	} {
		for framing, length := range map[fakes3.Framing]int64{fakes3.Length: int64(len(test.body)), fakes3.Chunked: -1, fakes3.Closing: -1} {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.Framing = framing
				b.Put("k", []byte("0123456789"), map[string]string{"a": "b"})
				r, err := http.NewRequestWithContext(t.Context(), "GET", host+"k", nil)
				check(t, err)
				r.Header.Set("Range", text)
				resp, err := s.Client().Do(r)
				check(t, err)
				defer resp.Body.Close()
				data, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode != test.status || string(data) != test.body || resp.Header.Get("Content-Range") != test.content {
					t.Errorf("%s, framing %d: %s %q %q %v", text, framing, resp.Status, data, resp.Header, err)
				}
				if resp.ContentLength != length || resp.Header.Get("X-Amz-Meta-A") != "b" {
					t.Errorf("%s, framing %d: length %d, %v", text, framing, resp.ContentLength, resp.Header)
				}
			})
		}
	}
}

// What an object is stored with comes back, from PutObject as from an upload in parts.
func TestAttributes(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		s.ObjectLock = true
		header := []string{
			"x-amz-meta-databasement-put", "1234", "Content-Type", "text/plain", "x-amz-storage-class", "STANDARD_IA", "x-amz-tagging", "a=1&b=2",
			"x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id", "id",
			"x-amz-object-lock-mode", "GOVERNANCE", "x-amz-object-lock-retain-until-date", "2000-01-02T00:00:00Z",
		}
		const sum = "ndTkYSaMgDT1yFZOFVxnpg==" // printf x | openssl md5 -binary | base64
		if status, _, text := do(t, s, "PUT", host+"put", "x", header...); status != 400 || codeOf(text) != "InvalidRequest" {
			t.Errorf("without MD5: %d %s", status, text)
		}
		status, h, _ := do(t, s, "PUT", host+"put", "x", append(header, "Content-MD5", sum)...)
		if status != 200 || h.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || h.Get("ETag") == `"9dd4e461268c8034f5c8564e155c67a6"` {
			t.Errorf("%d %v", status, h) // with KMS an ETag is not the MD5
		}
		_, _, text := do(t, s, "POST", host+"parts?uploads", "", header...)
		_, id, _ := strings.Cut(text, "<UploadId>")
		id, _, _ = strings.Cut(id, "<")
		if status, _, text := do(t, s, "PUT", host+"parts?partNumber=1&uploadId="+id, "x"); status != 400 {
			t.Errorf("part without MD5: %d %s", status, text)
		}
		_, h, _ = do(t, s, "PUT", host+"parts?partNumber=1&uploadId="+id, "x", "Content-MD5", sum)
		status, _, text = do(t, s, "POST", host+"parts?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+
			strings.ReplaceAll(h.Get("ETag"), `"`, "&quot;")+"</ETag></Part></CompleteMultipartUpload>")
		if status != 200 {
			t.Fatalf("%d %s", status, text)
		}
		for _, key := range []string{"put", "parts"} {
			_, h, _ := do(t, s, "HEAD", host+key, "")
			for i := 0; i < len(header); i += 2 {
				if got := h.Get(header[i]); got != header[i+1] && header[i] != "x-amz-tagging" {
					t.Errorf("%s: %s is %q", key, header[i], got)
				}
			}
			if h.Get("X-Amz-Tagging-Count") != "2" || b.Object(key).Header.Get("X-Amz-Tagging") != "a=1&b=2" || h.Get("Content-Length") != "1" {
				t.Errorf("%s: %v", key, h)
			}
		}
	})
}

func TestLock(t *testing.T) {
	for what, test := range map[string][]string{
		"mode alone": {"x-amz-object-lock-mode", "GOVERNANCE"},
		"date alone": {"x-amz-object-lock-retain-until-date", "2000-01-02T00:00:00Z"},
		"mode":       {"x-amz-object-lock-mode", "EASY", "x-amz-object-lock-retain-until-date", "2000-01-02T00:00:00Z"},
		"date":       {"x-amz-object-lock-mode", "GOVERNANCE", "x-amz-object-lock-retain-until-date", "tomorrow"},
		"past":       {"x-amz-object-lock-mode", "GOVERNANCE", "x-amz-object-lock-retain-until-date", "1999-12-31T00:00:00Z"},
		"hold":       {"x-amz-object-lock-legal-hold", "TIGHT"},
	} {
		bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
			s.ObjectLock = true
			status, _, text := do(t, s, "PUT", host+"k", "x", append(test, "Content-MD5", "ndTkYSaMgDT1yFZOFVxnpg==")...)
			if status != 400 || codeOf(text) != "InvalidArgument" {
				t.Errorf("%s: %d %s", what, status, text)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		s.Versioned = true
		c := connect(s)
		first := put(t, c, "k", "first")
		put(t, c, "k", "second")
		deleted, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: ptr("k")})
		check(t, err)
		if !*deleted.DeleteMarker || deleted.VersionId == nil || b.Object("k") != nil || b.Versions("k") != 3 {
			t.Errorf("%v, %d versions", deleted, b.Versions("k"))
		}
		_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: ptr("k")})
		if got := code(t, err); got != "NoSuchKey" {
			t.Error(got)
		}
		old, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: ptr("k"), VersionId: first.VersionId})
		check(t, err)
		if *old.ContentLength != 5 || *old.VersionId != *first.VersionId {
			t.Errorf("%d bytes", *old.ContentLength)
		}
		_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: ptr("k"), VersionId: deleted.VersionId})
		check(t, err)
		if data, _ := b.Bytes("k"); string(data) != "second" {
			t.Errorf("with its marker deleted, it is %q", data)
		}
	})
}

// Of many conditional Puts at once, one succeeds where the store can do it.
func TestConditional(t *testing.T) {
	for how, want := range map[fakes3.Conditional]map[string]int{
		fakes3.Exact:   {"": 1, "PreconditionFailed": 7},
		fakes3.Refused: {"NotImplemented": 8},
		fakes3.Ignored: {"": 8},
		fakes3.Racy:    {"": 8}, // later ones see the object, below
	} {
		bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
			s.Conditional = how
			c := connect(s)
			conditional := func() string {
				_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("k"), IfNoneMatch: ptr("*")})
				return code(t, err)
			}
			answers := make(chan string)
			for range 8 {
				go func() { answers <- conditional() }()
			}
			got := map[string]int{}
			for range 8 {
				got[<-answers]++
			}
			if !maps.Equal(got, want) {
				t.Errorf("%d: %v, want %v", how, got, want)
			}
			if later := conditional(); how == fakes3.Racy && later != "PreconditionFailed" {
				t.Errorf("racy: a later one is %q", later)
			}
		})
	}
}

func TestKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		b.Put("k", []byte("hello"), nil)
		c := connect(s)
		s.IgnoreRange = true
		if got, out := get(t, c, "k", "bytes=1-2"); got != "hello" || out.ContentRange != nil {
			t.Errorf("range ignored: %q", got)
		}
		s.Archived = true
		_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: name, Key: ptr("k")})
		if got := code(t, err); got != "InvalidObjectState" {
			t.Errorf("archived: %q", got)
		}
		s.Deny = map[string]bool{"ListObjectsV2": true, "PutObject": true}
		_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("new")})
		if got := code(t, err); got != "AccessDenied" || len(b.Objects()) != 1 {
			t.Errorf("denied: %q", got)
		}
		// A missing key is 403 without the permission to list (fsspec/s3fs#591).
		if status, _, _ := do(t, s, "HEAD", host+"absent", ""); status != 403 {
			t.Errorf("absent: %d", status)
		}
		s.Deny, s.RefuseTrailers = nil, true
		trailing := connect(s, func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported })
		_, err = trailing.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: ptr("new"), Body: strings.NewReader("x")})
		if got := code(t, err); got != "NotImplemented" {
			t.Errorf("trailers: %q", got)
		}
		var sealed []string
		s.Sealed = func(o *fakes3.Object) { sealed = append(sealed, o.Key) }
		put(t, c, "new", "x")
		if len(sealed) != 1 || sealed[0] != "new" {
			t.Errorf("sealed %q", sealed)
		}
	})
}
