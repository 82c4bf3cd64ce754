package s3fs

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
)

// stsAttempts are made to assume a role, over about half a minute.
const stsAttempts = 8

// clients are the ways to a store.
type clients struct {
	s3, public  *s3.Client // public signs for Options.PublicEndpoint, and requests nothing
	credentials *cache
	closeIdle   func()
}

// invalidate has the next request use new credentials.
func (c *clients) invalidate() { c.credentials.invalidate() }

// newClients makes the clients for resolved options, without a request.
func newClients(ctx context.Context, o *Options) (*clients, error) {
	cfg, err := o.load(ctx, "Profile", o.Profile)
	if err != nil {
		return nil, err
	}
	client := o.httpClient(cfg)
	cfg.HTTPClient = watch(client, o.StallTimeout)
	provider, err := o.credentials(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &clients{credentials: newCache(provider), closeIdle: client.CloseIdleConnections}
	cfg.Credentials = c.credentials
	c.s3 = s3.NewFromConfig(cfg, o.s3Options(o.Endpoint))
	c.public = s3.NewFromConfig(cfg, o.s3Options(o.PublicEndpoint))
	return c, nil
}

// load is the SDK's configuration with a profile, or with the one that its variables name. Its errors are not wrapped: a file
// that is missing is not a missing object.
func (o *Options) load(ctx context.Context, field, profile string) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigProfile(profile),
		config.WithRegion(o.Region),
		config.WithHTTPClient(awshttp.NewBuildableClient()), // AWS_CA_BUNDLE asks for it
		config.WithDefaultsMode(aws.DefaultsModeLegacy),     // auto would ask the network
		config.WithLogger(logging.Nop{}),
	)
	switch {
	case err == nil:
		return cfg, nil
	case profile == "":
		return aws.Config{}, fmt.Errorf("configuration of AWS: %v", err)
	}
	return aws.Config{}, problem(o.label(field, profile), "profile %q: %v", profile, err)
}

// httpClient makes the connections. It follows no redirect, as a signature holds for one host. The SDK's own client is only
// asked for its transport: it would add a read timeout where AWS_ENABLE_DEFAULT_SOCKET_TIMEOUT_2026 is set, which ends uploads that move.
func (o *Options) httpClient(cfg aws.Config) *http.Client {
	client := new(http.Client)
	if o.HTTPClient != nil {
		*client = *o.HTTPClient
	} else {
		sdk, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
		if !ok {
			sdk = awshttp.NewBuildableClient()
		}
		t := sdk.GetTransport()
		tune(t, o)
		client.Transport = t
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// s3Options take the place of all that the environment could change in how requests are made.
func (o *Options) s3Options(endpoint string) func(*s3.Options) {
	return func(s *s3.Options) {
		s.BaseEndpoint = optional(endpoint)
		s.UsePathStyle = o.PathStyle
		s.Retryer, s.RetryMaxAttempts = aws.NopRetryer{}, 0
		s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		s.DisableLogOutputChecksumValidationSkipped = true
		s.ContinueHeaderThresholdBytes = -1 // a store that does not answer to "Expect: 100-continue" would cost a second a part
		s.ClientLogMode = 0
		s.APIOptions = append(slices.Clip(s.APIOptions), wire)
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// credentials are those of the role, where there is one; else the static keys, those of the profile, or the SDK's default chain.
func (o *Options) credentials(ctx context.Context, cfg aws.Config) (aws.CredentialsProvider, error) {
	var base aws.CredentialsProvider = chain{cfg.Credentials}
	switch {
	case o.RoleARN != "" && o.STSProfile != "":
		other, err := o.load(ctx, "STSProfile", o.STSProfile)
		if err != nil {
			return nil, err
		}
		base = other.Credentials
	case o.AccessKeyID != "":
		base = credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)
	case o.Profile != "":
		base = cfg.Credentials
	}
	if o.RoleARN == "" {
		return base, nil
	}
	cfg.Credentials = base
	assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg, o.stsOptions), o.RoleARN, func(a *stscreds.AssumeRoleOptions) {
		a.RoleSessionName, a.Duration = o.RoleSessionName, roleTime
	})
	return &role{o.RoleARN, assume, base}, nil
}

func (o *Options) stsOptions(s *sts.Options) {
	s.BaseEndpoint = optional(o.STSEndpoint)
	s.RetryMaxAttempts = 0
	s.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
		r.MaxAttempts = stsAttempts
		r.RateLimiter = ratelimit.None
		r.Retryables = append(r.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{
			http.StatusRequestTimeout: {}, http.StatusTooManyRequests: {},
		}})
	})
}
