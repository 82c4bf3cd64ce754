package s3

import (
	"bytes"
	"io"
	"net/url"
	"slices"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// What the second client does to a store, and what it finds there.

// client is minio-go as administrator: the second client, which shares no code with s3fs.
func (s *store) client(t *testing.T) *miniogo.Client {
	t.Helper()
	u, err := url.Parse(s.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c, err := miniogo.New(u.Host, &miniogo.Options{
		Creds: credentials.NewStaticV4(s.accessKey, s.secretKey, ""), Secure: u.Scheme == "https", Transport: s.http, Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts an object.
func (s *store) write(t *testing.T, bucket, key string, data []byte) {
	t.Helper()
	_, err := s.client(t).PutObject(t.Context(), bucket, key, bytes.NewReader(data), int64(len(data)), miniogo.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// read is what an object holds.
func (s *store) read(t *testing.T, bucket, key string) []byte {
	t.Helper()
	r, err := s.client(t).GetObject(t.Context(), bucket, key, miniogo.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// keys are the objects in a bucket.
func (s *store) keys(t *testing.T, bucket string) (keys []string) {
	t.Helper()
	for o := range s.client(t).ListObjects(t.Context(), bucket, miniogo.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

// versions counts what there is of an object, and the markers that hide it.
func (s *store) versions(t *testing.T, bucket, key string) (versions, markers int) {
	t.Helper()
	for o := range s.client(t).ListObjects(t.Context(), bucket, miniogo.ListObjectsOptions{Prefix: key, WithVersions: true}) {
		switch {
		case o.Err != nil:
			t.Fatal(o.Err)
		case o.IsDeleteMarker:
			markers++
		default:
			versions++
		}
	}
	return versions, markers
}

// unfinished counts uploads in parts that were begun and did not end.
func (s *store) unfinished(t *testing.T, bucket string) (n int) {
	t.Helper()
	for u := range s.client(t).ListIncompleteUploads(t.Context(), bucket, "", true) {
		if u.Err != nil {
			t.Fatal(u.Err)
		}
		n++
	}
	return n
}
