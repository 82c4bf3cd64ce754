package s3

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// A signed URL works with a plain client, until it says.
func TestPresign(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			s, bucket, opts := p.make(t)
			v := open(t, bucket, opts)
			want, _ := io.ReadAll(dump(1, 1000))
			if _, err := v.Put(t.Context(), "a b/c+d", bytes.NewReader(want)); err != nil {
				t.Fatal(err)
			}
			ends := p.name == "plain" || p.name == "versitygw" // a wait elsewhere would show the same
			expires := time.Hour
			if ends {
				expires = 5 * time.Second
			}
			begun := time.Now()
			url, until, err := v.Presign(t.Context(), "a b/c+d", expires)
			if err != nil {
				t.Fatal(err)
			}
			if left := until.Sub(begun); left < expires-time.Second || left > expires+time.Second {
				t.Errorf("it ends after %v, %v were asked for", left, expires)
			}
			if status, got := s.fetch(t, url); status != http.StatusOK || !bytes.Equal(got, want) {
				t.Errorf("status %d, %d bytes", status, len(got))
			}
			if !ends {
				return
			}
			time.Sleep(time.Until(until.Add(time.Second)))
			if status, _ := s.fetch(t, url); status != http.StatusForbidden {
				t.Errorf("after its end: status %d, want 403", status)
			}
		})
	}
}

func (s *store) fetch(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	resp, err := (&http.Client{Transport: s.http}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// PITFALLS 39: a URL that a session has signed ends with the session.
func TestPresignOfSession(t *testing.T) {
	i := 0
	for ; places[i].name != "role"; i++ {
	}
	_, bucket, opts := places[i].make(t)
	begun := time.Now()
	_, until, err := open(t, bucket, opts).Presign(t.Context(), "x", 7*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if left := until.Sub(begun); left > 24*time.Hour {
		t.Errorf("a session of at most some hours has signed for %v", left)
	}
}
