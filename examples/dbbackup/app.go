package main

import (
	"context"
	"errors"
	"io"

	"github.com/databasement/backup/config"
)

// app is one run of the program.
type app struct {
	stdin    io.Reader
	stdout   io.Writer
	env      func(string) string
	settings settings
	config   *config.Config
	report   *report
	opened   []io.Closer
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *app {
	return &app{stdin: stdin, stdout: stdout, env: env, report: newReport(stderr)}
}

// execute finds the command, and gives it its arguments.
func (a *app) execute(ctx context.Context, args []string) error {
	flags := a.settings.flags()
	words, err := parse(flags, args)
	if err != nil {
		return err
	}
	if err := a.configure(flags); err != nil {
		return err
	}
	if len(words) == 0 {
		if a.settings.help {
			return a.overview(a.stdout)
		}
		return usagef("no command: dbbackup help shows them")
	}
	c, err := find(words[0])
	if err != nil {
		return err
	}
	if a.settings.help {
		return c.help(a.stdout, flags)
	}
	words = words[1:]
	if err := c.check(flags, words); err != nil {
		return err
	}
	return c.run(ctx, a, words)
}

// close lets go of what was opened.
func (a *app) close() error {
	var errs []error
	for _, c := range a.opened {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
