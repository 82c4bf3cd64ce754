package s3fs

import (
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// attributes are the fields in which PutObject and CreateMultipartUpload, which begin an object, say how to keep it.
type attributes struct {
	class     *types.StorageClass
	sse       *types.ServerSideEncryption
	kmsKey    **string
	lock      *types.ObjectLockMode
	lockUntil **time.Time
	tags      **string
}

// fill sets those that the options ask for. What only tries the store is not locked: it is to be removed again.
func (o *Options) fill(name string, a attributes, now time.Time) {
	*a.class = types.StorageClass(o.StorageClass)
	*a.sse = types.ServerSideEncryption(o.SSE)
	if o.SSEKMSKeyID != "" {
		*a.kmsKey = &o.SSEKMSKeyID
	}
	if o.ObjectLock.Mode != "" && !strings.HasPrefix(name, probeDir) {
		*a.lock = types.ObjectLockMode(o.ObjectLock.Mode)
		*a.lockUntil = aws.Time(now.Add(o.ObjectLock.For).UTC().Truncate(time.Second))
	}
	if len(o.Tags) > 0 {
		tags := url.Values{}
		for k, v := range o.Tags {
			tags.Set(k, v)
		}
		*a.tags = aws.String(tags.Encode())
	}
}
