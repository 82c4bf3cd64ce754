package s3

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/internal/integration/minio"
)

// newBucket makes a bucket for one test, and removes it with all that is in it.
func newBucket(t *testing.T, server *minio.Server, opts miniogo.MakeBucketOptions) string {
	t.Helper()
	c := client(t, server)
	name := "test-" + strings.ToLower(rand.Text())
	if err := c.MakeBucket(t.Context(), name, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.RemoveBucketWithOptions(ctx, name, miniogo.RemoveBucketOptions{ForceDelete: true}); err != nil {
			t.Errorf("remove bucket %s: %v", name, err)
		}
	})
	return name
}

// client is minio-go as administrator: the second client, which shares no code with s3fs.
func client(t *testing.T, server *minio.Server) *miniogo.Client {
	t.Helper()
	c, err := server.Client("", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}
