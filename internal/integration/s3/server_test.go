package s3

import (
	"bytes"
	"io"
	"testing"

	miniogo "github.com/minio/minio-go/v7"
)

// The servers themselves, with the second client alone: when this fails, the other tests mean nothing.
func TestServers(t *testing.T) {
	for name, config := range map[string]*shared{"plain": plain, "tls": tls} {
		t.Run(name, func(t *testing.T) {
			server := config.get(t)
			c, bucket := client(t, server), newBucket(t, server, miniogo.MakeBucketOptions{})
			want := []byte("what minio-go wrote")
			if _, err := c.PutObject(t.Context(), bucket, "a/b", bytes.NewReader(want), int64(len(want)), miniogo.PutObjectOptions{}); err != nil {
				t.Fatal(err)
			}
			r, err := c.GetObject(t.Context(), bucket, "a/b", miniogo.GetObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %q, %v; want %q", got, err, want)
			}
		})
	}
}
