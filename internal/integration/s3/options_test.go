package s3

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/s3fs"
)

// attributes are options that ask the store for something, and what the second client then finds.
var attributes = []struct {
	name  string
	set   func(*s3fs.Options)
	found func(t *testing.T, c *miniogo.Client, bucket, key string) string
	want  string
}{
	{"tags", func(o *s3fs.Options) { o.Tags = map[string]string{"team": "data and more", "tier": "gold"} }, tags, "team=data+and+more&tier=gold"},
	{"checksum", func(o *s3fs.Options) { o.Checksum = s3fs.ChecksumSHA256 }, checksum, "SHA256"},
	{"storage class", func(o *s3fs.Options) { o.StorageClass = "REDUCED_REDUNDANCY" }, header("X-Amz-Storage-Class"), "REDUCED_REDUNDANCY"},
	{"SSE-S3", func(o *s3fs.Options) { o.SSE = s3fs.SSES3 }, header("X-Amz-Server-Side-Encryption"), "AES256"},
	{"SSE-KMS", func(o *s3fs.Options) { o.SSE, o.SSEKMSKeyID = s3fs.SSEKMS, "tests" }, header("X-Amz-Server-Side-Encryption"), "aws:kms"},
}

func tags(t *testing.T, c *miniogo.Client, bucket, key string) string {
	got, err := c.GetObjectTagging(t.Context(), bucket, key, miniogo.GetObjectTaggingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got.String()
}

func checksum(t *testing.T, c *miniogo.Client, bucket, key string) string {
	o, err := c.StatObject(t.Context(), bucket, key, miniogo.StatObjectOptions{Checksum: true})
	if err != nil {
		t.Fatal(err)
	}
	if o.ChecksumSHA256 == "" {
		return ""
	}
	return "SHA256"
}

func header(name string) func(*testing.T, *miniogo.Client, string, string) string {
	return func(t *testing.T, c *miniogo.Client, bucket, key string) string {
		o, err := c.StatObject(t.Context(), bucket, key, miniogo.StatObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return o.Metadata.Get(name)
	}
}

// gatewayIgnores is what versitygw 1.8.0 takes without an error and does not do, and what the second client finds instead.
var gatewayIgnores = map[string]string{
	"storage class": "STANDARD", // it has one
	"SSE-S3":        "",         // it does not encrypt
	"SSE-KMS":       "",
}

// What the options ask for is what the second client finds, on small objects and on those in parts.
func TestAttributes(t *testing.T) {
	for name, server := range servers {
		for _, a := range attributes {
			t.Run(name+" "+a.name, func(t *testing.T) {
				s := server.get(t)
				bucket, opts := s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
				a.set(opts)
				v, want := open(t, bucket, opts), a.want
				if instead, ok := gatewayIgnores[a.name]; ok && name == "versitygw" {
					want = instead
				}
				for key, size := range map[string]int64{"small": 10, "parts": 9 * mib} {
					data, _ := io.ReadAll(dump(3, size))
					if _, err := v.Put(t.Context(), key, bytes.NewReader(data)); err != nil {
						t.Fatal(err)
					}
					if got := a.found(t, s.client(t), bucket, key); got != want {
						t.Errorf("%s: found %q, want %q", key, got, want)
					}
					if got, _ := get(t, v, key); !bytes.Equal(got, data) {
						t.Errorf("%s: read other bytes", key)
					}
				}
			})
		}
	}
}

// versitygw has no STS: a role cannot be assumed there, and that is said at once.
func TestGatewayHasNoSTS(t *testing.T) {
	s := gateway.get(t)
	opts := s.options()
	opts.RoleARN, opts.STSEndpoint = "arn:aws:iam::000000000000:role/backup", s.endpoint
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := open(t, "test-any", opts).Put(ctx, "x", strings.NewReader("x"))
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), opts.RoleARN) {
		t.Errorf("Put = %v, want an error that names the role", err)
	}
}
