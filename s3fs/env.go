package s3fs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// variables are what OptionsFromEnv reads into fields that are strings.
var variables = []struct {
	name, field string
	at          func(*Options) *string
}{
	{"AWS_S3_PROFILE", "Profile", func(o *Options) *string { return &o.Profile }},
	{"AWS_ACCESS_KEY_ID", "AccessKeyID", func(o *Options) *string { return &o.AccessKeyID }},
	{"AWS_SECRET_ACCESS_KEY", "SecretAccessKey", func(o *Options) *string { return &o.SecretAccessKey }},
	{"AWS_SESSION_TOKEN", "SessionToken", func(o *Options) *string { return &o.SessionToken }},
	{"AWS_REGION", "Region", func(o *Options) *string { return &o.Region }},
	{"AWS_ENDPOINT_URL_S3", "Endpoint", func(o *Options) *string { return &o.Endpoint }},
	{"AWS_PUBLIC_ENDPOINT_URL_S3", "PublicEndpoint", func(o *Options) *string { return &o.PublicEndpoint }},
	{"AWS_CUSTOM_ROLE_ARN", "RoleARN", func(o *Options) *string { return &o.RoleARN }},
	{"AWS_ROLE_SESSION_NAME", "RoleSessionName", func(o *Options) *string { return &o.RoleSessionName }},
	{"AWS_ENDPOINT_URL_STS", "STSEndpoint", func(o *Options) *string { return &o.STSEndpoint }},
	{"AWS_STS_PROFILE", "STSProfile", func(o *Options) *string { return &o.STSProfile }},
}

const pathStyleVariable = "AWS_USE_PATH_STYLE_ENDPOINT"

// keyFields are those that a profile takes the place of.
var keyFields = []string{"AccessKeyID", "SecretAccessKey", "SessionToken"}

func variableOf(field string) string {
	for _, v := range variables {
		if v.field == field {
			return v.name
		}
	}
	return ""
}

// OptionsFromEnv returns the options that these variables say, of which an empty one is as good as none:
//
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//	AWS_S3_PROFILE                 a profile of the shared files; the three above are then ignored, and String says so
//	AWS_REGION                     else AWS_DEFAULT_REGION, that of the profile, or us-east-1
//	AWS_ENDPOINT_URL_S3            else AWS_ENDPOINT_URL, or that of the profile
//	AWS_PUBLIC_ENDPOINT_URL_S3     what links are signed for
//	AWS_USE_PATH_STYLE_ENDPOINT    true, 1, yes, on; or false, 0, no, off, the default
//	AWS_CUSTOM_ROLE_ARN            a role to assume, always
//	AWS_ROLE_SESSION_NAME          else databasement
//	AWS_ENDPOINT_URL_STS           else AWS_ENDPOINT_URL, or that of the profile
//	AWS_STS_PROFILE                whose credentials assume the role
//
// Without keys and without AWS_S3_PROFILE the SDK's default chain is searched, AWS_PROFILE included. It reads the shared
// files and makes no request. What cannot work is one error that names the variables. Fields may be changed afterwards.
func OptionsFromEnv() (*Options, error) {
	o := &Options{origins: map[string]origin{}}
	for _, v := range variables {
		value := os.Getenv(v.name)
		if value != "" && o.Profile != "" && slices.Contains(keyFields, v.field) {
			o.notes = append(o.notes, v.name+" is ignored, because AWS_S3_PROFILE is set")
			continue
		}
		put(o, v.field, v.at(o), value, v.name)
	}
	badStyle := o.readPathStyle()
	_, err := o.resolve()
	if err := errors.Join(badStyle, err); err != nil {
		return nil, fmt.Errorf("the environment does not say how to reach S3: %w", err)
	}
	return o, nil
}

func (o *Options) readPathStyle() error {
	value := os.Getenv(pathStyleVariable)
	if value == "" {
		return nil
	}
	on, ok := parseBool(value)
	if !ok {
		return problem(pathStyleVariable+" (PathStyle)", "%.40q is neither true nor false", value)
	}
	o.PathStyle, o.origins["PathStyle"] = on, origin{pathStyleVariable, on}
	return nil
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "yes", "on":
		return true, true
	case "no", "off":
		return false, true
	}
	value, err := strconv.ParseBool(s)
	return value, err == nil
}
