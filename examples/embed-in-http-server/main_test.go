package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// site is a running program.
type site struct {
	t    *testing.T
	base string
	stop func() error
}

// start runs the program on a directory, until stop.
func start(t *testing.T, data string) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		args := []string{"-address", "127.0.0.1:0", "-data", data, "-cron", "0 0 1 1 *"}
		ended <- run(ctx, io.Discard, args, func(a string) { address <- a })
	}()
	s := &site{t: t, stop: func() error { cancel(); return <-ended }}
	select {
	case a := <-address:
		s.base = "http://" + a
	case err := <-ended:
		t.Fatal(err)
	}
	return s
}

// do makes a request, and decodes its JSON into v unless that is nil.
func (s *site) do(method, path, body string, status int, v any) []byte {
	s.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = s.base + path
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != status {
		s.t.Fatalf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, data)
	}
	if v != nil {
		if err := json.Unmarshal(data, v); err != nil {
			s.t.Fatalf("%v: %s", err, data)
		}
	}
	return data
}

// The snapshot that the schedule makes at the first start, one made by hand, and a link that gives back what was there then.
func TestProgram(t *testing.T) {
	data := t.TempDir()
	s := start(t, data)
	s.do(http.MethodPost, "/notes", "buy milk ä🦊", http.StatusOK, nil)

	var made entry
	s.do(http.MethodPost, "/backups", "", http.StatusOK, &made)
	s.do(http.MethodPost, "/notes", "too late", http.StatusOK, nil)

	var link struct{ URL string }
	s.do(http.MethodPost, "/backups/"+made.ID+"/link", "", http.StatusOK, &link)
	file := filepath.Join(t.TempDir(), "restored.sqlite")
	if err := os.WriteFile(file, s.do(http.MethodGet, link.URL, "", http.StatusOK, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all, err := (&notes{db}).all(t.Context())
	if err != nil || len(all) != 1 || all[0].Text != "buy milk ä🦊" {
		t.Errorf("the restored file has %v, %v", all, err)
	}

	s.do(http.MethodGet, strings.Replace(link.URL, made.ID, made.ID[:len(made.ID)-1]+"x", 1), "", http.StatusForbidden, nil)
	s.do(http.MethodGet, "/download/"+made.ID, "", http.StatusForbidden, nil)
	s.do(http.MethodPost, "/backups/20200101t000000000z-00000000/link", "", http.StatusNotFound, nil)

	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = start(t, data) // the key is read again
	var listed struct{ Snapshots []entry }
	s.do(http.MethodGet, "/backups", "", http.StatusOK, &listed)
	ids := map[string]bool{}
	for _, e := range listed.Snapshots {
		ids[e.ID] = true
	}
	if !ids[made.ID] {
		t.Errorf("after a restart the snapshots are %v, without %s", listed.Snapshots, made.ID)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(data, "backup.key"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(data, "backups"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte("buy milk")) || bytes.Contains(content, bytes.TrimSpace(key)) {
			t.Errorf("%s holds a note or the key in the clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinks(t *testing.T) {
	l, now := newLinks(), time.Unix(1_800_000_000, 0)
	path := l.sign("id", now.Add(time.Minute))
	_, query, _ := strings.Cut(path, "?")
	for _, test := range []struct {
		id, query string
		at        time.Time
		l         *links
		want      bool
	}{
		{"id", query, now, l, true},
		{"id", query, now.Add(time.Minute), l, false},
		{"other", query, now, l, false},
		{"id", strings.Replace(query, "1800000060", "1900000060", 1), now, l, false},
		{"id", "until=1800000060", now, l, false},
		{"id", query, now, newLinks(), false},
	} {
		q := mustQuery(t, test.query)
		if got := test.l.check(test.id, q, test.at); got != test.want {
			t.Errorf("%s %s at %v: %v", test.id, test.query, test.at, got)
		}
	}
}

func mustQuery(t *testing.T, text string) url.Values {
	t.Helper()
	q, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
