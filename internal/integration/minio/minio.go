// Package minio starts MinIO for the tests: the one of the environment, in a container, or as a process.
//
// INTEGRATION_MINIO_ENDPOINT, such as http://127.0.0.1:9000, names a server to use instead of starting one, with
// INTEGRATION_MINIO_ACCESS_KEY and INTEGRATION_MINIO_SECRET_KEY of an administrator, and for https
// INTEGRATION_MINIO_CA, the file with its authority's certificate. It stands for the plain server if it is http, else
// for the one with TLS; the other is started. With INTEGRATION_REQUIRE, "container" or "process", nothing else is tried.
//
// What belongs here is the server and its users. Its buckets are made with minio-go, by the tests.
package minio

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Way is how a server runs.
type Way string

const (
	Endpoint  Way = "endpoint"  // it was there: INTEGRATION_MINIO_ENDPOINT
	Container Way = "container" // through Docker
	Process   Way = "process"   // a child of the test
)

// Options say which server is wanted.
type Options struct {
	TLS bool // with a certificate of an authority that nobody knows
	Own bool // not the one of the environment, because it is to be paused or stopped
}

// Server is a MinIO that answers.
type Server struct {
	Endpoint             string // such as http://127.0.0.1:9000
	AccessKey, SecretKey string // of its administrator
	CAFile               string // PEM, the authority of its certificate; empty without TLS
	Way                  Way
	Image                string // of a container
	Instead              error  // why it does not run in a way that is preferred; may be nil

	dir    string // temporary, of what the server needs
	client *http.Client
	run    running // nil if it was not started here
}

// running is a server that was started here.
type running interface {
	pause(context.Context) error
	resume(context.Context) error
	stop(context.Context) error
}

const (
	readiness = "/minio/health/ready"
	startTime = time.Minute
)

// Start gives a server that answers; the caller stops it.
func Start(ctx context.Context, opts Options) (*Server, error) {
	required := Way(os.Getenv("INTEGRATION_REQUIRE"))
	endpoint := os.Getenv("INTEGRATION_MINIO_ENDPOINT")
	if required == "" && !opts.Own && strings.HasPrefix(endpoint, scheme(opts.TLS)+"://") {
		return fromEnvironment(ctx, endpoint)
	}
	var failed error
	for _, way := range []Way{Container, Process} {
		if required != "" && way != required {
			continue
		}
		s, err := start(ctx, way, opts.TLS)
		if err == nil {
			s.Instead = failed
			return s, nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", way, err))
	}
	if failed == nil {
		failed = errors.New("there is no such way: container, process")
	}
	return nil, fmt.Errorf("start MinIO, INTEGRATION_REQUIRE=%q: %w", required, failed)
}

// start gives a server that runs in one way, and leaves nothing behind if there is none.
func start(ctx context.Context, way Way, tls bool) (*Server, error) {
	s, err := newServer(way)
	if err != nil {
		return nil, err
	}
	if way == Container {
		err = s.startContainer(ctx, tls)
	} else {
		err = s.startProcess(ctx, tls)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func newServer(way Way) (*Server, error) {
	dir, err := os.MkdirTemp("", "minio-")
	if err != nil {
		return nil, err
	}
	return &Server{
		Way: way, AccessKey: "root-" + rand.Text(), SecretKey: rand.Text(), dir: dir, client: &http.Client{Transport: &http.Transport{}},
	}, nil
}

// fromEnvironment is the server that the environment names, if it answers.
func fromEnvironment(ctx context.Context, endpoint string) (*Server, error) {
	s := &Server{
		Endpoint: endpoint, Way: Endpoint, client: &http.Client{Transport: &http.Transport{}},
		AccessKey: os.Getenv("INTEGRATION_MINIO_ACCESS_KEY"), SecretKey: os.Getenv("INTEGRATION_MINIO_SECRET_KEY"),
	}
	if s.CAFile = os.Getenv("INTEGRATION_MINIO_CA"); s.CAFile != "" {
		authority, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("INTEGRATION_MINIO_CA: %w", err)
		}
		s.trust(authority)
	}
	if _, err := s.admin(ctx, http.MethodGet, "/minio/admin/v3/info", nil); err != nil {
		return nil, fmt.Errorf("INTEGRATION_MINIO_ENDPOINT: %w", err)
	}
	return s, nil
}

func scheme(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// env is the environment of a server that is started.
func (s *Server) env() []string {
	var key [32]byte
	rand.Read(key[:])
	return []string{
		"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"MINIO_KMS_SECRET_KEY=tests:" + base64.StdEncoding.EncodeToString(key[:]), // so that it can encrypt
	}
}

// certify makes a certificate for the hosts, gives its files to put, and lets s trust it.
func (s *Server) certify(hosts []string, put func(name string, data []byte) error) error {
	c, err := newCertificate(hosts)
	if err != nil {
		return err
	}
	s.trust(c.authority)
	s.CAFile = filepath.Join(s.dir, "authority.pem")
	return errors.Join(os.WriteFile(s.CAFile, c.authority, 0o600), put("public.crt", c.public), put("private.key", c.private))
}

func (s *Server) trust(authority []byte) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
}

// HTTPClient trusts the server.
func (s *Server) HTTPClient() *http.Client { return s.client }

// String says which server this is and how it runs.
func (s *Server) String() string {
	if s.Way == Container {
		return fmt.Sprintf("%s %s at %s", s.Way, s.Image, s.Endpoint)
	}
	if s.Instead != nil {
		return fmt.Sprintf("%s at %s, because of %v", s.Way, s.Endpoint, s.Instead)
	}
	return fmt.Sprintf("%s at %s", s.Way, s.Endpoint)
}

// Pause stops the server as SIGSTOP does: its connections stay open, and nothing moves on them.
func (s *Server) Pause(ctx context.Context) error { return s.run.pause(ctx) }

// Resume lets a paused server go on.
func (s *Server) Resume(ctx context.Context) error { return s.run.resume(ctx) }

// Stop ends a server that was started here, and removes all that it had.
func (s *Server) Stop() error {
	if s.Way == Endpoint {
		return nil
	}
	s.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	var err error
	if s.run != nil {
		err = s.run.stop(ctx)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
