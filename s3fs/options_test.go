package s3fs

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// setenv has the environment say of AWS only what vars do. The entries CONFIG and CREDENTIALS are the contents of the shared files.
func setenv(t *testing.T, vars map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	dir := t.TempDir()
	for name, file := range map[string]string{"CONFIG": "AWS_CONFIG_FILE", "CREDENTIALS": "AWS_SHARED_CREDENTIALS_FILE"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(vars[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(file, path)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range vars {
		if strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}
}

func TestDefaults(t *testing.T) {
	setenv(t, nil)
	r, err := new(Options).resolve()
	if err != nil {
		t.Fatal(err)
	}
	r.origins = nil
	want := &Options{
		Region: "us-east-1", RoleSessionName: "databasement",
		PartSize: 8 << 20, Concurrency: 3, MaxParts: 9000, StallTimeout: time.Minute, MaxAttempts: 12, MaxPause: 30 * time.Second,
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got\n%v\nwant\n%v", r, want)
	}
}

// TestLargeParts: a default must not contradict what was set.
func TestLargeParts(t *testing.T) {
	setenv(t, nil)
	r, err := (&Options{PartSize: 5 << 30}).resolve()
	if err != nil || r.MaxParts != 1024 {
		t.Errorf("got %d parts, %v; want the 1024 of 5 TiB", r.MaxParts, err)
	}
}

func TestResolveLeavesOptionsAlone(t *testing.T) {
	setenv(t, map[string]string{"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_S3": "https://s3.test"})
	o, err := OptionsFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	o.Tags = map[string]string{"a": "b"}
	before := *o
	before.Tags, before.origins = maps.Clone(o.Tags), maps.Clone(o.origins)
	r, err := o.resolve()
	if err != nil {
		t.Fatal(err)
	}
	r.Tags["a"] = "changed"
	if !reflect.DeepEqual(*o, before) {
		t.Errorf("the options have changed:\n%v\nwere\n%v", o, before)
	}
}

// good are options in which everything is set.
func good() *Options {
	return &Options{
		Prefix: "a/b", Region: "eu-central-1", Endpoint: "https://s3.test:9000/below", PublicEndpoint: "http://[::1]", PathStyle: true,
		AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG", SessionToken: "FwoGZXIvYXdzEBY",
		RoleARN: "arn:aws-us-gov:iam::123456789012:role/team/backup", RoleSessionName: "me@host", STSEndpoint: "https://sts.test",
		PartSize: 5 << 20, Concurrency: 64, MaxParts: 10000, Checksum: ChecksumSHA256, StorageClass: "STANDARD_IA", SSE: SSEKMS,
		SSEKMSKeyID: "alias/backup", ObjectLock: ObjectLock{"GOVERNANCE", time.Hour}, Tags: map[string]string{"team": "db"},
		StallTimeout: time.Second, MaxAttempts: 1, MaxPause: time.Millisecond,
	}
}

func TestGoodOptions(t *testing.T) {
	setenv(t, nil)
	if _, err := good().resolve(); err != nil {
		t.Error(err)
	}
	for _, arn := range []string{"arn:aws:iam:::role/S3Access", "arn:aws:iam::RGW12345678901234567:role/a", "arn:aws-cn:iam::123456789012:role/path/a"} {
		o := good()
		o.RoleARN = arn
		if _, err := o.resolve(); err != nil {
			t.Error(err)
		}
	}
}

func TestBadOptions(t *testing.T) {
	setenv(t, map[string]string{"CONFIG": "[profile known]\nregion = eu-west-3\n[profile broken]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nowhere\n"})
	for _, test := range []struct {
		change func(*Options)
		want   string // of the one error
	}{
		{func(o *Options) { o.Prefix = "a//b" }, "Prefix: component 2 is empty"},
		{func(o *Options) { o.Prefix = "a/" }, "Prefix: component 2 is empty"},
		{func(o *Options) { o.Region = "eu west" }, "Region: is not a region's name"},
		{func(o *Options) { o.Region = strings.Repeat("a", 64) }, "Region: is not a region's name"},
		{func(o *Options) { o.Endpoint = "s3.test" }, "Endpoint: it does not begin with https://"},
		{func(o *Options) { o.Endpoint = "localhost:9000" }, "Endpoint: it does not begin with https://"},
		{func(o *Options) { o.Endpoint = "ftp://s3.test" }, "Endpoint: it does not begin with https://"},
		{func(o *Options) { o.Endpoint = "https://" }, "Endpoint: it has no host"},
		{func(o *Options) { o.Endpoint = "https://:9000" }, "Endpoint: it has no host"},
		{func(o *Options) { o.Endpoint = "https://s3.test:0" }, "Endpoint: its port is not 1 to 65535"},
		{func(o *Options) { o.Endpoint = "https://s3.test:65536" }, "Endpoint: its port is not 1 to 65535"},
		{func(o *Options) { o.Endpoint = "https://user:hunter2@s3.test" }, "Endpoint: it has a user or a password in it"},
		{func(o *Options) { o.Endpoint = "https://us er:hunter2@s3.test" }, "Endpoint: it is not a URL"},
		{func(o *Options) { o.PublicEndpoint = "https://s3.test/?x=hunter2" }, "PublicEndpoint: it has a query or a fragment"},
		{func(o *Options) { o.PublicEndpoint = "https://s3.test/?" }, "PublicEndpoint: it has a query or a fragment"},
		{func(o *Options) { o.STSEndpoint = "https://s3.test/#hunter2" }, "STSEndpoint: it has a query or a fragment"},
		{func(o *Options) { o.Profile = "known" }, "Profile: is set beside AccessKeyID: choose one"},
		{func(o *Options) { o.AccessKeyID = "" }, "AccessKeyID: is not set, but SecretAccessKey is"},
		{func(o *Options) { o.SecretAccessKey = "" }, "SecretAccessKey: is not set, but AccessKeyID is"},
		{func(o *Options) { o.AccessKeyID, o.SecretAccessKey = "", "" }, "SessionToken: is set without an access key"},
		{func(o *Options) { o.SecretAccessKey = "hunter2\n" }, "SecretAccessKey: has a blank, a line break"},
		{func(o *Options) { o.STSProfile = "unknown" }, `STSProfile: there is no profile "unknown"`},
		{func(o *Options) { o.STSProfile = "broken" }, `STSProfile: profile "broken" cannot be read`},
		{func(o *Options) { o.RoleARN = "backup" }, "RoleARN: is not the ARN of a role"},
		{func(o *Options) { o.RoleARN = "arn:aws:iam::123456789012:user/me" }, "RoleARN: is not the ARN of a role"},
		{func(o *Options) { o.RoleARN = "arn:aws:iam::123456789012:role/" }, "RoleARN: is not the ARN of a role"},
		{func(o *Options) { o.RoleSessionName = "x" }, "RoleSessionName: is not 2 to 64 letters"},
		{func(o *Options) { o.RoleSessionName = "a b" }, "RoleSessionName: is not 2 to 64 letters"},
		{func(o *Options) { o.PartSize = 5<<20 - 1 }, "PartSize: 5242879 bytes are not between"},
		{func(o *Options) { o.PartSize, o.MaxParts = 5<<30+1, 1 }, "PartSize: 5368709121 bytes are not between"},
		{func(o *Options) { o.PartSize = -1 }, "PartSize: -1 bytes are not between"},
		{func(o *Options) { o.PartSize = math.MaxInt64 }, "PartSize: 9223372036854775807 bytes are not between"},
		{func(o *Options) { o.Concurrency = 65 }, "Concurrency: 65 is not between 1 and 64"},
		{func(o *Options) { o.Concurrency = -1 }, "Concurrency: -1 is not between 1 and 64"},
		{func(o *Options) { o.MaxParts = 10001 }, "MaxParts: 10001 is not between 1 and 10,000"},
		{func(o *Options) { o.MaxParts = -1 }, "MaxParts: -1 is not between 1 and 10,000"},
		{func(o *Options) { o.PartSize = 1 << 30 }, "MaxParts: 10000 parts of 1073741824 bytes are more than the 5 TiB"},
		{func(o *Options) { o.Checksum = "MD5" }, `Checksum: "MD5" is neither empty nor SHA256`},
		{func(o *Options) { o.StorageClass = "not this" }, `StorageClass: "not this" is not a storage class`},
		{func(o *Options) { o.SSE, o.SSEKMSKeyID = "aes", "" }, `SSE: "aes" is neither`},
		{func(o *Options) { o.SSE = SSES3 }, "SSEKMSKeyID: is set, but SSE is not aws:kms"},
		{func(o *Options) { o.SSEKMSKeyID = "a\nb" }, "SSEKMSKeyID: is not the id of a key"},
		{func(o *Options) { o.ObjectLock.Mode = "governance" }, `ObjectLock: Mode "governance" is neither`},
		{func(o *Options) { o.ObjectLock.Mode = "" }, "ObjectLock: For is set without Mode"},
		{func(o *Options) { o.ObjectLock.For = 0 }, "ObjectLock: For is 0s, not a time"},
		{func(o *Options) { o.ObjectLock.For = math.MaxInt64 }, "ObjectLock: For is"},
		{func(o *Options) { o.Tags = manyTags(11) }, "Tags: there are 11, more than 10"},
		{func(o *Options) { o.Tags = map[string]string{"": "x"} }, `Tags: the key "" does not have 1 to 128 characters`},
		{func(o *Options) { o.Tags = map[string]string{strings.Repeat("ä", 129): ""} }, "does not have 1 to 128 characters"},
		{func(o *Options) { o.Tags = map[string]string{"k": strings.Repeat("ä", 257)} }, `Tags: the value of "k" has more than 256`},
		{func(o *Options) { o.Tags = map[string]string{"AWS:k": ""} }, `Tags: the key "AWS:k" begins as only`},
		{func(o *Options) { o.Tags = map[string]string{"k": "\xff"} }, `Tags: "k" is not valid UTF-8`},
		{func(o *Options) { o.StallTimeout = -1 }, "StallTimeout: -1ns is not a time to wait"},
		{func(o *Options) { o.MaxAttempts = 101 }, "MaxAttempts: 101 is not between 1 and 100"},
		{func(o *Options) { o.MaxPause = -time.Second }, "MaxPause: -1s is not a time to wait"},
	} {
		o := good()
		test.change(o)
		r, err := o.resolve()
		switch {
		case err == nil:
			t.Errorf("no error, want %q", test.want)
		case r != nil:
			t.Errorf("options and the error %v", err)
		case !strings.Contains(err.Error(), test.want), strings.Contains(err.Error(), "\n"):
			t.Errorf("got %q, want one problem, %q", err, test.want)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%v: repeats a secret", err)
		}
	}
}

func manyTags(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[strings.Repeat("x", i+1)] = ""
	}
	return tags
}

func TestAllProblemsAtOnce(t *testing.T) {
	setenv(t, nil)
	_, err := Open(t.Context(), "My_Bucket", &Options{Endpoint: "x", Profile: "nobody", RoleARN: "y", PartSize: 1})
	for _, want := range []string{"My_Bucket", "Endpoint: ", "Profile: ", "RoleARN: ", "PartSize: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if e, ok := err.(*storage.Error); !ok || e.Op != "open" || e.Volume != "s3://My_Bucket" {
		t.Errorf("got %#v, want a storage.Error", err)
	}
}

func TestCheckBucket(t *testing.T) {
	for _, name := range []string{"abc", "my.bucket-1", "0-0", strings.Repeat("a", 63), "10.0.0.1", "bucket--use1-az4--x-s3"} {
		if err := checkBucket(name); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{
		"":                      "is empty",
		"ab":                    "has 2 characters",
		strings.Repeat("a", 64): "has 64 characters",
		"Bucket":                "has upper-case letters",
		"my_bucket":             "has an underscore",
		"bucket/prefix":         "what follows the slash is Prefix",
		"-bucket":               "at both ends",
		"bucket.":               "at both ends",
		"my..bucket":            "single dots",
		"bucket name":           "is not a name",
		"büro-daten":            "is not a name",
		"arn:aws:s3:::b":        "is not a name",
	} {
		if err := checkBucket(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}
