package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/internal/fakes3"
)

const (
	s3Secret = "a-secret-of-the-fake-store"
	s3Token  = "a-session-token-of-the-fake-store"
)

// newBucket is a shell whose volume is in a bucket of a fake store, which checks signatures.
func newBucket(t *testing.T) (*shell, *fakes3.Bucket) {
	t.Helper()
	store := fakes3.New()
	store.SetKey("AKIAFAKE", fakes3.Key{Secret: s3Secret, SessionToken: s3Token})
	server := httptest.NewServer(store)
	t.Cleanup(func() {
		server.Close()
		store.Close()
	})
	for _, name := range []string{
		"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_PUBLIC_ENDPOINT_URL_S3", "AWS_S3_PROFILE", "AWS_CUSTOM_ROLE_ARN",
		"AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS", "AWS_STS_PROFILE",
	} {
		t.Setenv(name, "")
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": s3Secret, "AWS_SESSION_TOKEN": s3Token,
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_USE_PATH_STYLE_ENDPOINT": "true",
	} {
		t.Setenv(name, value)
	}
	s := newShell(t)
	s.env["BACKUP_VOLUME"] = "s3://bucket/some/prefix"
	return s, store.CreateBucket("bucket")
}

func TestBucket(t *testing.T) {
	s, bucket := newBucket(t)
	id := strings.TrimSpace(s.ok("the data", "backup", "--name", "shop", "--ext", ".sql"))
	if got := s.ok("", "restore", "shop/latest"); got != "the data" {
		t.Fatalf("restored %q", got)
	}
	for _, o := range bucket.Objects() {
		if !strings.HasPrefix(o.Key, "some/prefix/") {
			t.Errorf("%q is outside the prefix", o.Key)
		}
	}
	s.ok("", "verify", id)
	s.ok("", "delete", id)
	if names := s.ok("", "names"); names != "" {
		t.Errorf("after delete there is %q", names)
	}
}

// A stream that is longer than an object of two parts of 5 MiB.
func TestBucketSegments(t *testing.T) {
	s, bucket := newBucket(t)
	s.env["BACKUP_VOLUME"] += "?part-size=5242880&max-parts=2"
	data := strings.Repeat("0123456789abcdef", 25<<20/16)
	id := strings.TrimSpace(s.ok(data, "backup", "--name", "shop", "--compression", "none"))
	if bucket.Object("some/prefix/"+id+".aes.003") == nil {
		t.Errorf("no third segment: %v", bucket.Objects())
	}
	if got := s.ok("", "restore", id); got != data {
		t.Errorf("restored %d bytes, not the %d that were backed up", len(got), len(data))
	}
}

func TestLinks(t *testing.T) {
	s, bucket := newBucket(t)
	id := strings.TrimSpace(s.ok("the data", "backup", "--name", "shop"))
	r := s.run("", "url", id, "--expires", "15m")
	link := strings.TrimSpace(r.out)
	if r.status != exitOK || !strings.Contains(r.err, "the links end at ") || strings.Contains(r.err, "earlier") {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	want, _ := bucket.Bytes("some/prefix/" + id + ".zst.aes")
	if err != nil || resp.StatusCode != http.StatusOK || string(got) != string(want) {
		t.Errorf("the link gives status %d, %d bytes and %v, want the %d bytes of the object", resp.StatusCode, len(got), err, len(want))
	}
	s.fails(exitFailure, []string{"url", id, "--expires", "200h"}, "7 days")
	newShell(t).fails(exitFailure, []string{"--volume", fileURLOf(t.TempDir()), "url", id}, "no links")
}

func TestBucketCheck(t *testing.T) {
	s, bucket := newBucket(t)
	out := s.ok("", "check")
	if strings.Contains(out, s3Secret) || strings.Contains(out, s3Token) {
		t.Errorf("check prints a secret:\n%s", out)
	}
	for _, want := range []string{"AWS_ENDPOINT_URL_S3", "ok      put (s3:PutObject)", "ok      list (s3:ListBucket)", "ok      conditional requests", "a writer", "a restorer", "a pruner", `"arn:aws:s3:::bucket/some/prefix/*"`} {
		if !strings.Contains(out, want) {
			t.Errorf("check does not print %q:\n%s", want, out)
		}
	}
	if left := bucket.Objects(); len(left) > 0 {
		t.Errorf("check left %d objects", len(left))
	}
	if left := bucket.Uploads(); len(left) > 0 {
		t.Errorf("check left uploads: %v", left)
	}
}

func TestBucketErrors(t *testing.T) {
	s, _ := newBucket(t)
	for what, c := range map[string]struct {
		name, value string
		want        []string
	}{
		"a wrong secret":       {"AWS_SECRET_ACCESS_KEY", "wrong", []string{"SignatureDoesNotMatch", "check the access key"}},
		"half a key pair":      {"AWS_SECRET_ACCESS_KEY", "", []string{"AWS_SECRET_ACCESS_KEY"}},
		"a bad endpoint":       {"AWS_ENDPOINT_URL_S3", "localhost:9000", []string{"AWS_ENDPOINT_URL_S3"}},
		"an unknown profile":   {"AWS_S3_PROFILE", "nobody", []string{"AWS_S3_PROFILE", "nobody"}},
		"a bad role":           {"AWS_CUSTOM_ROLE_ARN", "admin", []string{"AWS_CUSTOM_ROLE_ARN"}},
		"neither true nor not": {"AWS_USE_PATH_STYLE_ENDPOINT", "maybe", []string{"AWS_USE_PATH_STYLE_ENDPOINT"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			s := &shell{t, s.dir, s.key, s.env}
			status := exitUsage // a wrong setting
			if what == "a wrong secret" {
				status = exitFailure
			}
			s.fails(status, []string{"list"}, c.want...)
			if r := s.run("", "list"); strings.Contains(r.err, s3Secret) || strings.Contains(r.err, s3Token) {
				t.Errorf("a secret was printed: %s", r.err)
			}
		})
	}
	for volume, want := range map[string]string{
		"s3://":                            "must be s3://bucket",
		"s3://user:password@bucket/prefix": "without a user",
		"s3://bucket/prefix?max-parts=x":   "max-parts",
		"s3://bucket/prefix?maxparts=3":    "no such setting",
		"s3://Bad_Bucket":                  "Bad_Bucket",
		"s3://nosuch":                      "create the bucket",
	} {
		r := s.run("", "--volume", volume, "list")
		if r.status == exitOK || !strings.Contains(r.err, want) || strings.Contains(r.err, "password@") {
			t.Errorf("volume %q: status %d, %q lacks %q", volume, r.status, r.err, want)
		}
	}
}

// What the environment has in its way of a store is in the program's help.
func TestHelpHasVariables(t *testing.T) {
	out := newShell(t).ok("", "help")
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL_S3", "AWS_PUBLIC_ENDPOINT_URL_S3",
		"AWS_USE_PATH_STYLE_ENDPOINT", "AWS_S3_PROFILE", "AWS_CUSTOM_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS", "AWS_STS_PROFILE",
	} {
		if !slices.Contains(strings.FieldsFunc(out, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }), name) {
			t.Errorf("help does not name %s", name)
		}
	}
}
