package config

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
)

// Names of encryptions, as BACKUP_ENCRYPTION has them.
const (
	encryptionNone   = "none"
	encryptionAES256 = "aes256"
	encryptionAge    = "age"
	encryption7z     = "7z"
)

// Config is what the environment says. It prints without its secrets.
type Config struct {
	Volume string // URL

	DailyCron, WeeklyCron, CleanupCron string
	Location                           *time.Location // of the cron expressions and of Retention
	JobTimeout                         time.Duration
	JobTries                           int
	JobBackoff                         time.Duration
	Retention                          backup.Retention

	compression   string // empty: 7z's own
	level         int
	method        sevenzip.Method
	encryption    string
	segmentSize   int64
	allowUnsealed bool

	key       crypto.Key // zero: none
	passwords []sevenzip.Password
	oldKeys   []crypto.Key
	age       crypto.AgeOptions

	settings []Setting
	problems []*Problem
}

// Lookup returns the value of a variable, empty if there is none, and where it is from: for people, such as "environment" or
// "--compression".
type Lookup func(variable string) (value, origin string)

// Environment looks up the environment of this process.
func Environment(variable string) (value, origin string) { return os.Getenv(variable), "environment" }

// access is what a setting is needed for.
type access int

const (
	always    access = iota
	toOpen           // the volume that the settings name
	toEncrypt        // with the key of now
	toWrite          // a bad one must not stand between anybody and a restore
	toSchedule
)

// Problem is a setting that is wrong.
type Problem struct {
	Variable string
	Err      error

	of access
}

func (p *Problem) Error() string { return p.Variable + ": " + p.Err.Error() }

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// FromEnv reads the environment of this process. All that is wrong is one error, in which each line is a *Problem. The
// Config is there all the same: it prints, and Open still works for what the problems are not about.
func FromEnv() (*Config, error) { return Parse(Environment) }

// Parse is FromEnv for settings from elsewhere, too. Those of a bucket are the environment's all the same: s3fs reads them.
func Parse(lookup Lookup) (*Config, error) {
	c := &Config{Location: time.UTC, level: compress.DefaultLevel}
	r := &reader{Config: c, lookup: lookup}
	r.stages()
	r.keys()
	r.schedules()
	r.retention()
	r.effective()
	return c, c.problem(always, toOpen, toEncrypt, toWrite, toSchedule)
}

// problem joins the problems of these kinds.
func (c *Config) problem(kinds ...access) error {
	var errs []error
	for _, p := range c.problems {
		for _, kind := range kinds {
			if p.of == kind {
				errs = append(errs, p)
			}
		}
	}
	return errors.Join(errs...)
}

// reader fills a Config.
type reader struct {
	*Config
	lookup Lookup
}

func (r *reader) wrong(variable string, kind access, format string, args ...any) {
	r.problems = append(r.problems, &Problem{variable, fmt.Errorf(format, args...), kind})
}

// value takes a variable, or its default, into the table; parse, unless nil, takes what is not empty.
func (r *reader) value(variable string, kind access, standard string, parse func(value string) error) {
	value, origin := r.lookup(variable)
	if value == "" {
		value, origin = standard, byDefault
	}
	s := Setting{Name: variable, Value: shown(value), Origin: origin}
	if value != "" && parse != nil {
		err := errMisplaced
		if !isSecret(value) {
			err = parse(value)
		}
		if err != nil {
			r.wrong(variable, kind, "%w", err)
			s.Value = "wrong, not shown"
		}
	}
	r.settings = append(r.settings, s)
}

var errMisplaced = errors.New("is set to a secret key, which belongs elsewhere: take it out")

// isSecret reports whether value looks like a key, which errors would repeat.
func isSecret(value string) bool {
	value = strings.ToUpper(value)
	return strings.Contains(value, "BASE64:") || strings.Contains(value, "AGE-SECRET-KEY-")
}

// quoted is a value for an error, unless it is so long that it may be a secret.
func quoted(value string) string {
	if len(value) > 16 {
		return "what is set"
	}
	return strconv.Quote(value)
}

// effective shows what an unset format comes to.
func (r *reader) effective() {
	for i := range r.settings {
		s := &r.settings[i]
		switch {
		case s.Value != "-":
		case s.Name == "BACKUP_ENCRYPTION":
			s.Value = r.encryption
		case s.Name == "BACKUP_COMPRESSION" && r.encryption != encryption7z:
			s.Value = compress.All()[0].Name()
		case s.Name == "BACKUP_7Z_METHOD" && r.encryption == encryption7z:
			s.Value = string(sevenzip.Deflate)
		}
	}
}

// secret notes a variable without its value.
func (r *reader) secret(variable, value, origin, text string) {
	if value == "" {
		text, origin = "-", byDefault
	}
	r.settings = append(r.settings, Setting{Name: variable, Value: text, Origin: origin})
}
