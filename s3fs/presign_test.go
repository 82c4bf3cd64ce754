package s3fs

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/fakes3"
)

// fetch is a plain GET, as by a browser: no credentials, no header of ours.
func fetch(t *testing.T, s *fakes3.Server, link string) (status int, body string) {
	t.Helper()
	resp, err := s.Client().Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestPresign(t *testing.T) {
	const name = "shop/2026 +%&é.sql.zst"
	for what, test := range map[string]struct {
		change func(*Options)
		start  string // of the URL
	}{
		"path style": {func(o *Options) { o.PathStyle = true }, "https://s3.test/bucket/daily/shop/"},
		"host style": {func(o *Options) {}, "https://bucket.s3.test/daily/shop/"},
		"public": {func(o *Options) { o.PublicEndpoint, o.PathStyle = "http://public.test:8080", true },
			"http://public.test:8080/bucket/daily/shop/"},
		"AWS": {func(o *Options) { o.Endpoint, o.Region = "", "eu-central-1" },
			"https://bucket.s3.eu-central-1.amazonaws.com/daily/shop/"},
	} {
		t.Run(what, func(t *testing.T) {
			setenv(t, nil)
			s, bucket := server(t)
			bucket.Put("daily/"+name, []byte("contents"), nil)
			o := rooted(s)
			o.PathStyle, o.Prefix, o.SSE, o.Checksum, o.Tags = false, "daily", SSES3, ChecksumSHA256, map[string]string{"a": "b"}
			test.change(o)
			before := time.Now().Truncate(time.Second)
			link, until, err := mustOpen(t, o).Presign(t.Context(), name, 90*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(link, test.start) {
				t.Errorf("got %s, want %s…", link, test.start)
			}
			if want := before.Add(90 * time.Minute); until.Before(want) || until.After(time.Now().Add(90*time.Minute)) {
				t.Errorf("until %s, want %s or a little later", until, want)
			}
			u, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			for parameter, want := range map[string]string{"X-Amz-SignedHeaders": "host", "X-Amz-Expires": "5400"} {
				if got := u.Query().Get(parameter); got != want {
					t.Errorf("%s is %s, want %s", parameter, got, want)
				}
			}
			if status, body := fetch(t, s, link); status != http.StatusOK || body != "contents" {
				t.Errorf("got %d, %s", status, body)
			}
		})
	}
}

func TestPresignRefusals(t *testing.T) {
	setenv(t, nil)
	v := mustOpen(t, &Options{AccessKeyID: "AKIAROOT", SecretAccessKey: "root"})
	for _, expires := range []time.Duration{-time.Hour, 0, time.Second - 1, 7*24*time.Hour + 1} {
		if link, _, err := v.Presign(t.Context(), "a", expires); err == nil || !strings.Contains(err.Error(), "between 1s and 7 days") {
			t.Errorf("%s: got %s, %v, want an error", expires, link, err)
		}
	}
	if link, _, err := v.Presign(t.Context(), "../a", time.Hour); err == nil {
		t.Errorf("got %s for an invalid name", link)
	}
}

// TestPresignEndsWithSession: a link dies with the session that signed it (aws/aws-cli#5076), and until says when.
func TestPresignEndsWithSession(t *testing.T) {
	setenv(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "s"})
	synctest.Test(t, func(t *testing.T) {
		s, bucket := server(t)
		bucket.Put("a", []byte("contents"), nil)
		fake := newFakeSTS(s, time.Hour)
		v := mustOpen(t, assuming(fake))
		link := func(expires, want time.Duration, calls int) string {
			t.Helper()
			link, until, err := v.Presign(t.Context(), "a", expires)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(until); left != want || len(fake.asked()) != calls {
				t.Errorf("lasts for %s after %d calls of STS, want %s and %d", left, len(fake.asked()), want, calls)
			}
			return link
		}
		link(time.Minute, time.Minute, 1)
		link(24*time.Hour, time.Hour, 1)
		time.Sleep(30 * time.Minute)
		link(20*time.Minute, 20*time.Minute, 1)
		late := link(24*time.Hour, time.Hour, 2) // a new session, as the old one would end too soon
		time.Sleep(time.Hour - time.Second)
		if status, body := fetch(t, s, late); status != http.StatusOK {
			t.Errorf("a second before its end: %d, %s", status, body)
		}
		time.Sleep(2 * time.Second)
		if status, _ := fetch(t, s, late); status == http.StatusOK {
			t.Error("works after its end")
		}
	})
}
