package s3fs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/smithy-go"

	"github.com/databasement/backup/internal/retry"
)

const (
	roleTime    = time.Hour        // what every role allows: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	renewBefore = 5 * time.Minute  // the end, or a fifth of the whole time if that is shorter
	renewAgain  = 10 * time.Second // after a renewal that failed, or that gave what has ended by our clock
	quarantine  = time.Second      // credentials younger than this were not those that a store has refused
)

// credentialsError is that there are no credentials, after all attempts to get some: nobody above is to repeat it. It does
// not unwrap, because a file of the SDK's that is missing must not be taken for a missing object.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string        { return e.err.Error() }
func (e *credentialsError) Is(target error) bool { return target == retry.ErrExhausted }

// cache keeps credentials until shortly before they end. The SDK's would leave a goroutine behind when its caller gives up,
// fetch at each request what lives for less than its window, and not tell the true end.
type cache struct {
	source aws.CredentialsProvider
	turn   chan struct{} // full while someone fetches

	mu      sync.Mutex
	current aws.Credentials
	fetched time.Time
	renew   time.Time
}

func newCache(source aws.CredentialsProvider) *cache {
	return &cache{source: source, turn: make(chan struct{}, 1)}
}

// Retrieve implements aws.CredentialsProvider.
func (c *cache) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if creds, ok := c.fresh(); ok {
		return creds, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return aws.Credentials{}, context.Cause(ctx)
	}
	if creds, ok := c.fresh(); ok {
		return creds, nil
	}
	creds, err := c.source.Retrieve(ctx)
	switch {
	case err == nil:
		c.keep(creds)
		return creds, nil
	case ctx.Err() != nil:
		return aws.Credentials{}, context.Cause(ctx)
	}
	return c.postpone(err)
}

func (c *cache) fresh() (aws.Credentials, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, c.current.HasKeys() && (!c.current.CanExpire || time.Now().Before(c.renew))
}

func (c *cache) keep(creds aws.Credentials) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.current, c.fetched, c.renew = creds, now, now.Add(renewAgain)
	// What has ended when it comes means that a clock is wrong. The store will say whether it is the credentials.
	if left := creds.Expires.Sub(now); left > 0 {
		c.renew = creds.Expires.Add(-min(renewBefore, left/5))
	}
}

// postpone uses credentials to their end when there are no others.
func (c *cache) postpone(err error) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if left := c.current.Expires.Sub(now); c.current.HasKeys() && left > 0 {
		c.renew = now.Add(min(renewAgain, left))
		return c.current, nil
	}
	return aws.Credentials{}, &credentialsError{err}
}

// invalidate has the next Retrieve fetch anew, because the store has refused what it got. When many requests were refused
// at once, only the first one's call counts.
func (c *cache) invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.fetched) < quarantine {
		return
	}
	c.current = aws.Credentials{}
	invalidate(c.source)
}

// lasting is Retrieve for who would like credentials for a longer time than those at hand may have left.
func (c *cache) lasting(ctx context.Context, until time.Time) (aws.Credentials, error) {
	c.mu.Lock()
	if c.current.CanExpire && c.current.Expires.Before(until) && time.Since(c.fetched) > renewBefore {
		c.renew = time.Time{}
	}
	c.mu.Unlock()
	return c.Retrieve(ctx)
}

// invalidate empties the SDK's cache, or that behind a role.
func invalidate(p aws.CredentialsProvider) {
	if i, ok := p.(interface{ Invalidate() }); ok {
		i.Invalidate()
	}
}

// role is a role that is assumed with the credentials of base.
type role struct {
	arn    string
	assume *stscreds.AssumeRoleProvider
	base   aws.CredentialsProvider
}

// Retrieve implements aws.CredentialsProvider.
func (r *role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := r.assume.Retrieve(ctx)
	refusal := smithy.APIError(nil)
	if errors.As(err, &refusal) && expired(refusal.ErrorCode()) {
		r.Invalidate()
		creds, err = r.assume.Retrieve(ctx)
	}
	switch {
	case err == nil:
		return creds, nil
	case errors.As(err, &refusal):
		err = fmt.Errorf("%s: %s", refusal.ErrorCode(), short(refusal.ErrorMessage()))
	default:
		err = plain(err)
	}
	return aws.Credentials{}, fmt.Errorf("assume role %s: %w", r.arn, err)
}

// Invalidate has the next Retrieve fetch the credentials anew that assume the role.
func (r *role) Invalidate() { invalidate(r.base) }

// chain is the SDK's default chain, whose errors tell of the last of many places where it looked.
type chain struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_S3_PROFILE, "+
			"or run where a role is attached (%w)", err)
	}
	return creds, err
}

// Invalidate empties the SDK's cache.
func (c chain) Invalidate() { invalidate(c.CredentialsProvider) }
