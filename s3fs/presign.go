package s3fs

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What the protocol allows: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ShareObjectPreSignedURL.html.
const (
	minExpires = time.Second
	maxExpires = 7 * 24 * time.Hour
)

// Presign implements storage.Presigner: a URL of Options.PublicEndpoint, for 1 second to 7 days. It asks neither whether the
// object is there nor whether the credentials may read it. A URL ends with the credentials that signed it; so those of
// a role (1 hour) are fetched anew if they end too soon. When a static session token ends nobody can tell.
func (v *Volume) Presign(ctx context.Context, name string, expires time.Duration) (string, time.Time, error) {
	if err := v.check("presign", name); err != nil {
		return "", time.Time{}, err
	}
	link, until, err := v.presign(ctx, name, expires)
	return link, until, v.error("presign", name, err)
}

func (v *Volume) presign(ctx context.Context, name string, expires time.Duration) (string, time.Time, error) {
	if expires < minExpires || expires > maxExpires {
		return "", time.Time{}, fmt.Errorf("a link cannot last for %s; ask for a time between 1s and 7 days", expires)
	}
	expires = expires.Truncate(time.Second)
	creds, err := v.c.credentials.lasting(ctx, time.Now().Add(expires))
	if err != nil {
		return "", time.Time{}, err
	}
	signer := s3.NewPresignClient(v.c.public, s3.WithPresignExpires(expires), s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
		o.Credentials = credentials.StaticCredentialsProvider{Value: creds}
	}))
	signed, err := signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &v.bucket, Key: v.key(name)})
	if err != nil {
		return "", time.Time{}, err
	}
	until, err := signedUntil(signed.URL, expires)
	if creds.CanExpire && creds.Expires.Before(until) {
		until = creds.Expires
	}
	return signed.URL, until, err
}

// signedUntil reads when a URL was signed, which is what the store goes by.
func signedUntil(link string, expires time.Duration) (time.Time, error) {
	u, err := url.Parse(link)
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse("20060102T150405Z", u.Query().Get("X-Amz-Date"))
	return at.Add(expires), err
}
