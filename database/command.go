package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// CommandOptions say how any programs dump and load.
type CommandOptions struct {
	Dump    []string // program and arguments; it writes the dump to its standard output
	Load    []string // program and arguments; it reads a dump from its standard input, to the end
	Ext     string   // of the dump, such as ".ldif"
	Env     []string // "NAME=value", beyond the environment of this process: where passwords belong
	Dir     string   // to run in; default: that of this process
	Secrets []string // struck out of what the programs say in errors
}

// Command dumps and loads by programs of the caller's choice; either may be missing, and then fails. There is no
// shell, unless one is named. Arguments can be seen by every user of the machine: secrets belong into Env. Whether a failed
// Load leaves something half applied is up to the program, which is killed before its input ends.
func Command(o *CommandOptions) Database {
	c := *o
	for _, s := range []*[]string{&c.Dump, &c.Load, &c.Env, &c.Secrets} {
		*s = slices.Clone(*s)
	}
	return &command{c}
}

type command struct{ o CommandOptions }

func (c *command) Ext() string { return c.o.Ext }

func (c *command) Dump(ctx context.Context, w io.Writer) error {
	t, err := c.tool(c.o.Dump)
	if err != nil {
		return fmt.Errorf("dump by a command: %w", err)
	}
	return t.dump(ctx, w)
}

func (c *command) Load(ctx context.Context, r io.Reader) error {
	t, err := c.tool(c.o.Load)
	if err != nil {
		return fmt.Errorf("load by a command: %w", err)
	}
	return t.load(ctx, r)
}

func (c *command) tool(argv []string) (*tool, error) {
	if len(argv) == 0 {
		return nil, errors.New("no program is set for that")
	}
	path, err := find(argv[0])
	if err != nil {
		return nil, err
	}
	return &tool{path: path, args: argv[1:], env: c.o.Env, dir: c.o.Dir, secrets: c.o.Secrets}, nil
}
