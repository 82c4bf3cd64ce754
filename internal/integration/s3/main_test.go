package s3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/databasement/backup/internal/integration/minio"
)

// What all tests of this package share: one server for each configuration, started when the first test wants it.
var (
	plain = &shared{}
	tls   = &shared{opts: minio.Options{TLS: true}}
)

// shared is a server that several tests use.
type shared struct {
	opts   minio.Options
	once   sync.Once
	server *minio.Server
	err    error
}

// get is the server. How it runs is logged, because it depends on the machine.
func (s *shared) get(t *testing.T) *minio.Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = minio.Start(context.Background(), s.opts) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// stop ends the server if there is one, and says which way it ran.
func (s *shared) stop() error {
	if s.server == nil {
		return nil
	}
	fmt.Printf("minio: %v\n", s.server)
	return s.server.Stop()
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := errors.Join(plain.stop(), tls.stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
