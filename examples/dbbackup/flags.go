package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/databasement/backup"
)

// settings are all flags of all commands. The same flag means the same everywhere, so that it may
// stand before the command too.
type settings struct {
	help bool

	volume        string
	compression   string
	level         string
	encryption    string
	method        string
	ageRecipients string
	ageIdentities string
	allowUnsealed bool

	name        string
	ext         string
	output      string
	to          string
	minSize     int64
	segmentSize int64
	json        bool
	verifyFirst bool
	stored      bool
	file        string
	expires     time.Duration
}

// common are the flags that every command takes.
var common = []string{"volume", "compression", "level", "encryption", "7z-method", "age-recipients", "age-identities", "allow-unsealed", "h", "help"}

// flags declares them, with defaults from the environment.
func (s *settings) flags(env func(string) string) *flag.FlagSet {
	f := flag.NewFlagSet("dbbackup", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&s.help, "help", false, "show help")
	f.BoolVar(&s.help, "h", false, "show help")
	f.StringVar(&s.volume, "volume", env("BACKUP_VOLUME"), "where snapshots live: `URL`, file:///path or s3://bucket/prefix (BACKUP_VOLUME)")
	f.StringVar(&s.compression, "compression", env("BACKUP_COMPRESSION"), "`format` of new snapshots: zstd (default), gzip, xz or none (BACKUP_COMPRESSION)")
	f.StringVar(&s.level, "level", env("BACKUP_COMPRESSION_LEVEL"), "compression `level`; default: the format's own (BACKUP_COMPRESSION_LEVEL)")
	f.StringVar(&s.encryption, "encryption", env("BACKUP_ENCRYPTION"), "`format` of new snapshots: aes256 (default if there is a key), age (default if there are only recipients), 7z, which compresses too, or none (BACKUP_ENCRYPTION)")
	f.StringVar(&s.method, "7z-method", env("BACKUP_7Z_METHOD"), "how 7z compresses: `method` deflate (default), lzma2 (smaller, several times slower) or copy (BACKUP_7Z_METHOD)")
	f.StringVar(&s.ageRecipients, "age-recipients", env("BACKUP_AGE_RECIPIENTS_FILE"), "`file` of who can read new snapshots (BACKUP_AGE_RECIPIENTS_FILE)")
	f.StringVar(&s.ageIdentities, "age-identities", env("BACKUP_AGE_IDENTITIES_FILE"), "`file` of secret keys to read snapshots with (BACKUP_AGE_IDENTITIES_FILE)")
	f.BoolVar(&s.allowUnsealed, "allow-unsealed", false, "read snapshots that are not encrypted too, though keys are set")
	f.StringVar(&s.name, "name", "", "`name` of the snapshots, such as shop or eu/shop")
	f.StringVar(&s.ext, "ext", "", "`extension` of the stream, such as .sql; default: that of FILE")
	f.Func("o", "restore to this `file`, which appears only when it is complete and verified; default, and -: standard output", s.setOutput)
	f.StringVar(&s.to, "to", "", "the other `volume`")
	s.minSize = 1
	f.Func("min-size", "refuse a stream of fewer `bytes`; default: 1, so that an empty one does not become latest; 0 allows it", s.setMinSize)
	f.Func("segment-size", "cut what is stored into numbered objects (.001, .002, …) of this many `bytes`; default: one object, as far as the volume takes it", s.setSegmentSize)
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.BoolVar(&s.verifyFirst, "verify-first", false, "verify the whole snapshot before the first byte is written")
	f.BoolVar(&s.stored, "stored", false, "compare only what is stored with its digests, which takes no key")
	f.StringVar(&s.file, "file", "", "the file to read from a .7z of several, by its `path` there")
	f.DurationVar(&s.expires, "expires", time.Hour, "how long links are to work, a `duration` such as 15m or 24h; at most 7 days, default: 1h")
	return f
}

// setOutput refuses an empty name: a script whose variable is unset does not want the data on its standard output.
func (s *settings) setOutput(file string) error {
	if file == "" {
		return errors.New("it names no file (an unset variable?): give one, or - for standard output")
	}
	s.output = file
	return nil
}

func (s *settings) setMinSize(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return errors.New("want a number of whole bytes, such as 1048576, or 0 to allow an empty stream")
	}
	s.minSize = n
	return nil
}

func (s *settings) setSegmentSize(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > backup.MaxSegmentSize {
		return fmt.Errorf("want a number of whole bytes between 1 and %d, such as 4294967295", int64(backup.MaxSegmentSize))
	}
	s.segmentSize = n
	return nil
}

// parse takes flags from anywhere among args, up to "--", and returns the other words.
func parse(f *flag.FlagSet, args []string) (words []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, usagef("%v: dbbackup help %s shows the flags", err, commandOf(append(words, f.Args()...)))
		}
		rest := f.Args()
		ended := len(rest) < len(args) && args[len(args)-len(rest)-1] == "--"
		if len(rest) == 0 || ended {
			return append(words, rest...), nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// commandOf is the first of the words that is a command, or says that there is to be one.
func commandOf(words []string) string {
	for _, w := range words {
		if _, err := find(w); err == nil {
			return w
		}
	}
	return "COMMAND"
}

// set reports whether a flag was given, rather than taken from the environment.
func set(f *flag.FlagSet, name string) (found bool) {
	f.Visit(func(g *flag.Flag) { found = found || g.Name == name })
	return found
}

// reconcile drops what the environment says for other formats than those that flags have chosen.
func (s *settings) reconcile(f *flag.FlagSet) error {
	if set(f, "encryption") && s.encryption == encryption7z && !set(f, "compression") {
		s.compression = ""
		if !set(f, "level") {
			s.level = ""
		}
	}
	if set(f, "compression") && !set(f, "level") {
		s.level = ""
	}
	if set(f, "7z-method") && s.encryption != encryption7z {
		return usagef("--7z-method is only for --encryption 7z")
	}
	return nil
}

// check refuses flags that the command would ignore, and the wrong number of words.
func (c *command) check(f *flag.FlagSet, words []string) error {
	var errs []error
	f.Visit(func(g *flag.Flag) {
		if !slices.Contains(common, g.Name) && !slices.Contains(c.flags, g.Name) {
			errs = append(errs, usagef("%s takes no flag -%s: dbbackup help %s shows what it takes", c.name, g.Name, c.name))
		}
	})
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	most := len(strings.Fields(c.words))
	least := most - strings.Count(c.words, "[")
	if c.name == "list" && len(words) == 1 {
		return usagef("list takes no argument: want dbbackup list --name %s", words[0])
	}
	if n := len(words); n < least || n > most {
		return usagef("%s with %d arguments: want dbbackup %s", c.name, n, strings.TrimSpace(c.name+" "+c.words))
	}
	return nil
}
