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
			s.write(t, bucket, "a/b", want)
			if got := s.read(t, bucket, "a/b"); !bytes.Equal(got, want) {
				t.Errorf("read %q, want %q", got, want)
			}
		})
	}
}
