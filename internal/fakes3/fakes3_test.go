package fakes3_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/databasement/backup/internal/fakes3"
)

var (
	ptr  = aws.String
	name = ptr("bucket")
)

// connect returns a client of s that does not retry and sends no trailers unless told otherwise.
func connect(s *fakes3.Server, options ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: ptr("https://fake.test"), HTTPClient: s.Client(), Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(credentials), UsePathStyle: true,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, options...)
}

// bubble runs test with a server, of which nothing may be left at its end, and fake time.
func bubble(t *testing.T, test func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := fakes3.New()
		defer s.Close()
		test(t, s, s.CreateBucket("bucket"))
	})
}

// code returns S3's error code, "" for nil.
func code(t *testing.T, err error) string {
	t.Helper()
	var e smithy.APIError
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("not an answer of S3: %v", err)
	}
	if err == nil {
		return ""
	}
	return e.ErrorCode()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// upload stores parts under key.
func upload(t *testing.T, c *s3.Client, key string, parts ...[]byte) (*s3.CompleteMultipartUploadOutput, error) {
	t.Helper()
	u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name, Key: &key})
	check(t, err)
	var done []types.CompletedPart
	for i, data := range parts {
		n := aws.Int32(int32(i + 1))
		p, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: name, Key: &key, UploadId: u.UploadId, PartNumber: n, Body: bytes.NewReader(data)})
		check(t, err)
		done = append(done, types.CompletedPart{PartNumber: n, ETag: p.ETag})
	}
	return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: name, Key: &key, UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
}

// get returns the contents of key, or of a part of it.
func get(t *testing.T, c *s3.Client, key, byteRange string) (string, *s3.GetObjectOutput) {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: name, Key: &key}
	if byteRange != "" {
		in.Range = &byteRange
	}
	out, err := c.GetObject(t.Context(), in)
	check(t, err)
	data, err := io.ReadAll(out.Body)
	check(t, errors.Join(err, out.Body.Close()))
	return string(data), out
}

func put(t *testing.T, c *s3.Client, key, data string) *s3.PutObjectOutput {
	t.Helper()
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: &key, Body: bytes.NewReader([]byte(data))})
	check(t, err)
	return out
}

func TestRoundTrip(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		for what, c := range map[string]*s3.Client{
			"path": connect(s), "host": connect(s, func(o *s3.Options) { o.UsePathStyle = false }),
			"http": connect(s, func(o *s3.Options) { o.BaseEndpoint = ptr("http://fake.test:9000") }),
		} {
			key := "a b/+%2F/ü~*'()!" + what
			put(t, c, key, "hello")
			if data, _ := b.Bytes(key); string(data) != "hello" {
				t.Fatalf("%s: stored %q", what, data)
			}
			if got, out := get(t, c, key, ""); got != "hello" || *out.ETag != `"5d41402abc4b2a76b9719d911017c592"` {
				t.Fatalf("%s: read %q, ETag %s", what, got, *out.ETag)
			}
			_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: name, Key: &key})
			check(t, err)
			if len(b.Objects()) != 0 {
				t.Fatalf("%s: not deleted", what)
			}
		}
	})
}

func TestMultipart(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		big, c := bytes.Repeat([]byte("x"), 5<<20), connect(s)
		done, err := upload(t, c, "k", big, []byte("end"))
		check(t, err)
		// md5(md5(part 1) ‖ md5(part 2))-2, computed with md5sum.
		if want := `"6d7c5fbffce55b2eb513ca823d7235b2-2"`; *done.ETag != want {
			t.Errorf("ETag %s, want %s", *done.ETag, want)
		}
		if data, _ := b.Bytes("k"); string(data) != string(big)+"end" {
			t.Errorf("%d bytes stored", len(data))
		}
		if left := b.Uploads(); len(left) != 0 {
			t.Errorf("%d uploads left", len(left))
		}
	})
}
