//go:build linux

package dbserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// Postgres starts a PostgreSQL server in dir, an empty directory. Its administrator is postgres, by a password.
func Postgres(dir string) (*Server, error) {
	s, err := startPostgres(dir)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

func startPostgres(dir string) (*Server, error) {
	initdb, err := program("initdb", "postgresql", "/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return nil, err
	}
	a, err := owner("postgres")
	if err != nil {
		return nil, err
	}
	home, err := a.directory(dir, "postgres")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	secret := filepath.Join(home, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o644); err != nil { // in a directory that is closed
		return nil, err
	}
	data := filepath.Join(home, "data")
	if err := a.run(home, initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile="+secret, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"); err != nil {
		return nil, err
	}
	server := a.command(home, filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "synchronous_commit=off", "-c", "max_wal_size=2GB", "-c", "shared_buffers=64MB")
	return start(server, syscall.SIGINT, port, "postgres", "postgres", func() error {
		ready := exec.Command("psql", "-X", "-w", "-A", "-t", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "postgres", "-d", "postgres", "-c", "SELECT 1")
		ready.Env = append(os.Environ(), "PGPASSWORD="+password)
		out, err := ready.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}
