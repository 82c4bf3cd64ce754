package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// command is one thing that the program can do.
type command struct {
	name  string
	words string   // the arguments, for people; those in brackets may be absent
	flags []string // that it takes besides the common ones
	about string   // the first line is the summary
	run   func(ctx context.Context, a *app, words []string) error
}

// commands is a function, because help, which is one of them, lists them all.
func commands() []*command {
	return []*command{
		{"dump", "URL", []string{"name", "all", "format", "min-size", "segment-size"}, dumpText, dumpCommand},
		{"load", "ID URL", []string{"prepare", "verify-first"}, loadText, loadCommand},
		{"run", "[URL…]", with(keepFlags, "jobs", "name", "all", "format", "min-size", "segment-size", "single"), runText, runCommand},
		{"prune", "", with(keepFlags, "name", "dry-run", "json"), pruneText, pruneCommand},
		{"config", "", with(keepFlags, "json", "segment-size"), configText, configCommand},
		{"backup", "[FILE]", []string{"name", "ext", "min-size", "segment-size"}, backupText, backupCommand},
		{"names", "", nil, "list the names that have snapshots", namesCommand},
		{"list", "", []string{"name", "json"}, "list snapshots, of one name or of all, the oldest first", listCommand},
		{"show", "ID", []string{"json"}, "show what a snapshot's manifest says", showCommand},
		{"restore", "ID", []string{"o", "verify-first"}, restoreText, restoreCommand},
		{"verify", "ID", []string{"stored"}, verifyText, verifyCommand},
		{"copy", "ID", []string{"to", "name", "segment-size"}, copyText, copyCommand},
		{"url", "ID", []string{"expires", "json"}, urlText, urlCommand},
		{"delete", "ID", nil, "delete a snapshot, for which no key is needed", deleteCommand},
		{"sweep", "", nil, sweepText, sweepCommand},
		{"rekey", "ID", nil, rekeyText, rekeyCommand},
		{"check", "", nil, checkText, checkCommand},
		{"open", "OBJECT", []string{"file"}, openText, openCommand},
		{"keygen", "", nil, keygenText, keygenCommand},
		{"version", "", nil, "print the program's version", versionCommand},
		{"help", "[COMMAND]", nil, "show what there is, or how a command is used", helpCommand},
	}
}

// keepFlags say what stays when a command prunes.
var keepFlags = []string{"keep-last", "keep-within", "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly", "keep-yearly", "keep-floor", "min-ratio"}

func with(flags []string, more ...string) []string { return slices.Concat(more, flags) }

func find(name string) (*command, error) {
	all := commands()
	i := slices.IndexFunc(all, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil, usagef("there is no command %q: dbbackup help shows them", name)
	}
	return all[i], nil
}

func helpCommand(_ context.Context, a *app, words []string) error {
	if len(words) == 0 {
		return a.overview(a.stdout)
	}
	c, err := find(words[0])
	if err != nil {
		return err
	}
	return c.help(a.stdout, new(settings).flags())
}

const environment = `ID is name/id or name/latest. Flags may stand anywhere; after -- there are none.
Keys come from the environment or from files, never from the command line:

  BACKUP_ENCRYPTION_KEY        base64:… of dbbackup keygen, for --encryption aes256 and 7z; 7z takes passwords too; else APP_KEY
  BACKUP_ENCRYPTION_OLD_KEYS   earlier keys that still read, separated by commas
  BACKUP_AGE_RECIPIENTS_FILE   who can read new snapshots, for --encryption age
  BACKUP_AGE_IDENTITIES_FILE   secret age or SSH keys that read

A volume s3://bucket/prefix is reached as AWS's own tools do it, and by these variables:

  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN   or AWS_S3_PROFILE
  AWS_REGION, AWS_ENDPOINT_URL_S3, AWS_USE_PATH_STYLE_ENDPOINT  which store
  AWS_PUBLIC_ENDPOINT_URL_S3                                    what links are made for
  AWS_CUSTOM_ROLE_ARN, AWS_ROLE_SESSION_NAME                    a role to assume
  AWS_ENDPOINT_URL_STS, AWS_STS_PROFILE                         where, and by whose credentials

Further settings follow the URL, such as s3://bucket/prefix?max-parts=1000&concurrency=2; docs/S3.md has
them, and what each provider needs. dbbackup check tries them.

Flags win over the variables that their usage names; dbbackup config shows what is in effect, and the variables of schedules
and retention. The exit status is 0, 1 for a failure, 2 for a usage error.
`

// overview lists the commands.
func (a *app) overview(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(t, "usage: dbbackup COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, c := range commands() {
		summary, _, _ := strings.Cut(c.about, "\n")
		fmt.Fprintf(t, "  %s\t%s\n", strings.TrimSpace(c.name+" "+c.words), summary)
	}
	fmt.Fprintf(t, "\n%s", environment)
	return t.Flush()
}

// shows reports whether help lists the flag: the common ones only where they make a difference.
func (c *command) shows(name string) bool {
	switch name {
	case "h":
		return false
	case "help":
		return true
	case "compression", "level", "7z-method":
		return slices.Contains([]string{"dump", "run", "config", "backup", "copy", "check"}, c.name)
	}
	if slices.Contains([]string{"keygen", "version", "help"}, c.name) {
		return false
	}
	return slices.Contains(common, name) || slices.Contains(c.flags, name)
}

// help shows how a command is used.
func (c *command) help(w io.Writer, f *flag.FlagSet) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "usage: dbbackup %s [FLAGS]\n\n%s\n\n", strings.TrimSpace(c.name+" "+c.words), strings.TrimSpace(c.about))
	f.VisitAll(func(g *flag.Flag) {
		if !c.shows(g.Name) {
			return
		}
		value, usage := flag.UnquoteUsage(g)
		dashes := "--"
		if len(g.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(t, "  %s%s %s\t%s\n", dashes, g.Name, value, usage)
	})
	return t.Flush()
}
