// Package versitygw starts Versity's S3 gateway on a directory, as a process: a second implementation of S3.
//
// What belongs here is the server. What it cannot do is a table in the tests with it.
package versitygw

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/databasement/backup/internal/integration/gobuild"
	"github.com/databasement/backup/internal/integration/process"
)

// Server is a gateway that answers.
type Server struct {
	Endpoint             string // such as http://127.0.0.1:7070
	AccessKey, SecretKey string // of its administrator

	dir     string
	process *process.Server
}

const startTime = time.Minute

// Start gives a gateway that answers; the caller stops it.
func Start(ctx context.Context) (*Server, error) {
	binary, err := gobuild.VersityGW.Binary(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "versitygw-")
	if err != nil {
		return nil, err
	}
	s := &Server{AccessKey: "root-" + rand.Text(), SecretKey: rand.Text(), dir: dir}
	if err := s.start(ctx, binary); err != nil {
		return nil, errors.Join(fmt.Errorf("start versitygw: %w", err), s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, binary string) error {
	root, versions, users := filepath.Join(s.dir, "root"), filepath.Join(s.dir, "versions"), filepath.Join(s.dir, "users")
	if err := errors.Join(os.Mkdir(root, 0o755), os.Mkdir(versions, 0o755), os.Mkdir(users, 0o700)); err != nil {
		return err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	s.Endpoint = "http://" + address
	args := []string{"--port", address, "--quiet", "--health", "/health", "--iam-dir", users, "posix", "--versioning-dir", versions, root}
	s.process, err = process.Start(binary, args, []string{"ROOT_ACCESS_KEY_ID=" + s.AccessKey, "ROOT_SECRET_ACCESS_KEY=" + s.SecretKey})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return s.process.Await(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, s.Endpoint+"/health")
}

// AddUser makes a user who may do nothing but what policies of buckets allow.
func (s *Server) AddUser(ctx context.Context, accessKey, secretKey string) error {
	body := fmt.Sprintf("<Account><Access>%s</Access><Secret>%s</Secret><Role>user</Role></Account>", accessKey, secretKey)
	req, err := http.NewRequestWithContext(ctx, http.MethodPatch, s.Endpoint+"/create-user", strings.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	resp, err := http.DefaultClient.Do(signer.SignV4(*req, s.AccessKey, s.SecretKey, "", "us-east-1"))
	if err != nil {
		return fmt.Errorf("add user %s: %w", accessKey, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("add user %s: %s: %s", accessKey, resp.Status, answer)
	}
	return nil
}

// Stop ends the gateway and removes all that it had.
func (s *Server) Stop() error {
	var err error
	if s.process != nil {
		err = s.process.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
