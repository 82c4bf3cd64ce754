package s3fs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/storage"
)

// List implements storage.Volume. Keys that no object of a volume can have, such as "dir/", are left out.
func (v *Volume) List(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		for o, err := range v.list(ctx, prefix) {
			if cause := ended(ctx); cause != nil {
				err = cause
			}
			if err != nil {
				yield(storage.Object{}, v.error("list", prefix, err))
				return
			}
			if strings.HasPrefix(o.Name, prefix) && !yield(o, nil) {
				return
			}
		}
	}
}

// list yields what begins with the prefix, and perhaps more.
func (v *Volume) list(ctx context.Context, prefix string) iter.Seq2[storage.Object, error] {
	return func(yield func(storage.Object, error) bool) {
		ask, possible := listable(prefix)
		if !possible {
			return
		}
		p := &pages{v: v, prefix: v.prefix + ask}
		for more := true; more; more = p.token != nil {
			objects, err := p.next(ctx)
			if err != nil {
				yield(storage.Object{}, err)
				return
			}
			for _, o := range objects {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// listable returns what to ask a store for that takes no prefix which looks like a path with gaps or dots, as MinIO
// does. Nothing can be named so, or it is among what the directory has.
func listable(prefix string) (ask string, possible bool) {
	i := strings.LastIndexByte(prefix, '/') + 1
	if i > 0 && storage.CheckName(prefix[:i-1]) != nil {
		return "", false
	}
	if last := prefix[i:]; last == "." || last == ".." {
		return prefix[:i], true
	}
	return prefix, true
}

// pages are the answers to one listing. One that stops early or goes in circles is an error: what is missing
// in a listing counts as deleted.
type pages struct {
	v      *Volume
	prefix string
	token  *string         // of the next page
	last   string          // key
	seen   map[string]bool // tokens since then: only empty pages can go in circles, as keys ascend
}

func (p *pages) next(ctx context.Context) (objects []storage.Object, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &p.v.bucket, Prefix: &p.prefix, EncodingType: types.EncodingTypeUrl, ContinuationToken: p.token}
	var out *s3.ListObjectsV2Output
	err = p.v.request(ctx, func(ctx context.Context) (err error) {
		if out, err = p.v.c.s3.ListObjectsV2(ctx, in); err == nil {
			err = checkListing(out.IsTruncated)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, o := range out.Contents {
		object, ok, err := p.object(o, out.EncodingType == types.EncodingTypeUrl)
		if err != nil {
			return nil, err
		}
		if ok {
			objects = append(objects, object)
		}
	}
	return objects, p.turn(out)
}

// checkListing refuses an answer that does not say whether it is truncated, as each page of a listing must. The SDK reads an
// empty body, or a web page from something between, as a listing without objects.
func checkListing(truncated *bool) error {
	if truncated == nil {
		return fmt.Errorf("%w: it is not a page of a listing", errAnswer)
	}
	return nil
}

// mostEmpty is how many pages in a row may have no key.
const mostEmpty = 1000

// turn finds the next page.
func (p *pages) turn(out *s3.ListObjectsV2Output) error {
	if len(out.Contents) > 0 || p.seen == nil {
		p.seen = map[string]bool{aws.ToString(p.token): true}
	}
	p.token = nil
	if !aws.ToBool(out.IsTruncated) {
		return nil
	}
	token := aws.ToString(out.NextContinuationToken)
	switch {
	case token == "":
		return errors.New("the store says that the listing goes on, and not where: what it has named is not all")
	case p.seen[token], len(p.seen) > mostEmpty:
		return errors.New("the store gives the same page of the listing again: what it has named is not all")
	}
	p.token, p.seen[token] = &token, true
	return nil
}

func (p *pages) object(o types.Object, encoded bool) (_ storage.Object, ok bool, err error) {
	key := aws.ToString(o.Key)
	if encoded {
		if key, err = url.QueryUnescape(key); err != nil {
			return storage.Object{}, false, fmt.Errorf("the store lists a key that cannot be decoded: %w", err)
		}
	}
	if !strings.HasPrefix(key, p.prefix) {
		return storage.Object{}, false, fmt.Errorf("the store lists the key %q, which does not begin with %q", key, p.prefix)
	}
	if p.last != "" && key <= p.last {
		return storage.Object{}, false, fmt.Errorf("the store lists the key %q after %q, out of order", key, p.last)
	}
	p.last = key
	name := strings.TrimPrefix(key, p.v.prefix)
	if storage.CheckName(name) != nil {
		return storage.Object{}, false, nil
	}
	if o.Size == nil || o.LastModified == nil {
		return storage.Object{}, false, fmt.Errorf("%w: the listing lacks the size or the time of %q", errAnswer, key)
	}
	return storage.Object{Name: name, Size: *o.Size, ModTime: *o.LastModified, ETag: unquote(o.ETag)}, true, nil
}
