package main

import (
	"net/http/httptest"
	"testing"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

const testToken = "the-token-of-the-tests"

// open returns a volume in the server at url.
func open(t *testing.T, url string) *HTTPVolume {
	t.Helper()
	v, err := OpenHTTP(url, testToken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// serve returns the URL of a Server for a new directory.
func serve(t *testing.T) string {
	t.Helper()
	s, err := NewServer(t.TempDir(), testToken)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		s.Close()
	})
	return h.URL
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Volume { return open(t, serve(t)) })
}
