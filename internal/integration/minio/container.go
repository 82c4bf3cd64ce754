package minio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/databasement/backup/internal/integration/gobuild"
	"github.com/databasement/backup/internal/integration/process"
)

const (
	officialImage = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
	answerTime    = 10 * time.Second // in which a registry answers at all
	pullTime      = 3 * time.Minute
	buildTime     = 10 * time.Minute
	port          = "9000/tcp"
	hostOverride  = "TESTCONTAINERS_HOST_OVERRIDE"
	noReaper      = "TESTCONTAINERS_RYUK_DISABLED"
)

// docker is a server in a container.
type docker struct {
	container testcontainers.Container
	client    *testcontainers.DockerClient
}

// startContainer runs the server through testcontainers.
func (s *Server) startContainer(ctx context.Context, tls bool) error {
	ctx, cancel := context.WithTimeout(ctx, pullTime+buildTime+startTime)
	defer cancel()
	img, err := image(ctx)
	if err != nil {
		return err
	}
	req := testcontainers.ContainerRequest{
		Image: img.name, ExposedPorts: []string{port}, Env: map[string]string{},
		Entrypoint: []string{img.command}, Cmd: []string{"server", "--address", ":9000", "--certs-dir", "/certs", "/data"},
	}
	for _, variable := range s.env() {
		name, value, _ := strings.Cut(variable, "=")
		req.Env[name] = value
	}
	if tls {
		if err := s.certify([]string{img.host, "127.0.0.1", "localhost"}, func(name string, data []byte) error {
			file := testcontainers.ContainerFile{Reader: bytes.NewReader(data), ContainerFilePath: "/certs/" + name, FileMode: 0o600}
			req.Files = append(req.Files, file)
			return nil
		}); err != nil {
			return err
		}
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{ContainerRequest: req, Started: true})
	if c != nil {
		s.Image, s.run = img.name, docker{c, img.client}
	}
	if err != nil {
		return fmt.Errorf("start a container of %s: %w", img.name, err)
	}
	if s.Endpoint, err = c.PortEndpoint(ctx, port, scheme(tls)); err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := process.Await(ctx, s.HTTPClient(), s.Endpoint+readiness); err != nil {
		return fmt.Errorf("%w; its log ends with:\n%s", err, s.run.(docker).log())
	}
	return nil
}

// log is the end of what the container has written.
func (d docker) log() string {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	r, err := d.container.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	all, _ := io.ReadAll(io.LimitReader(r, 1<<20))
	return string(all[max(0, len(all)-16<<10):])
}

func (d docker) pause(ctx context.Context) error {
	_, err := d.client.ContainerPause(ctx, d.container.GetContainerID(), client.ContainerPauseOptions{})
	return err
}

func (d docker) resume(ctx context.Context) error {
	_, err := d.client.ContainerUnpause(ctx, d.container.GetContainerID(), client.ContainerUnpauseOptions{})
	return err
}

func (d docker) stop(ctx context.Context) error {
	return d.container.Terminate(ctx, testcontainers.StopTimeout(0))
}

// serverImage is an image with MinIO, and the engine that has it.
type serverImage struct {
	name, command string
	host          string // where its ports appear
	client        *testcontainers.DockerClient
}

var found struct {
	once sync.Once
	img  *serverImage
	err  error
}

// image finds the engine and gets the image, once: the official one if it can be pulled, else one with a static binary of
// the Go module.
func image(ctx context.Context) (*serverImage, error) {
	found.once.Do(func() { found.img, found.err = getImage(ctx) })
	return found.img, found.err
}

func getImage(ctx context.Context) (*serverImage, error) {
	log.SetDefault(log.NewNoopLogger())
	if os.Getenv(noReaper) == "" {
		os.Setenv(noReaper, "true") // its image may be out of reach, and containers are stopped here
	}
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	host, err := portHost(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	img := &serverImage{name: officialImage, command: "minio", host: host, client: c}
	pullErr := img.pull(ctx)
	if pullErr == nil {
		return img, nil
	}
	img.name, img.command = "databasement-backup/minio:"+gobuild.MinIO.Version, "/minio"
	if err := img.build(ctx); err != nil {
		return nil, fmt.Errorf("pull %s: %w; build %s: %w", officialImage, pullErr, img.name, err)
	}
	return img, nil
}

// portHost is where published ports appear. Testcontainers takes the gateway for it when this is a container itself, which is
// wrong if the engine runs in here too.
func portHost(ctx context.Context, c *testcontainers.DockerClient) (string, error) {
	info, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", err
	}
	if here, err := os.Hostname(); err == nil && here == info.Info.Name && os.Getenv(hostOverride) == "" {
		os.Setenv(hostOverride, "localhost")
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return "", err
	}
	defer provider.Close()
	return provider.DaemonHost(ctx)
}

func (i *serverImage) exists(ctx context.Context) bool {
	_, err := i.client.ImageInspect(ctx, i.name)
	return err == nil
}

// pull gets the image from its registry, which must begin to answer soon.
func (i *serverImage) pull(ctx context.Context) error {
	if i.exists(ctx) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pullTime)
	defer cancel()
	silence := time.AfterFunc(answerTime, cancel)
	defer silence.Stop()
	progress, err := i.client.ImagePull(ctx, i.name, client.ImagePullOptions{})
	if err != nil {
		return err
	}
	defer progress.Close()
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		silence.Stop()
	}
	if !i.exists(ctx) {
		return errors.New("the pull ended without an image")
	}
	return nil
}

// build makes the image of the built binary and nothing else.
func (i *serverImage) build(ctx context.Context) error {
	if i.exists(ctx) {
		return nil
	}
	program := gobuild.MinIO
	program.GOOS = "linux"
	binary, err := program.Binary(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(binary), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Link(binary, filepath.Join(dir, "minio")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY minio /minio\n"), 0o600); err != nil {
		return err
	}
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer provider.Close()
	repo, tag, _ := strings.Cut(i.name, ":")
	_, err = provider.BuildImage(ctx, &testcontainers.ContainerRequest{
		FromDockerfile: testcontainers.FromDockerfile{Context: dir, Repo: repo, Tag: tag, KeepImage: true},
	})
	return err
}
