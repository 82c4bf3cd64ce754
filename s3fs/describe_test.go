package s3fs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// cells are the lines of String with one blank between cells.
func cells(o *Options) []string {
	return strings.Split(regexp.MustCompile(` {2,}`).ReplaceAllString(o.String(), " | "), "\n")
}

func TestString(t *testing.T) {
	setenv(t, map[string]string{"CONFIG": profiles, "AWS_S3_PROFILE": "a", "AWS_ENDPOINT_URL_S3": "https://s3.test", "AWS_STS_PROFILE": "b",
		"AWS_CUSTOM_ROLE_ARN": "arn:aws:iam::123456789012:role/backup", "AWS_USE_PATH_STYLE_ENDPOINT": "false", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	o.Concurrency, o.Tags, o.ObjectLock, o.Prefix = 5, map[string]string{"b": "2", "a": "1"}, ObjectLock{"COMPLIANCE", time.Hour}, "daily"
	got := cells(o)
	for _, want := range []string{
		"Prefix | daily | set",
		"Region | eu-west-3 | profile a",
		"Endpoint | https://s3.test | AWS_ENDPOINT_URL_S3",
		"PublicEndpoint | https://s3.test | Endpoint",
		"PathStyle | false | AWS_USE_PATH_STYLE_ENDPOINT",
		"Credentials | the role, assumed by profile b | -",
		"Profile | a | AWS_S3_PROFILE",
		"AccessKeyID | - | default",
		"RoleARN | arn:aws:iam::123456789012:role/backup | AWS_CUSTOM_ROLE_ARN",
		"RoleSessionName | databasement | default",
		"STSEndpoint | https://sts.b.test | profile b",
		"PartSize | 8 MiB | default",
		"Concurrency | 5 | set",
		"MaxParts | 9000 | default",
		"Checksum | - | default",
		"ObjectLock | COMPLIANCE for 1h0m0s | set",
		"Tags | a=1, b=2 | set",
		"StallTimeout | 1m0s | default",
		"HTTPClient | the SDK's, tuned | default",
		"note: AWS_ACCESS_KEY_ID is ignored, because AWS_S3_PROFILE is set",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in\n%v", want, o)
		}
	}
}

// TestStringOfAllFields: a field that is added is shown, too.
func TestStringOfAllFields(t *testing.T) {
	setenv(t, nil)
	got := cells(good())
	for _, field := range fields() {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, field+" | ") }) {
			t.Errorf("%s is missing", field)
		}
	}
}

func TestStringOfBadOptions(t *testing.T) {
	setenv(t, nil)
	o := &Options{Endpoint: "https://me:hunter2@s3.test", Prefix: "a\nb", AccessKeyID: "AKIA", STSProfile: "nobody"}
	got := cells(o)
	for _, want := range []string{
		"Endpoint | not shown: it has a user or a password in it, which do not belong there | set",
		`Prefix | "a\nb" | set`,
		"AccessKeyID | set, not shown | set",
		"Credentials | static keys; STSProfile is not used without a role | -",
		"problem: SecretAccessKey: is not set, but AccessKeyID is",
		`problem: STSProfile: there is no profile "nobody" in the shared configuration files of AWS`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is not in\n%v", want, o)
		}
	}
}

func TestNoSecretPrinted(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_SESSION_TOKEN": "token-of-session"})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(t.Context(), "bucket", o)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ Options Options }
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		printed[verb+" of Options"] = fmt.Sprintf(verb, *o)
		printed[verb+" of *Options"] = fmt.Sprintf(verb, o)
		printed[verb+" in a struct"] = fmt.Sprintf(verb, holder{*o})
		printed[verb+" in a slice"] = fmt.Sprintf(verb, []*Options{o})
		printed[verb+" of a volume"] = fmt.Sprintf(verb, v)
	}
	for what, value := range map[string]any{"Options": *o, "*Options": o} {
		var text, lines bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("opened", "with", value)
		slog.New(slog.NewJSONHandler(&lines, nil)).Info("opened", "with", value)
		printed["slog as text of "+what], printed["slog as JSON of "+what] = text.String(), lines.String()
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		printed["JSON of "+what] = string(b)
	}
	for what, s := range printed {
		for _, secret := range []string{"hunter2", "68756e74657232", "token-of-session", "AKIAI", "EXAMPLE"} {
			if strings.Contains(s, secret) {
				t.Errorf("%s has %q in it: %s", what, secret, s)
			}
		}
	}
	if !strings.Contains(o.String(), "AKIA…") {
		t.Errorf("the start of the key's id is not in\n%v", o)
	}
	if s := printed["slog as JSON of *Options"]; !strings.Contains(s, `"Region":"us-east-1"`) {
		t.Errorf("slog shows %s", s)
	}
	if s := fmt.Sprint((*Options)(nil)); s != "<nil>" {
		t.Errorf("nil prints as %q", s)
	}
}

// fields are the exported ones of Options.
func fields() (names []string) {
	for f := range reflect.TypeFor[Options]().NumField() {
		if field := reflect.TypeFor[Options]().Field(f); field.IsExported() {
			names = append(names, field.Name)
		}
	}
	return names
}
