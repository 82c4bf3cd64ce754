package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/internal/integration/minio"
	"github.com/databasement/backup/internal/integration/versitygw"
	"github.com/databasement/backup/s3fs"
)

// What all tests of this package share: one server for each configuration, started when the first test wants it.
var (
	plain   = &shared{start: minioStore(minio.Options{})}
	tls     = &shared{start: minioStore(minio.Options{TLS: true})}
	gateway = &shared{start: gatewayStore}
)

// servers are the implementations of S3.
var servers = map[string]*shared{"minio": plain, "versitygw": gateway}

// store is a server as tests see it, with an administrator's keys.
type store struct {
	endpoint             string
	accessKey, secretKey string
	caFile               string            // with TLS
	http                 http.RoundTripper // trusts the server
	minio                *minio.Server     // nil if it is another one
	gateway              *versitygw.Server // nil if it is another one
	stop                 func() error
}

// shared is a store that several tests use.
type shared struct {
	start func(context.Context) (*store, error)
	once  sync.Once
	store *store
	err   error
}

func (s *shared) get(t *testing.T) *store {
	t.Helper()
	s.once.Do(func() { s.store, s.err = s.start(context.Background()) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.store
}

// stop ends the store if there is one. How MinIO ran is printed, because it depends on the machine.
func (s *shared) stop() error {
	if s.store == nil {
		return nil
	}
	if s.store.minio != nil {
		fmt.Printf("minio: %v\n", s.store.minio)
	}
	return s.store.stop()
}

func minioStore(opts minio.Options) func(context.Context) (*store, error) {
	return func(ctx context.Context) (*store, error) {
		m, err := minio.Start(ctx, opts)
		if err != nil {
			return nil, err
		}
		return &store{m.Endpoint, m.AccessKey, m.SecretKey, m.CAFile, m.HTTPClient().Transport, m, nil, m.Stop}, nil
	}
}

func gatewayStore(ctx context.Context) (*store, error) {
	g, err := versitygw.Start(ctx)
	if err != nil {
		return nil, err
	}
	return &store{endpoint: g.Endpoint, accessKey: g.AccessKey, secretKey: g.SecretKey, http: &http.Transport{}, gateway: g, stop: g.Stop}, nil
}

// newBucket makes a bucket for one test, and removes it with all that is in it.
func (s *store) newBucket(t *testing.T, opts miniogo.MakeBucketOptions) string {
	t.Helper()
	c := s.client(t)
	name := "test-" + strings.ToLower(rand.Text())
	if err := c.MakeBucket(t.Context(), name, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := removeBucket(ctx, c, name); err != nil {
			t.Errorf("remove bucket %s: %v", name, err)
		}
	})
	return name
}

// removeBucket removes a bucket with all versions of its objects, locked ones too, and unfinished uploads.
func removeBucket(ctx context.Context, c *miniogo.Client, name string) error {
	var errs []error
	objects := c.ListObjects(ctx, name, miniogo.ListObjectsOptions{Recursive: true, WithVersions: true})
	for failed := range c.RemoveObjects(ctx, name, objects, miniogo.RemoveObjectsOptions{GovernanceBypass: true}) {
		errs = append(errs, failed.Err)
	}
	for u := range c.ListIncompleteUploads(ctx, name, "", true) {
		errs = append(errs, u.Err, c.RemoveIncompleteUpload(ctx, name, u.Key))
	}
	return errors.Join(append(errs, c.RemoveBucket(ctx, name))...)
}

// options are those of an administrator, without a prefix.
func (s *store) options() *s3fs.Options {
	return &s3fs.Options{Endpoint: s.endpoint, PathStyle: true, AccessKeyID: s.accessKey, SecretAccessKey: s.secretKey}
}

// open opens the volume in a bucket for one test.
func open(t *testing.T, bucket string, opts *s3fs.Options) *s3fs.Volume {
	t.Helper()
	v, err := s3fs.Open(t.Context(), bucket, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return v
}
