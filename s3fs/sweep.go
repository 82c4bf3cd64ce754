package s3fs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// SweepUnfinished implements storage.Sweeper: it aborts uploads to objects of this library's snapshots, which their names
// tell, and removes what a died probe left. Other programs' uploads in the same bucket stay.
//
// It needs s3:ListBucketMultipartUploads and s3:AbortMultipartUpload. Without them, the error satisfies
// storage.ErrPermission, and a lifecycle rule with AbortIncompleteMultipartUpload does the same.
func (v *Volume) SweepUnfinished(ctx context.Context, before time.Time) (removed int, err error) {
	if err := v.sweepProbes(ctx, before); err != nil {
		return 0, v.error("sweep", "", err)
	}
	uploads, err := v.unfinished(ctx)
	for _, u := range uploads {
		if err != nil {
			break
		}
		if u.Initiated == nil || !u.Initiated.Before(before) {
			continue
		}
		err = v.request(ctx, func(ctx context.Context) error {
			_, err := v.c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &v.bucket, Key: u.Key, UploadId: u.UploadId})
			return err
		})
		if answerOf(err).code == "NoSuchUpload" {
			err = nil // it has ended meanwhile
			continue
		}
		if err == nil {
			removed++
		}
	}
	if errors.Is(err, storage.ErrPermission) {
		err = fmt.Errorf("%w; without that permission let a lifecycle rule with AbortIncompleteMultipartUpload remove unfinished uploads after 7 days", err)
	}
	return removed, v.error("sweep", "", err)
}

// unfinished lists the library's own uploads below the prefix, all or none. It asks for those of the whole bucket:
// MinIO has none for a prefix that is not an object's whole name.
func (v *Volume) unfinished(ctx context.Context) (own []types.MultipartUpload, err error) {
	in := &s3.ListMultipartUploadsInput{Bucket: &v.bucket, EncodingType: types.EncodingTypeUrl}
	seen := map[[2]string]bool{} // markers
	for {
		var out *s3.ListMultipartUploadsOutput
		err := v.request(ctx, func(ctx context.Context) (err error) {
			if out, err = v.c.s3.ListMultipartUploads(ctx, in); err == nil {
				err = checkListing(out.IsTruncated)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		encoded := out.EncodingType == types.EncodingTypeUrl
		for _, u := range out.Uploads {
			if key, err := decode(u.Key, encoded); err == nil && v.own(key) && u.UploadId != nil {
				u.Key = &key
				own = append(own, u)
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return own, nil
		}
		next, err := decode(out.NextKeyMarker, encoded)
		if err != nil {
			return nil, err
		}
		marker := [2]string{next, aws.ToString(out.NextUploadIdMarker)}
		switch {
		case next == "":
			return nil, errors.New("the store says that the list of unfinished uploads goes on, and not where")
		case seen[marker]:
			return nil, errors.New("the store gives the same page of unfinished uploads again")
		}
		seen[marker] = true
		in.KeyMarker, in.UploadIdMarker = &next, out.NextUploadIdMarker
	}
}

func decode(key *string, encoded bool) (string, error) {
	if !encoded {
		return aws.ToString(key), nil
	}
	return url.QueryUnescape(aws.ToString(key))
}

// own reports whether the key is one of this library's.
func (v *Volume) own(key string) bool {
	name, below := strings.CutPrefix(key, v.prefix)
	if !below {
		return false
	}
	_, _, _, parsed := layout.Parse(name)
	return parsed || strings.HasPrefix(name, probeDir)
}

func (v *Volume) sweepProbes(ctx context.Context, before time.Time) error {
	for o, err := range v.list(ctx, probeDir) {
		if err != nil {
			return err
		}
		if o.ModTime.Before(before) {
			if err := v.Delete(ctx, o.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
