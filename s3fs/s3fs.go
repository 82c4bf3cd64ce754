// Package s3fs is a volume in a bucket of Amazon S3, or of a store that speaks its
// protocol. docs/S3.md says what each provider needs.
//
// It needs four permissions: s3:PutObject, s3:GetObject, s3:DeleteObject and
// s3:ListBucket. It holds a fixed number of parts in memory, whatever the length of
// the stream, and writes no file.
//
// What belongs here is how a storage.Volume becomes requests, and how their failures
// become errors. What is stored, and under which names, belongs to the root package.
package s3fs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/storage"
)

// Volume is a volume in a bucket. It has every capability of package storage. Its methods may be called
// concurrently; each Put takes Options.Concurrency+1 parts of memory, PutHead one more.
type Volume struct {
	bucket  string
	prefix  string   // of every key; empty, or ends in a slash
	o       *Options // resolved
	c       *clients
	buffers sync.Pool   // of *[]byte, one part each
	reached atomic.Bool // the store has answered once
	probe   probe
}

var (
	_ storage.Volume          = (*Volume)(nil)
	_ storage.ExclusivePutter = (*Volume)(nil)
	_ storage.HeadPutter      = (*Volume)(nil)
	_ storage.Presigner       = (*Volume)(nil)
	_ storage.SizeLimiter     = (*Volume)(nil)
	_ storage.Sweeper         = (*Volume)(nil)
)

// Open returns the volume in a bucket, which must exist. It reads the shared configuration files, and makes no request:
// that the bucket can be used is seen by the first operation, or by backup.Check. Options that cannot work
// are all named in one error.
func Open(ctx context.Context, bucket string, opts *Options) (*Volume, error) {
	if opts == nil {
		opts = new(Options)
	}
	o, err := opts.resolve()
	if err := errors.Join(checkBucket(bucket), err); err != nil {
		return nil, &storage.Error{Op: "open", Volume: "s3://" + bucket, Err: err}
	}
	v := &Volume{bucket: bucket, o: o}
	if o.Prefix != "" {
		v.prefix = o.Prefix + "/"
	}
	v.buffers.New = func() any { b := make([]byte, o.PartSize); return &b }
	v.probe.turn = make(chan struct{}, 1)
	if v.c, err = newClients(ctx, o); err != nil {
		return nil, v.error("open", "", err)
	}
	return v, nil
}

// Close lets go of idle connections. The volume is not to be used while it runs; later use opens new ones.
func (v *Volume) Close() error {
	v.c.closeIdle()
	return nil
}

// String is the volume's URL, s3://bucket/prefix.
func (v *Volume) String() string { return "s3://" + strings.TrimSuffix(v.bucket+"/"+v.prefix, "/") }

// Options returns what is in effect: every default is filled in. Its String says where each value is from.
func (v *Volume) Options() *Options {
	o := *v.o
	o.Tags, o.origins = maps.Clone(o.Tags), maps.Clone(o.origins)
	return &o
}

// MaxObjectSize implements storage.SizeLimiter: PartSize times MaxParts, at most 5 TiB.
func (v *Volume) MaxObjectSize() int64 { return min(v.o.PartSize*int64(v.o.MaxParts), maxObject) }

// maxObject is what every version of the S3 protocol allowed.
const maxObject = 5 << 40

// Stat implements storage.Volume.
func (v *Volume) Stat(ctx context.Context, name string) (storage.Object, error) {
	if err := v.check("stat", name); err != nil {
		return storage.Object{}, err
	}
	h, err := v.head(ctx, name)
	return h.Object, v.error("stat", name, err)
}

// head is what a HEAD request tells.
type head struct {
	storage.Object
	token  string // of the Put that stored it
	sha256 string // of the parts, where the store keeps it
}

func (v *Volume) head(ctx context.Context, name string) (h head, err error) {
	err = v.request(ctx, func(ctx context.Context) (err error) {
		h, err = v.headOnce(ctx, name)
		return err
	})
	return h, err
}

func (v *Volume) headOnce(ctx context.Context, name string) (head, error) {
	in := &s3.HeadObjectInput{Bucket: &v.bucket, Key: v.key(name)}
	if v.o.Checksum != ChecksumNone {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	out, err := v.c.s3.HeadObject(ctx, in)
	if err != nil {
		return head{}, err
	}
	if out.ContentLength == nil || out.LastModified == nil {
		return head{}, fmt.Errorf("%w: the answer to HeadObject lacks the size or the time", errAnswer)
	}
	return head{
		Object: storage.Object{Name: name, Size: *out.ContentLength, ModTime: *out.LastModified, ETag: unquote(out.ETag)},
		token:  out.Metadata[tokenKey],
		sha256: aws.ToString(out.ChecksumSHA256),
	}, nil
}

// Delete implements storage.Volume. In a bucket with versions the object gets a delete marker; a lifecycle rule removes its versions.
func (v *Volume) Delete(ctx context.Context, name string) error {
	if err := v.check("delete", name); err != nil {
		return err
	}
	err := v.request(ctx, func(ctx context.Context) error {
		_, err := v.c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &v.bucket, Key: v.key(name)})
		return err
	})
	if errors.Is(err, storage.ErrNotExist) {
		err = nil
	}
	return v.error("delete", name, err)
}

// key is where the object of that name is in the bucket.
func (v *Volume) key(name string) *string { return aws.String(v.prefix + name) }

// tokenKey is the user metadata that tells which Put stored an object.
const tokenKey = "databasement-put"

// newToken is never the same twice.
func newToken() string { return rand.Text() }

// unquote takes off what the protocol puts around an ETag.
func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

// pause waits, or fails with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
