package s3

import (
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"

	"github.com/databasement/backup/internal/integration/minio"
	"github.com/databasement/backup/s3fs"
)

// place is where a whole suite runs: a bucket, and the options to reach it.
type place struct {
	name string
	make func(t *testing.T) (s *store, bucket string, opts *s3fs.Options)
}

// places are all where backups must work.
var places = []place{
	{"plain", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := plain.get(t)
		return s, s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	}},
	{"tls", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := tls.get(t)
		t.Setenv("AWS_CA_BUNDLE", s.caFile)
		return s, s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	}},
	{"versioned", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := plain.get(t)
		bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
		if err := s.client(t).EnableVersioning(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		return s, bucket, s.options()
	}},
	{"locked", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := plain.get(t)
		opts := s.options()
		opts.ObjectLock = s3fs.ObjectLock{Mode: "GOVERNANCE", For: time.Hour}
		return s, s.newBucket(t, miniogo.MakeBucketOptions{ObjectLocking: true}), opts
	}},
	{"restricted", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := plain.get(t)
		bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
		opts := s.options()
		opts.AccessKeyID, opts.SecretAccessKey = s.newUser(t, bucket, four...)
		return s, bucket, opts
	}},
	{"role", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := plain.get(t)
		bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
		opts := s.options()
		opts.AccessKeyID, opts.SecretAccessKey = s.newUser(t, bucket, four...)
		opts.RoleARN, opts.STSEndpoint = "arn:aws:iam::000000000000:role/backup", s.endpoint // MinIO ignores the ARN: PITFALLS 35
		return s, bucket, opts
	}},
	{"versitygw", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := gateway.get(t)
		return s, s.newBucket(t, miniogo.MakeBucketOptions{}), s.options()
	}},
	{"versitygw restricted", func(t *testing.T) (*store, string, *s3fs.Options) {
		s := gateway.get(t)
		bucket := s.newBucket(t, miniogo.MakeBucketOptions{})
		opts := s.options()
		opts.AccessKeyID, opts.SecretAccessKey = s.newUser(t, bucket, four...)
		return s, bucket, opts
	}},
}

// four are all the permissions that backups need.
var four = []string{"s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket"}

// newUser makes a user who may do these actions in the bucket, and nothing else.
func (s *store) newUser(t *testing.T, bucket string, actions ...string) (accessKey, secretKey string) {
	t.Helper()
	accessKey, secretKey = "user-"+rand.Text(), rand.Text()
	statement := map[string]any{
		"Effect": "Allow", "Action": actions, "Resource": []string{"arn:aws:s3:::" + bucket, "arn:aws:s3:::" + bucket + "/*"},
	}
	if s.gateway != nil { // it has policies of buckets
		statement["Principal"] = map[string]string{"AWS": accessKey}
	}
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	if err != nil {
		t.Fatal(err)
	}
	if s.minio != nil {
		err = s.minio.AddUser(t.Context(), minio.User{AccessKey: accessKey, SecretKey: secretKey, Policy: string(policy)})
	} else if err = s.gateway.AddUser(t.Context(), accessKey, secretKey); err == nil {
		err = s.client(t).SetBucketPolicy(t.Context(), bucket, string(policy))
	}
	if err != nil {
		t.Fatal(err)
	}
	return accessKey, secretKey
}
