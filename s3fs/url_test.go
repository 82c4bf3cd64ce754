package s3fs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

func TestOpenURL(t *testing.T) {
	for text, want := range map[string]struct {
		volume string
		set    Options // what the URL sets
	}{
		"s3://bucket":              {"s3://bucket", Options{}},
		"s3://bucket/":             {"s3://bucket", Options{}},
		"s3://bucket/a/b":          {"s3://bucket/a/b", Options{Prefix: "a/b"}},
		"s3://bucket/a/b/":         {"s3://bucket/a/b", Options{Prefix: "a/b"}},
		"s3://bucket/a%20b%25%3F":  {"s3://bucket/a b%?", Options{Prefix: "a b%?"}},
		"s3://bucket/ü":            {"s3://bucket/ü", Options{Prefix: "ü"}},
		"s3://my.bucket-1/x":       {"s3://my.bucket-1/x", Options{Prefix: "x"}},
		"s3://bucket?concurrency=": {},
		"s3://bucket/x?part-size=5242880&concurrency=2&max-parts=1000&checksum=sha256&storage-class=STANDARD_IA&sse=aws:kms&sse-kms-key-id=k&stall-timeout=90s&max-attempts=5": {
			"s3://bucket/x", Options{Prefix: "x", PartSize: 5 << 20, Concurrency: 2, MaxParts: 1000, Checksum: ChecksumSHA256,
				StorageClass: "STANDARD_IA", SSE: SSEKMS, SSEKMSKeyID: "k", StallTimeout: 90 * time.Second, MaxAttempts: 5}},
	} {
		t.Run(text, func(t *testing.T) {
			setenv(t, nil)
			v, err := OpenURL(t.Context(), text, nil)
			if want.volume == "" {
				if err == nil {
					t.Errorf("opened %s", v)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.String() != want.volume || v.o.Prefix != want.set.Prefix {
				t.Errorf("opened %s, prefix %q, want %s", v, v.o.Prefix, want.volume)
			}
			expected, problems := want.set.resolved()
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := v.o; got.PartSize != expected.PartSize || got.Concurrency != expected.Concurrency || got.MaxParts != expected.MaxParts ||
				got.Checksum != expected.Checksum || got.StorageClass != expected.StorageClass || got.SSE != expected.SSE ||
				got.SSEKMSKeyID != expected.SSEKMSKeyID || got.StallTimeout != expected.StallTimeout || got.MaxAttempts != expected.MaxAttempts {
				t.Errorf("options are\n%s\nwant\n%s", got, expected)
			}
		})
	}
}

// TestBadURL: all that is wrong is named, and nothing of the URL that may be a secret.
func TestBadURL(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "must be s3://bucket",
		"bucket":                         "must be s3://bucket",
		"/bucket":                        "must be s3://bucket",
		"file:///bucket":                 "must be s3://bucket",
		"S3:bucket":                      "must be s3://bucket",
		"s3:bucket":                      "must be s3://bucket",
		"s3://":                          "must be s3://bucket",
		"s3:///key":                      "must be s3://bucket",
		"s3://key:hunter2@bucket/x":      "without a user",
		"s3://bucket/x#y":                "%23",
		"s3://bucket/x#":                 "%23",
		"s3://bucket/%zz":                "%25",
		"s3://bucket:9000/x":             "", // is no bucket's name
		"s3://B/x":                       "",
		"s3://bucket?x=1":                "x in the URL: no such setting: there are region, ",
		"s3://bucket?part-size=8MiB":     "part-size in the URL: want a number of bytes",
		"s3://bucket?part-size=-1":       "part-size in the URL: want a number of bytes",
		"s3://bucket?part-size=1024":     "PartSize",
		"s3://bucket?concurrency=0":      "concurrency in the URL: want a whole number",
		"s3://bucket?max-parts=x":        "max-parts in the URL: want a whole number",
		"s3://bucket?stall-timeout=9":    "stall-timeout in the URL: want a duration",
		"s3://bucket?stall-timeout=-1s":  "stall-timeout in the URL: want a duration",
		"s3://bucket?checksum=crc":       "Checksum",
		"s3://bucket?sse=x":              "SSE",
		"s3://bucket?sse=":               "sse in the URL: want one value",
		"s3://bucket?sse=a&sse=b":        "sse in the URL: want one value",
		"s3://bucket?a=1&concurrency=no": "concurrency in the URL",
		"s3://bucket?%zz":                "the URL's query",
		"s3://bucket?secret=hunter2":     "secret in the URL: no such setting",
	} {
		t.Run(text, func(t *testing.T) {
			setenv(t, nil)
			v, err := OpenURL(t.Context(), text, nil)
			if err == nil {
				t.Fatalf("opened %s", v)
			}
			if e := (*storage.Error)(nil); !errors.As(err, &e) || e.Op != "open" || !strings.Contains(err.Error(), want) {
				t.Errorf("%v\ndoes not say %q", err, want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestURLAndOptions: the URL goes before what the options say, and does not change them; two prefixes are one too many.
func TestURLAndOptions(t *testing.T) {
	setenv(t, nil)
	o := &Options{Prefix: "p", Concurrency: 5, MaxParts: 7}
	v, err := OpenURL(t.Context(), "s3://bucket?concurrency=2", o)
	if err != nil {
		t.Fatal(err)
	}
	if v.String() != "s3://bucket/p" || v.o.Concurrency != 2 || v.o.MaxParts != 7 || o.Concurrency != 5 {
		t.Errorf("%s with %d at once of %d parts; the options have %d", v, v.o.Concurrency, v.o.MaxParts, o.Concurrency)
	}
	if _, err := OpenURL(t.Context(), "s3://bucket/q", o); err == nil || !strings.Contains(err.Error(), "a prefix in the URL (q) and one in the options (p)") {
		t.Errorf("%v", err)
	}
}
