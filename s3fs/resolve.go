package s3fs

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

const (
	defaultRegion       = "us-east-1"
	defaultSessionName  = "databasement"
	defaultPartSize     = 8 << 20
	defaultConcurrency  = 3
	defaultMaxParts     = 9000
	defaultStallTimeout = time.Minute
	defaultMaxAttempts  = 12
	defaultMaxPause     = 30 * time.Second
)

// resolve returns a checked copy in which all defaults are filled in. It reads the SDK's variables and files, and makes
// no request. Its one error names everything that is wrong.
func (o *Options) resolve() (*Options, error) {
	r, problems := o.resolved()
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return r, nil
}

func (o *Options) resolved() (*Options, []error) {
	r := *o
	r.Tags, r.origins = maps.Clone(o.Tags), maps.Clone(o.origins)
	if r.origins == nil {
		r.origins = map[string]origin{}
	}
	problems := r.inherit()
	r.setDefaults()
	return &r, append(problems, r.problems()...)
}

// origin is where a field's value is from, as long as it is that value.
type origin struct {
	from  string // such as AWS_REGION
	value any
}

// byDefault is the origin of values that nobody chose.
const byDefault = "default"

// from is where a field's value is from; empty: set by hand.
func (o *Options) from(field string, value any) string {
	if g, ok := o.origins[field]; ok && g.value == value {
		return g.from
	}
	return ""
}

// put sets a field that is not set.
func put[T comparable](o *Options, field string, at *T, value T, from string) {
	if zero := *new(T); *at == zero && value != zero {
		*at, o.origins[field] = value, origin{from, value}
	}
}

func (o *Options) setDefaults() {
	put(o, "Region", &o.Region, defaultRegion, byDefault)
	put(o, "PublicEndpoint", &o.PublicEndpoint, o.Endpoint, "Endpoint")
	put(o, "RoleSessionName", &o.RoleSessionName, defaultSessionName, byDefault)
	put(o, "PartSize", &o.PartSize, defaultPartSize, byDefault)
	put(o, "Concurrency", &o.Concurrency, defaultConcurrency, byDefault)
	put(o, "MaxParts", &o.MaxParts, int(min(defaultMaxParts, maxObject/max(o.PartSize, 1))), byDefault)
	put(o, "StallTimeout", &o.StallTimeout, defaultStallTimeout, byDefault)
	put(o, "MaxAttempts", &o.MaxAttempts, defaultMaxAttempts, byDefault)
	put(o, "MaxPause", &o.MaxPause, defaultMaxPause, byDefault)
}

// inherit takes the region and the endpoints that are not set from where the SDK looks for them.
func (o *Options) inherit() (problems []error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return []error{err}
	}
	own, err := o.profile(env, "Profile", o.Profile)
	if err != nil {
		problems = append(problems, err)
	}
	ofSTS := own
	if o.STSProfile != "" {
		if ofSTS, err = o.profile(env, "STSProfile", o.STSProfile); err != nil {
			problems = append(problems, err)
		}
	}
	put(o, "Region", &o.Region, os.Getenv("AWS_REGION"), "AWS_REGION")
	put(o, "Region", &o.Region, os.Getenv("AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION")
	put(o, "Region", &o.Region, own.Region, "profile "+own.Profile)
	o.inheritEndpoint("Endpoint", &o.Endpoint, "S3", env, own)
	o.inheritEndpoint("STSEndpoint", &o.STSEndpoint, "STS", env, ofSTS)
	return problems
}

// inheritEndpoint looks in the order of https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html.
func (o *Options) inheritEndpoint(field string, at *string, service string, env config.EnvConfig, file config.SharedConfig) {
	if ignore := cmp.Or(env.IgnoreConfiguredEndpoints, file.IgnoreConfiguredEndpoints); ignore != nil && *ignore {
		return
	}
	variable := "AWS_ENDPOINT_URL_" + service
	put(o, field, at, os.Getenv(variable), variable)
	put(o, field, at, env.BaseEndpoint, "AWS_ENDPOINT_URL")
	if url, ok, err := file.GetServiceBaseEndpoint(context.Background(), service); ok && err == nil {
		put(o, field, at, url, "profile "+file.Profile)
	}
	put(o, field, at, file.BaseEndpoint, "profile "+file.Profile)
}

// profile reads a profile of the shared files; without a name the one that the SDK would, which may be missing.
func (o *Options) profile(env config.EnvConfig, field, name string) (config.SharedConfig, error) {
	label, chosen := o.label(field, name), name != ""
	if !chosen && env.SharedConfigProfile != "" {
		label, name, chosen = "AWS_PROFILE", env.SharedConfigProfile, true
	}
	name = cmp.Or(name, config.DefaultSharedConfigProfile)
	p, err := config.LoadSharedConfigProfile(context.Background(), name, func(l *config.LoadSharedConfigOptions) {
		if env.SharedConfigFile != "" {
			l.ConfigFiles = []string{env.SharedConfigFile}
		}
		if env.SharedCredentialsFile != "" {
			l.CredentialsFiles = []string{env.SharedCredentialsFile}
		}
	})
	_, missing := err.(config.SharedConfigProfileNotExistError) // errors.As would also find a source_profile that is missing
	switch {
	case err == nil:
		return p, nil
	case !missing:
		return config.SharedConfig{}, problem(label, "profile %q cannot be read: %v", name, err)
	case chosen:
		return config.SharedConfig{}, problem(label, "there is no profile %q in the shared configuration files of AWS", name)
	}
	return config.SharedConfig{}, nil
}
