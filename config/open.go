package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// Access is what a Backup is opened for.
type Access int

const (
	// Reading takes a volume that is there, and reads with whatever keys are at hand. Settings of new snapshots may be wrong.
	Reading Access = iota
	// Writing makes a directory that is missing. How to encrypt must be said.
	Writing
	// Rekeying takes a volume that is there, and how to encrypt must be said.
	Rekeying
)

// OpenOptions are for Config.Open; nil and zero fields are the defaults.
type OpenOptions struct {
	Volume  string             // URL, instead of that of the Config
	OnEvent func(backup.Event) // as in backup.Options
	Logger  *slog.Logger       // as in backup.Options
	OnRetry func(operation string, attempt int, err error)
	File    string // to be read from a .7z of several; see sevenzip.Options
}

// Open makes the Backup that the settings say, and what is to be closed after it. Problems of settings that as does not need are no error.
func (c *Config) Open(ctx context.Context, as Access, o *OpenOptions) (*backup.Backup, io.Closer, error) {
	if o == nil {
		o = new(OpenOptions)
	}
	kinds := []access{always}
	if o.Volume == "" {
		kinds = append(kinds, toOpen)
	}
	if as != Reading {
		kinds = append(kinds, toEncrypt)
	}
	if as == Writing {
		kinds = append(kinds, toWrite)
	}
	if err := c.problem(kinds...); err != nil {
		return nil, nil, err
	}
	encryptors, err := c.encryptors(o.File)
	if err != nil {
		return nil, nil, err
	}
	opts := &backup.Options{
		Encryptor: encryptors[0], ReadWith: encryptors[1:],
		AllowUnsealed: c.allowUnsealed || encryptors[0] == crypto.None, OnEvent: o.OnEvent, Logger: o.Logger,
	}
	if as == Writing {
		opts.SegmentSize = c.segmentSize
		if opts.Compressor, err = c.compressor(); err != nil {
			return nil, nil, err
		}
	}
	vol, err := c.openVolume(ctx, as, o)
	if err != nil {
		return nil, nil, err
	}
	b, err := backup.New(vol, opts)
	if err != nil {
		return nil, nil, errors.Join(err, vol.Close())
	}
	return b, vol, nil
}

const volumeVariable = "BACKUP_VOLUME"

// volume is a storage.Volume that is closed.
type volume interface {
	storage.Volume
	io.Closer
}

func (c *Config) openVolume(ctx context.Context, as Access, o *OpenOptions) (volume, error) {
	text := o.Volume
	if text == "" {
		text = c.Volume
	}
	if isBucket(text) {
		return openBucket(ctx, text, o)
	}
	return openDirectory(text, as == Writing)
}

func isBucket(text string) bool { return strings.HasPrefix(text, "s3:") }

// checkVolume reports why there can be no such volume. It makes no request.
func checkVolume(text string) error {
	if !isBucket(text) {
		_, err := fileURL(text, runtime.GOOS == "windows")
		return err
	}
	v, err := openBucket(context.Background(), text, new(OpenOptions))
	if err != nil {
		return err
	}
	return v.Close()
}

func openBucket(ctx context.Context, text string, o *OpenOptions) (volume, error) {
	opts, err := s3fs.OptionsFromEnv()
	if err != nil {
		return nil, err
	}
	opts.OnRetry = o.OnRetry
	v, err := s3fs.OpenURL(ctx, text, opts)
	if err != nil { // not a nil *s3fs.Volume in an interface
		return nil, err
	}
	return v, nil
}

// openDirectory opens a directory. Only who writes makes it: to others a misspelt one would look like a volume
// without snapshots.
func openDirectory(text string, create bool) (volume, error) {
	dir, err := fileURL(text, runtime.GOOS == "windows")
	if err != nil {
		return nil, &Problem{Variable: volumeVariable, Err: err}
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("there is no volume %s: %w", text, fs.ErrNotExist)
	}
	v, err := localfs.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// fileURL returns the directory that a file URL names.
func fileURL(s string, windows bool) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Opaque != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") ||
		u.RawQuery != "" || u.Fragment != "" || strings.ContainsRune(u.Path, 0) {
		// The URL is not repeated: another kind may have a password in it.
		return "", errors.New("the volume must be s3://bucket/prefix or file:///path, an absolute path in which %, ? and # are written as %25, %3F and %23")
	}
	path := u.Path
	if windows {
		path = strings.TrimPrefix(path, "/") // file:///C:/backup
		if len(path) < 3 || path[1] != ':' || path[2] != '/' {
			return "", errors.New("the volume must be file:///C:/path: a drive and an absolute path")
		}
	}
	return filepath.FromSlash(path), nil
}
