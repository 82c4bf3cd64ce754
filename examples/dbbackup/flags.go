package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are all flags of all commands. The same flag means the same everywhere, so that it may
// stand before the command too.
type settings struct {
	help bool

	name        string
	ext         string
	output      string
	to          string
	minSize     int64
	json        bool
	verifyFirst bool
	stored      bool
	file        string
	expires     time.Duration

	format  string
	all     bool
	prepare string
	dryRun  bool
	jobs    string
	single  bool
}

// common are the flags that every command takes.
var common = []string{"volume", "compression", "level", "encryption", "7z-method", "age-recipients", "age-identities", "allow-unsealed", "h", "help"}

// flags declares them.
func (s *settings) flags() *flag.FlagSet {
	f := flag.NewFlagSet("dbbackup", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&s.help, "help", false, "show help")
	f.BoolVar(&s.help, "h", false, "show help")
	for _, v := range variables {
		if v.flag == "allow-unsealed" {
			f.Bool(v.flag, false, v.usage)
			continue
		}
		f.String(v.flag, "", v.usage+" ("+v.name+")")
	}
	f.StringVar(&s.name, "name", "", "`name` of the snapshots, such as shop or eu/shop")
	f.StringVar(&s.ext, "ext", "", "`extension` of the stream, such as .sql; default: that of FILE")
	f.Func("o", "restore to this `file`, which appears only when it is complete and verified; default, and -: standard output", s.setOutput)
	f.StringVar(&s.to, "to", "", "the other `volume`")
	s.minSize = 1
	f.Func("min-size", "refuse a stream of fewer `bytes`; default: 1, so that an empty one does not become latest; 0 allows it", s.setMinSize)
	f.BoolVar(&s.json, "json", false, "print JSON")
	f.BoolVar(&s.verifyFirst, "verify-first", false, "verify the whole snapshot before the first byte is written")
	f.BoolVar(&s.stored, "stored", false, "compare only what is stored with its digests, which takes no key")
	f.StringVar(&s.file, "file", "", "the file to read from a .7z of several, by its `path` there")
	f.StringVar(&s.format, "format", "", "`format` of PostgreSQL's dumps: plain (default) or custom")
	f.BoolVar(&s.all, "all", false, "each database of the server")
	f.StringVar(&s.prepare, "prepare", "", "before loading `create` the database, or drop-and-create it")
	f.BoolVar(&s.dryRun, "dry-run", false, "only say what would go, what stays, and why")
	f.StringVar(&s.jobs, "jobs", "", "JSON `file` of databases")
	f.BoolVar(&s.single, "single", false, "this is the only process that runs these jobs")
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
	if strings.Contains(c.words, "…") {
		most = len(words)
	}
	if n := len(words); n < least || n > most {
		return usagef("%s with %d arguments: want dbbackup %s", c.name, n, strings.TrimSpace(c.name+" "+c.words))
	}
	return nil
}
