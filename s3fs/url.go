package s3fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/databasement/backup/storage"
)

// OpenURL opens the volume s3://bucket/prefix. What the options lack, and the environment has no variable for, can follow
// as a query, such as s3://bucket/prefix?max-parts=1000&concurrency=2: the keys are those of Options, in lower case with hyphens:
// part-size (bytes), concurrency, max-parts, checksum, storage-class, sse, sse-kms-key-id, stall-timeout (such as 90s),
// max-attempts, max-pause; and region, endpoint, public-endpoint, path-style and profile, for two volumes of one process that are at
// different providers. opts is not changed.
func OpenURL(ctx context.Context, text string, opts *Options) (*Volume, error) {
	bucket, o, err := parseURL(text, opts)
	if err != nil {
		return nil, &storage.Error{Op: "open", Err: err}
	}
	return Open(ctx, bucket, o)
}

func parseURL(text string, opts *Options) (bucket string, _ *Options, err error) {
	o := *cmp.Or(opts, new(Options))
	o.origins = maps.Clone(o.origins)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Opaque != "" || u.User != nil || u.Host == "" || u.Fragment != "" || strings.HasSuffix(text, "#") {
		// The text is not repeated: it may have a password in it.
		return "", nil, errors.New("the volume must be s3://bucket or s3://bucket/prefix, without a user or a port; %, ? and # are written as %25, %3F and %23")
	}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if o.Prefix != "" {
			return "", nil, fmt.Errorf("a prefix in the URL (%s) and one in the options (%s)", prefix, o.Prefix)
		}
		o.Prefix = prefix
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", nil, fmt.Errorf("the URL's query: %w", err)
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(query)) {
		if err := o.set(key, query[key]); err != nil {
			errs = append(errs, fmt.Errorf("%s in the URL: %w", key, err))
		}
	}
	return u.Host, &o, errors.Join(errs...)
}

// set takes one of the URL's settings.
func (o *Options) set(key string, values []string) (err error) {
	if len(values) != 1 || values[0] == "" {
		return errors.New("want one value")
	}
	value := values[0]
	number := func(field *int) {
		if *field, err = strconv.Atoi(value); err != nil || *field < 1 {
			err = errors.New("want a whole number above 0")
		}
	}
	duration := func(field *time.Duration) {
		if *field, err = time.ParseDuration(value); err != nil || *field <= 0 {
			err = errors.New("want a duration, such as 90s or 2m")
		}
	}
	switch key {
	case "region":
		o.Region = value
	case "endpoint":
		o.Endpoint = value
	case "public-endpoint":
		o.PublicEndpoint = value
	case "path-style":
		if o.PathStyle, err = strconv.ParseBool(value); err != nil {
			err = errors.New("want true or false")
		}
	case "profile":
		o.Profile = value
		o.AccessKeyID, o.SecretAccessKey, o.SessionToken = "", "", ""
	case "part-size":
		if o.PartSize, err = strconv.ParseInt(value, 10, 64); err != nil || o.PartSize < 1 {
			err = errors.New("want a number of bytes above 0")
		}
	case "concurrency":
		number(&o.Concurrency)
	case "max-parts":
		number(&o.MaxParts)
	case "max-attempts":
		number(&o.MaxAttempts)
	case "stall-timeout":
		duration(&o.StallTimeout)
	case "max-pause":
		duration(&o.MaxPause)
	case "checksum":
		o.Checksum = Checksum(strings.ToUpper(value))
	case "storage-class":
		o.StorageClass = value
	case "sse":
		o.SSE = SSE(value)
	case "sse-kms-key-id":
		o.SSEKMSKeyID = value
	default:
		err = errors.New("no such setting: there are region, endpoint, public-endpoint, path-style, profile, part-size, concurrency, max-parts, checksum, " +
			"storage-class, sse, sse-kms-key-id, stall-timeout, max-attempts and max-pause")
	}
	return err
}
