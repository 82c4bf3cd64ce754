package s3

import (
	"bytes"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
)

// The servers themselves, with the second client alone: when this fails, the other tests mean nothing.
func TestServers(t *testing.T) {
	for name, config := range map[string]*shared{"plain": plain, "tls": tls, "versitygw": gateway} {
		t.Run(name, func(t *testing.T) {
			s := config.get(t)
			bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
			want := []byte("what minio-go wrote")
			if _, err := s.client(t).PutObject(t.Context(), bucket, "a/b", bytes.NewReader(want), int64(len(want)), miniogo.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			if got := s.read(t, bucket, "a/b"); !bytes.Equal(got, want) {
				t.Errorf("read %q, want %q", got, want)
			}
		})
	}
}
