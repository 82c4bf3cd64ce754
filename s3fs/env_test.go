package s3fs

import (
	"reflect"
	"strings"
	"testing"
)

const profiles = `
[default]
region = eu-south-1
[profile a]
region = eu-west-3
endpoint_url = https://a.test
[profile b]
services = of-b
[services of-b]
s3 =
  endpoint_url = https://s3.b.test
sts =
  endpoint_url = https://sts.b.test
[profile deaf]
ignore_configured_endpoint_urls = true
endpoint_url = https://deaf.test
`

func TestOptionsFromEnv(t *testing.T) {
	setenv(t, map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
		"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "https://s3.test", "AWS_PUBLIC_ENDPOINT_URL_S3": "https://public.test",
		"AWS_USE_PATH_STYLE_ENDPOINT": "true", "AWS_CUSTOM_ROLE_ARN": "arn:aws:iam::123456789012:role/backup",
		"AWS_ROLE_SESSION_NAME": "me", "AWS_ENDPOINT_URL_STS": "https://sts.test", "AWS_STS_PROFILE": "a", "CONFIG": profiles,
	})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	for field, variable := range map[string]string{"Region": "AWS_REGION", "PathStyle": "AWS_USE_PATH_STYLE_ENDPOINT", "STSProfile": "AWS_STS_PROFILE"} {
		if got := o.origins[field].from; got != variable {
			t.Errorf("%s is from %q, want %s", field, got, variable)
		}
	}
	o.origins = nil
	want := &Options{
		AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", SessionToken: "token",
		Region: "eu-west-1", Endpoint: "https://s3.test", PublicEndpoint: "https://public.test", PathStyle: true,
		RoleARN: "arn:aws:iam::123456789012:role/backup", RoleSessionName: "me", STSEndpoint: "https://sts.test", STSProfile: "a",
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got\n%v\nwant\n%v", o, want)
	}
}

