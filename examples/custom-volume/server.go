package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// Server is what [HTTPVolume] speaks to: an [http.Handler] for a directory.
//
//	PUT /NAME         stores an object with its SHA-256 in the trailer Content-Digest, durably: 201
//	GET, HEAD /NAME   the object, or the Range that is asked for
//	DELETE /NAME      removes it: 204, also if there was none
//	GET /?prefix=P    a line of JSON for each object, in byte order of the names, and {"end":true}
type Server struct {
	objects *localfs.Volume // stores, lists and deletes
	files   *os.Root        // an open file stays the same version, and its size is its own
	token   string
}

// NewServer serves the objects in dir, which it makes if it is missing, to those who send the token.
func NewServer(dir, token string) (*Server, error) {
	if token == "" {
		return nil, errors.New("new server: no token: anyone could read and delete")
	}
	objects, err := localfs.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	files, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, objects.Close())
	}
	return &Server{objects: objects, files: files, token: token}, nil
}

// Close lets go of the directory.
func (s *Server) Close() error { return errors.Join(s.objects.Close(), s.files.Close()) }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	var err error
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.token)) == 0:
		err = fmt.Errorf("%w: wrong token", storage.ErrPermission)
	case r.Method == http.MethodGet && name == "":
		s.list(w, r)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		err = s.get(w, r, name)
	case r.Method == http.MethodPut:
		err = s.put(w, r, name)
	case r.Method == http.MethodDelete:
		if err = s.objects.Delete(r.Context(), name); err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		fail(w, err)
	}
}

// put answers when the object has reached the disk, not before.
func (s *Server) put(w http.ResponseWriter, r *http.Request, name string) error {
	o, err := s.objects.Put(r.Context(), name, &checked{r: r, sum: sha256.New()})
	if err == nil {
		w.Header().Set("Last-Modified", o.ModTime.UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusCreated)
	}
	return err
}

func (s *Server) get(w http.ResponseWriter, r *http.Request, name string) error {
	if _, err := s.objects.Stat(r.Context(), name); err != nil { // names and directories
		return err
	}
	f, err := s.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// list stops without the last line if something fails, since the status is sent by then.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	lines := json.NewEncoder(w)
	for o, err := range s.objects.List(r.Context(), r.URL.Query().Get("prefix")) {
		if err == nil {
			err = lines.Encode(entry{Name: o.Name, Size: o.Size, ModTime: o.ModTime})
		}
		if err != nil {
			return
		}
	}
	_ = lines.Encode(entry{End: true}) // who does not get it knows
}

// fail answers why, and whether something may have been stored, without the server's paths.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, storage.ErrNotExist):
		status = http.StatusNotFound
		w.Header().Set(outcomeHeader, absent)
	case errors.Is(err, storage.ErrPermission):
		status = http.StatusForbidden
	case errors.Is(err, storage.ErrInvalidName), errors.Is(err, errDigest):
		status = http.StatusBadRequest
	case errors.Is(err, errors.ErrUnsupported):
		status = http.StatusMethodNotAllowed
	}
	if errors.Is(err, storage.ErrNotApplied) {
		w.Header().Set(outcomeHeader, notApplied)
	}
	if e := (*storage.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	http.Error(w, err.Error(), status)
}

var errDigest = errors.New("the object did not come whole: its Content-Digest is missing or another")

// checked is an object on its way in. It ends with io.EOF only if it is what the client read.
type checked struct {
	r   *http.Request
	sum hash.Hash
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Body.Read(p)
	c.sum.Write(p[:n])
	if err == io.EOF && c.r.Trailer.Get(digestTrailer) != digest(c.sum) {
		err = errDigest
	}
	return n, err
}

// newHTTPServer gives handler the time limits that a server in a network needs. There is none for a whole request.
func newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
}
