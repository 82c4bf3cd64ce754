package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// lying returns a volume in a server that answers every request with h.
func lying(t *testing.T, h http.HandlerFunc) *HTTPVolume {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return open(t, s.URL)
}

// cut sends raw instead of an answer, and closes the connection.
func cut(w http.ResponseWriter, raw string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, raw)
	conn.Close()
}

// TestPutOutcome has what an error of Put says of what may be stored.
func TestPutOutcome(t *testing.T) {
	errGone := errors.New("the database went away")
	whole, broken := strings.NewReader("data"), io.MultiReader(strings.NewReader("da"), &failing{errGone})
	readAll := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	for name, c := range map[string]struct {
		r       io.Reader
		h       http.HandlerFunc
		want    error
		certain bool // that nothing was stored
	}{
		"the source broke": {broken, func(_ http.ResponseWriter, r *http.Request) { readAll(r) }, errGone, true},
		"refused before the object went there": {whole, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		}, storage.ErrPermission, true},
		"refused after that, by who knows whom": {whole, func(w http.ResponseWriter, r *http.Request) {
			readAll(r)
			w.WriteHeader(http.StatusForbidden)
		}, storage.ErrPermission, false},
		"refused after that, by the server": {whole, func(w http.ResponseWriter, r *http.Request) {
			readAll(r)
			w.Header().Set(outcomeHeader, notApplied)
			w.WriteHeader(http.StatusInternalServerError)
		}, storage.ErrNotApplied, true},
		"too large": {whole, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}, storage.ErrTooLarge, true},
		"the answer was lost": {whole, func(w http.ResponseWriter, r *http.Request) {
			readAll(r)
			cut(w, "")
		}, nil, false},
		"stored before all of it came": {whole, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusCreated)
		}, nil, false},
		"redirected": {whole, func(w http.ResponseWriter, r *http.Request) {
			readAll(r)
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lying(t, c.h).Put(t.Context(), "name", c.r)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("Put: %v, want %v", err, c.want)
			}
			if errors.Is(err, storage.ErrNotApplied) != c.certain {
				t.Errorf("Put: %v; is ErrNotApplied: %t, want %t", err, !c.certain, c.certain)
			}
		})
		whole.Reset("data")
	}
}

// failing is a reader with that error.
type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// TestPutUnreachable has no server at all.
func TestPutUnreachable(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	if _, err := open(t, s.URL).Put(t.Context(), "name", strings.NewReader("data")); !errors.Is(err, storage.ErrNotApplied) {
		t.Errorf("Put: %v, want ErrNotApplied", err)
	}
}

// TestAnswerPending has the ctx end after all was sent, when the object may be stored.
func TestAnswerPending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := lying(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	_, err := v.Put(ctx, "name", strings.NewReader("data"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrNotApplied) {
		t.Errorf("Put: %v, want context.Canceled, and not ErrNotApplied", err)
	}
}

// TestOpenShort has answers that hold less, or something else, than was asked for: bytes 2 to 9 of 20.
func TestOpenShort(t *testing.T) {
	const head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes "
	for name, c := range map[string]struct {
		raw  string
		want error // nil for any
	}{
		"a connection that closes":    {head + "2-9/20\r\nContent-Length: 8\r\n\r\n2345", io.ErrUnexpectedEOF},
		"a clean end that is early":   {head + "2-9/20\r\nContent-Length: 4\r\n\r\n2345", io.ErrUnexpectedEOF},
		"a body without a length":     {head + "2-9/20\r\nConnection: close\r\n\r\n2345", io.ErrUnexpectedEOF},
		"another range":               {head + "0-7/20\r\nContent-Length: 8\r\n\r\n01234567", nil},
		"a shorter range":             {head + "2-5/20\r\nContent-Length: 4\r\n\r\n2345", nil},
		"a range beyond the end":      {head + "2-9/5\r\nContent-Length: 8\r\n\r\n23456789", nil},
		"no range":                    {"HTTP/1.1 206 Partial Content\r\nContent-Length: 8\r\n\r\n23456789", nil},
		"the whole":                   {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789", nil},
		"no such range, but a size":   {"HTTP/1.1 416 X\r\nContent-Range: bytes */20\r\nContent-Length: 0\r\n\r\n", nil},
		"an object that is too small": {"HTTP/1.1 416 X\r\nContent-Range: bytes */1\r\nContent-Length: 0\r\n\r\n", storage.ErrInvalidRange},
	} {
		t.Run(name, func(t *testing.T) {
			v := lying(t, func(w http.ResponseWriter, _ *http.Request) { cut(w, c.raw) })
			body, err := v.Open(t.Context(), "name", 2, 8)
			if err == nil {
				defer body.Close()
				_, err = io.ReadAll(body)
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Open, ReadAll: %v, want %v", err, c.want)
			}
		})
	}
}

// TestListShort has listings without their last line.
func TestListShort(t *testing.T) {
	const line = `{"name":"a","size":1,"modTime":"2026-01-01T00:00:00Z"}` + "\n"
	for name, body := range map[string]string{
		"nothing": "", "half": line, "cut in a line": line + line[:20], "a line without end": strings.Repeat("x", 1<<20), "HTML": "<html>\n",
	} {
		v := lying(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if all, err := storage.ListAll(t.Context(), v, ""); err == nil || all != nil {
			t.Errorf("%s: ListAll = %v, %v, want an error", name, all, err)
		}
	}
}

// TestNotAbsent has a proxy's 404, which says nothing of objects, and a page that shows the request.
func TestNotAbsent(t *testing.T) {
	v := lying(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no route for "+r.Header.Get("Authorization"), http.StatusNotFound)
	})
	_, statErr := v.Stat(t.Context(), "name")
	_, openErr := v.Open(t.Context(), "name", 0, -1)
	for op, err := range map[string]error{"Stat": statErr, "Open": openErr, "Delete": v.Delete(t.Context(), "name")} {
		if err == nil || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("%s: %v, want an error that is not ErrNotExist", op, err)
		}
		if err != nil && strings.Contains(err.Error(), testToken) {
			t.Errorf("%s: the token is in the error: %v", op, err)
		}
	}
}

func TestOpenHTTPRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"", "t"}, {"ftp://host/", "t"}, {"http://", "t"}, {"http://u:hidden@host/", "t"}, {"http://host/?key=hidden", "t"}, {"http://host/", ""},
	} {
		if _, err := OpenHTTP(c[0], c[1]); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("OpenHTTP(%q, %q): %v, want an error without what may be secret", c[0], c[1], err)
		}
	}
}

// TestServerRefuses has uploads that the server must not store, and looks for what they left in its directory.
func TestServerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		method, token, trailer string
		status                 int
	}{
		"no token":           {"PUT", "", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", http.StatusForbidden},
		"no digest":          {"PUT", testToken, "", http.StatusBadRequest},
		"another digest":     {"PUT", testToken, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", http.StatusBadRequest},
		"an unknown request": {"POST", testToken, "", http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := NewServer(dir, testToken)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r := httptest.NewRequest(c.method, "/name", strings.NewReader("data"))
			r.Header.Set("Authorization", "Bearer "+c.token)
			r.Trailer = http.Header{digestTrailer: {c.trailer}}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("the answer is %d %s, want %d", w.Code, w.Body, c.status)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left in the directory: %v, %v", left, err)
			}
		})
	}
	if _, err := NewServer(t.TempDir(), ""); err == nil {
		t.Error("NewServer without a token: no error")
	}
}
