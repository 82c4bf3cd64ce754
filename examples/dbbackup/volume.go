package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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

// access is what a command does with a volume and with keys.
type access int

const (
	reading  access = iota // the volume must be there; keys are those at hand, even none
	writing                // the volume is made if it is missing; how to encrypt must be said
	rekeying               // the volume must be there; how to encrypt must be said
)

// openFor makes a Backup on the volume of the settings, for a command on the snapshot that word names.
func (a *app) openFor(ctx context.Context, word string, as access) (*backup.Backup, string, error) {
	ref, err := refOf(word)
	if err != nil {
		return nil, "", err
	}
	b, err := a.open(ctx, a.settings.volume, as)
	return b, ref, err
}

// open makes a Backup on the volume of that URL.
func (a *app) open(ctx context.Context, volume string, as access) (*backup.Backup, error) {
	compressor, err := a.compressor(as)
	if err != nil {
		return nil, err
	}
	encryptors, err := a.encryptors(as != reading)
	if err != nil {
		return nil, err
	}
	vol, err := a.openVolume(ctx, volume, as == writing)
	if err != nil {
		return nil, err
	}
	return backup.New(vol, &backup.Options{
		Compressor:    compressor,
		Encryptor:     encryptors[0],
		ReadWith:      encryptors[1:],
		SegmentSize:   a.settings.segmentSize,
		AllowUnsealed: a.settings.allowUnsealed || encryptors[0] == crypto.None,
		OnEvent:       a.report.event,
	})
}

// openVolume opens the volume of a URL. What it opens is closed at the end.
func (a *app) openVolume(ctx context.Context, volume string, create bool) (storage.Volume, error) {
	scheme, _, _ := strings.Cut(volume, ":")
	switch {
	case volume == "":
		return nil, usagef("no volume: set --volume or BACKUP_VOLUME to file:///path or s3://bucket/prefix")
	case scheme == "s3":
		return a.openBucket(ctx, volume)
	}
	return a.openDirectory(volume, create)
}

// openBucket opens a bucket, with what the environment says of the store.
func (a *app) openBucket(ctx context.Context, volume string) (storage.Volume, error) {
	opts, err := s3fs.OptionsFromEnv()
	if err != nil {
		return nil, err
	}
	opts.OnRetry = func(operation string, attempt int, err error) {
		if attempt >= 3 { // once or twice is an ordinary day
			a.report.warn(fmt.Errorf("attempt %d of %s failed, trying again: %w", attempt, operation, err))
		}
	}
	vol, err := s3fs.OpenURL(ctx, volume, opts)
	if err != nil {
		return nil, err
	}
	a.opened = append(a.opened, vol)
	return vol, nil
}

// openDirectory opens a directory. Only a command that writes makes it: to others a misspelt one would look like a
// volume without snapshots.
func (a *app) openDirectory(volume string, create bool) (storage.Volume, error) {
	dir, err := fileURL(volume, runtime.GOOS == "windows")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("there is no volume %s: %w", volume, fs.ErrNotExist)
	}
	vol, err := localfs.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	a.opened = append(a.opened, vol)
	return vol, nil
}

// fileURL returns the directory that a file URL names.
func fileURL(s string, windows bool) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Opaque != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") ||
		u.RawQuery != "" || u.Fragment != "" || strings.ContainsRune(u.Path, 0) {
		// The URL is not repeated: another kind may have a password in it.
		return "", usagef("the volume must be s3://bucket/prefix or file:///path, an absolute path in which %%, ? and # are written as %%25, %%3F and %%23")
	}
	path := u.Path
	if windows {
		path = strings.TrimPrefix(path, "/") // file:///C:/backup
		if len(path) < 3 || path[1] != ':' || path[2] != '/' {
			return "", usagef("the volume must be file:///C:/path: a drive and an absolute path")
		}
	}
	return filepath.FromSlash(path), nil
}

// leaveRestoreText tells strangers what the volume is, and how to use it. A snapshot is none the worse without.
func (a *app) leaveRestoreText(ctx context.Context, vol storage.Volume) {
	if err := putRestoreText(ctx, vol); err != nil {
		a.report.warn(fmt.Errorf("writing %s to the volume: %w", restoreTextName, err))
	}
}