// TestInherited is where the region and the endpoints come from.
func TestInherited(t *testing.T) {
	for what, test := range map[string]struct {
		env                     map[string]string
		region, s3, public, sts string
	}{
		"nothing":          {nil, "eu-south-1", "", "", ""},
		"AWS_REGION":       {map[string]string{"AWS_REGION": "x", "AWS_DEFAULT_REGION": "y", "AWS_S3_PROFILE": "a"}, "x", "https://a.test", "https://a.test", "https://a.test"},
		"default region":   {map[string]string{"AWS_DEFAULT_REGION": "y", "AWS_S3_PROFILE": "b"}, "y", "https://s3.b.test", "https://s3.b.test", "https://sts.b.test"},
		"profile":          {map[string]string{"AWS_S3_PROFILE": "b"}, "us-east-1", "https://s3.b.test", "https://s3.b.test", "https://sts.b.test"},
		"the SDK's":        {map[string]string{"AWS_PROFILE": "a"}, "eu-west-3", "https://a.test", "https://a.test", "https://a.test"},
		"profile of STS":   {map[string]string{"AWS_S3_PROFILE": "a", "AWS_STS_PROFILE": "b"}, "eu-west-3", "https://a.test", "https://a.test", "https://sts.b.test"},
		"general endpoint": {map[string]string{"AWS_ENDPOINT_URL": "http://all.test", "AWS_PROFILE": "b"}, "us-east-1", "http://all.test", "http://all.test", "http://all.test"},
		"both endpoints": {map[string]string{"AWS_ENDPOINT_URL": "http://all.test", "AWS_ENDPOINT_URL_S3": "http://s3.test"}, "eu-south-1",
			"http://s3.test", "http://s3.test", "http://all.test"},
		"public endpoint": {map[string]string{"AWS_PUBLIC_ENDPOINT_URL_S3": "http://public.test"}, "eu-south-1", "", "http://public.test", ""},
		"ignored": {map[string]string{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ENDPOINT_URL": "http://all.test", "AWS_PROFILE": "a"},
			"eu-west-3", "", "", ""},
		"ignored by the profile": {map[string]string{"AWS_PROFILE": "deaf"}, "us-east-1", "", "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			setenv(t, map[string]string{"CONFIG": profiles})
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			o, err := OptionsFromEnv()
			if err != nil {
				t.Fatal(err)
			}
			r, err := o.resolve()
			if err != nil {
				t.Fatal(err)
			}
			got := []string{r.Region, r.Endpoint, r.PublicEndpoint, r.STSEndpoint}
			if want := []string{test.region, test.s3, test.public, test.sts}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestBadEnvironment(t *testing.T) {
	for what, test := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"URLs": {map[string]string{"AWS_ENDPOINT_URL_S3": "s3.test", "AWS_PUBLIC_ENDPOINT_URL_S3": "https://me:hunter2@s3.test", "AWS_ENDPOINT_URL_STS": "https://"},
			[]string{"AWS_ENDPOINT_URL_S3 (Endpoint): ", "AWS_PUBLIC_ENDPOINT_URL_S3 (PublicEndpoint): ", "AWS_ENDPOINT_URL_STS (STSEndpoint): "}},
		"general URL":     {map[string]string{"AWS_ENDPOINT_URL": "hunter2"}, []string{"AWS_ENDPOINT_URL (Endpoint): ", "AWS_ENDPOINT_URL (STSEndpoint): "}},
		"URL of profile":  {map[string]string{"AWS_S3_PROFILE": "wrong"}, []string{"profile wrong (Endpoint): ", "profile wrong (STSEndpoint): "}},
		"no secret":       {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA"}, []string{"AWS_SECRET_ACCESS_KEY (SecretAccessKey): is not set, but AWS_ACCESS_KEY_ID"}},
		"no id":           {map[string]string{"AWS_SECRET_ACCESS_KEY": "hunter2"}, []string{"AWS_ACCESS_KEY_ID (AccessKeyID): is not set, but AWS_SECRET_ACCESS_KEY"}},
		"only a token":    {map[string]string{"AWS_SESSION_TOKEN": "hunter2"}, []string{"AWS_SESSION_TOKEN (SessionToken): is set without"}},
		"line break":      {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hunter2\n"}, []string{"AWS_SECRET_ACCESS_KEY (SecretAccessKey): has a blank, a line break"}},
		"region":          {map[string]string{"AWS_REGION": "a/b"}, []string{"AWS_REGION (Region): "}},
		"default region":  {map[string]string{"AWS_DEFAULT_REGION": "a/b"}, []string{"AWS_DEFAULT_REGION (Region): "}},
		"path style":      {map[string]string{"AWS_USE_PATH_STYLE_ENDPOINT": "maybe"}, []string{`AWS_USE_PATH_STYLE_ENDPOINT (PathStyle): "maybe" is neither true nor false`}},
		"profile":         {map[string]string{"AWS_S3_PROFILE": "nobody"}, []string{`AWS_S3_PROFILE (Profile): there is no profile "nobody"`}},
		"profile of STS":  {map[string]string{"AWS_STS_PROFILE": "nobody"}, []string{`AWS_STS_PROFILE (STSProfile): there is no profile "nobody"`}},
		"the SDK's":       {map[string]string{"AWS_PROFILE": "nobody"}, []string{`AWS_PROFILE: there is no profile "nobody"`}},
		"role":            {map[string]string{"AWS_CUSTOM_ROLE_ARN": "backup"}, []string{"AWS_CUSTOM_ROLE_ARN (RoleARN): "}},
		"session":         {map[string]string{"AWS_ROLE_SESSION_NAME": "?"}, []string{"AWS_ROLE_SESSION_NAME (RoleSessionName): "}},
		"another":         {map[string]string{"AWS_MAX_ATTEMPTS": "many"}, []string{"AWS_MAX_ATTEMPTS"}},
		"several at once": {map[string]string{"AWS_USE_PATH_STYLE_ENDPOINT": "x", "AWS_S3_PROFILE": "nobody", "AWS_REGION": "_"}, []string{"AWS_USE_PATH_STYLE_ENDPOINT", "AWS_S3_PROFILE", "AWS_REGION"}},
	} {
		t.Run(what, func(t *testing.T) {
			setenv(t, map[string]string{"CONFIG": "[profile wrong]\nendpoint_url = hunter2\n"})
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			o, err := OptionsFromEnv()
			if o != nil || err == nil {
				t.Fatalf("got %v, %v, want an error", o, err)
			}
			if n := strings.Count(err.Error(), "\n") + 1; n != len(test.want) {
				t.Errorf("%d problems, want %d: %v", n, len(test.want), err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v: repeats a secret", err)
			}
		})
	}
}

func TestProfileBeatsKeys(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SESSION_TOKEN": "token", "AWS_S3_PROFILE": "a", "CONFIG": profiles})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if o.AccessKeyID != "" || o.SessionToken != "" {
		t.Error("keys beside a profile")
	}
	for _, want := range []string{"note: AWS_ACCESS_KEY_ID is ignored, because AWS_S3_PROFILE is set", "note: AWS_SESSION_TOKEN is ignored"} {
		if !strings.Contains(o.String(), want) {
			t.Errorf("%q is not in\n%v", want, o)
		}
	}
}

func TestParseBool(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "1": true, "YES": true, "on": true, "False": false, "0": false, "no": false, "Off": false} {
		if got, ok := parseBool(value); got != want || !ok {
			t.Errorf("%s: got %t, %t", value, got, ok)
		}
	}
	if _, ok := parseBool("2"); ok {
		t.Error("2 is taken")
	}
}

// TestChangedAfterwards: an error must not blame a variable for what a program has set since.
func TestChangedAfterwards(t *testing.T) {
	setenv(t, map[string]string{"AWS_ENDPOINT_URL_S3": "https://s3.test"})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	o.Endpoint = "wrong"
	if _, err := o.resolve(); err == nil || strings.Contains(err.Error(), "AWS_") {
		t.Errorf("got %v, want an error of the field Endpoint", err)
	}
}
