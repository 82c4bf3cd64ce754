package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// entry is a database that run backs up, as in the file of --jobs.
type entry struct {
	URL      string `json:"url"`      // or env:NAME
	Name     string `json:"name"`     // of the snapshots; default: the database's
	Schedule string `json:"schedule"` // daily (default), weekly, or a cron expression
	Format   string `json:"format"`   // of PostgreSQL's dumps
	All      bool   `json:"all"`      // each database of the server, below name
	MinSize  *int64 `json:"min_size"` // bytes; default: 1
}

// jobsFile is the file of --jobs.
type jobsFile struct {
	Databases []entry `json:"databases"`
}

// maxJobsFile bounds the file, in bytes.
const maxJobsFile = 1 << 20

// entries are those of the file and of the command line.
func (a *app) entries(words []string) ([]entry, error) {
	var all []entry
	if a.settings.jobs != "" {
		var err error
		if all, err = readJobs(a.settings.jobs); err != nil {
			return nil, usagef("--jobs %s: %v", a.settings.jobs, err)
		}
	}
	for _, word := range words {
		if hasPassword(word) {
			_, err := a.databaseURL(word)
			return nil, err
		}
		all = append(all, entry{URL: word, Name: a.settings.name, Format: a.settings.format, All: a.settings.all})
	}
	switch {
	case len(all) == 0:
		return nil, usagef("run needs databases: name their URLs, or a file of them with --jobs")
	case len(words) > 1 && a.settings.name != "" && !a.settings.all:
		return nil, usagef("--name is for one database: use --jobs for more")
	}
	return all, nil
}

// readJobs reads the file of --jobs. One with a password is only for this user's eyes.
func readJobs(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJobsFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxJobsFile {
		return nil, fmt.Errorf("it has more than %d bytes", maxJobsFile)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var file jobsFile
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf(`it must be like {"databases": [{"url": "env:SHOP_URL", "schedule": "daily"}]}: %w`, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON")
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	for i, e := range file.Databases {
		if e.URL == "" {
			return nil, fmt.Errorf("database %d has no url", i+1)
		}
		if hasPassword(e.URL) && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
			return nil, fmt.Errorf("database %d has a password, and others may read the file: chmod 600, or name a variable (env:NAME) instead", i+1)
		}
	}
	return file.Databases, nil
}
