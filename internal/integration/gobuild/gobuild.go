// Package gobuild builds the servers that the tests run from their Go modules, once for each version, into a
// cache outside of the checkout.
//
// What belongs here is how a binary comes to be, not how it is run.
package gobuild

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"time"
)

// Program is a command of a public Go module.
type Program struct {
	Package string // such as github.com/minio/minio
	Version string // of the module, such as v1.2.3
	GOOS    string // the system that it is for; empty: this one
}

// MinIO is the server that most tests run against. This is its last version that is a Go module's.
var MinIO = Program{Package: "github.com/minio/minio", Version: "v0.0.0-20260212201848-7aac2a2c5b7c"}

// VersityGW is a second implementation of S3, independent of MinIO.
var VersityGW = Program{Package: "github.com/versity/versitygw/cmd/versitygw", Version: "v1.8.0"}

// Binary returns the path of p's binary, and builds it first if it is not in the cache, which takes minutes. It is static.
// Several processes may call it at once.
func (p Program) Binary(ctx context.Context) (string, error) {
	if p.GOOS == "" {
		p.GOOS = runtime.GOOS
	}
	dir, err := p.dir()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, path.Base(p.Package))
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	if err := p.build(ctx, dir, binary); err != nil {
		return "", fmt.Errorf("build %s %s: %w", p.Package, p.Version, err)
	}
	return binary, nil
}

func (p Program) dir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no directory for built servers: %w", err)
	}
	name := fmt.Sprintf("%s-%s-%s-%s", path.Base(p.Package), p.Version, p.GOOS, runtime.GOARCH)
	return filepath.Join(cache, "databasement-backup-integration", name), nil
}

// build makes the binary in a module of its own beside where it goes, so that a rename puts it there whole.
func (p Program) build(ctx context.Context, dir, binary string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	fmt.Printf("gobuild: building %s %s for %s, once\n", p.Package, p.Version, p.GOOS)
	begun := time.Now()
	for _, args := range [][]string{
		{"mod", "init", "scratch"},
		{"get", p.Package + "@" + p.Version},
		{"build", "-trimpath", "-ldflags=-s -w", "-o", "binary", p.Package},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = scratch
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "GOOS="+p.GOOS)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
		}
	}
	fmt.Printf("gobuild: built %s in %v\n", path.Base(p.Package), time.Since(begun).Round(time.Second))
	return os.Rename(filepath.Join(scratch, "binary"), binary)
}
