package minio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/databasement/backup/internal/integration/gobuild"
	"github.com/databasement/backup/internal/integration/process"
)

// child is a server that runs as a process.
type child struct {
	process *process.Server
}

// startProcess runs the built binary on loopback, with its data below s.dir.
func (s *Server) startProcess(ctx context.Context, tls bool) error {
	ctx, cancel := context.WithTimeout(ctx, buildTime+startTime)
	defer cancel()
	binary, err := gobuild.MinIO.Binary(ctx)
	if err != nil {
		return err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	certs := filepath.Join(s.dir, "certs")
	if err := os.Mkdir(certs, 0o700); err != nil {
		return err
	}
	if tls {
		if err := s.certify([]string{"127.0.0.1", "localhost"}, func(name string, data []byte) error {
			return os.WriteFile(filepath.Join(certs, name), data, 0o600)
		}); err != nil {
			return err
		}
	}
	s.Endpoint = scheme(tls) + "://" + address
	args := []string{"server", "--address", address, "--certs-dir", certs, filepath.Join(s.dir, "data")}
	p, err := process.Start(binary, args, s.env())
	if err != nil {
		return err
	}
	s.run = child{p}
	return p.Await(ctx, s.HTTPClient(), s.Endpoint+readiness)
}

func (c child) pause(context.Context) error {
	if err := c.process.Signal(syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop the server for a while: %w", err)
	}
	return nil
}

func (c child) resume(context.Context) error {
	if err := c.process.Signal(syscall.SIGCONT); err != nil {
		return fmt.Errorf("let the server go on: %w", err)
	}
	return nil
}

func (c child) stop(context.Context) error { return c.process.Stop() }
