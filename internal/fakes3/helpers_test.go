package fakes3_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/databasement/backup/internal/fakes3"
)

var (
	ptr  = aws.String
	name = ptr("bucket")

	bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // when every synctest bubble begins
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

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
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

// do sends a request as it is, with header's names and values.
func do(t *testing.T, s *fakes3.Server, method, url, body string, header ...string) (status int, h http.Header, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	check(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(r)
	check(t, err)
	data, err := io.ReadAll(resp.Body)
	check(t, errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, resp.Header, string(data)
}

// codeOf returns the error code in an answer's XML.
func codeOf(text string) string {
	var e struct{ Code string }
	_ = xml.Unmarshal([]byte(text), &e)
	return e.Code
}

func put(t *testing.T, c *s3.Client, key, data string) *s3.PutObjectOutput {
	t.Helper()
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: name, Key: &key, Body: strings.NewReader(data)})
	check(t, err)
	return out
}

// get returns the contents of key, or of a range of it.
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

// begin begins an upload of parts and returns what completes it.
func begin(t *testing.T, c *s3.Client, key string, parts ...string) *s3.CompleteMultipartUploadInput {
	t.Helper()
	u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name, Key: &key})
	check(t, err)
	done := &types.CompletedMultipartUpload{}
	for i, data := range parts {
		n := aws.Int32(int32(i + 1))
		p, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: name, Key: &key, UploadId: u.UploadId, PartNumber: n, Body: bytes.NewReader([]byte(data)),
		})
		check(t, err)
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: n, ETag: p.ETag})
	}
	return &s3.CompleteMultipartUploadInput{Bucket: name, Key: &key, UploadId: u.UploadId, MultipartUpload: done}
}
