package database

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maintenance is the database that statements about databases run in.
const maintenance = "postgres"

// query returns what a statement prints, a line for each row.
func (p *postgres) query(ctx context.Context, name, statement string) (string, error) {
	t, err := p.tool("psql", name, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command="+statement)
	if err != nil {
		return "", err
	}
	t.env = append(t.env, "PGCLIENTENCODING=UTF8")
	return t.query(ctx)
}

func (p *postgres) List(ctx context.Context) ([]string, error) {
	// In hex, as a name can have any character, line ends too.
	out, err := p.query(ctx, maintenance, `SELECT encode(convert_to(datname, 'UTF8'), 'hex') FROM pg_database
		WHERE datallowconn AND NOT datistemplate ORDER BY datname COLLATE "C"`)
	if err != nil {
		return nil, fmt.Errorf("list the databases of %s: %w", p.conninfo(""), err)
	}
	return namesOf(out)
}

func (p *postgres) Prepare(ctx context.Context, how Preparation) error {
	if err := errors.Join(how.check(), p.selected()); err != nil {
		return err
	}
	switch p.name {
	case maintenance, "template0", "template1":
		return fmt.Errorf("%s the database %q: it belongs to the server itself; load into another one", how, p.name)
	}
	version, longest, err := p.limits(ctx)
	if err != nil {
		return fmt.Errorf("%s the database %q: %w", how, p.name, err)
	}
	if len(p.name) > longest { // the server would cut it, and take another database for this one
		return fmt.Errorf("%s the database %q: its name has %d bytes, and the server allows %d; choose a shorter one", how, p.name, len(p.name), longest)
	}
	quoted := `"` + strings.ReplaceAll(p.name, `"`, `""`) + `"`
	if how == DropAndCreate {
		force := ""
		if version >= 13_00_00 {
			force = " WITH (FORCE)" // ends the sessions in it
		}
		if _, err := p.query(ctx, maintenance, "DROP DATABASE IF EXISTS "+quoted+force); err != nil {
			return fmt.Errorf("drop the database %q: %w", p.name, err)
		}
	}
	if _, err := p.query(ctx, maintenance, "CREATE DATABASE "+quoted+" TEMPLATE template0"); err != nil {
		return fmt.Errorf("create the database %q: %w", p.name, err)
	}
	return nil
}

// limits are the server's version, such as 150004, and how many bytes a name can have.
func (p *postgres) limits(ctx context.Context) (version, longest int, err error) {
	out, err := p.query(ctx, maintenance, "SELECT current_setting('server_version_num') || ' ' || current_setting('max_identifier_length')")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(out, &version, &longest); err != nil {
		return 0, 0, fmt.Errorf("the server says %.40q where its version and longest name were expected", out)
	}
	return version, longest, nil
}

func (p *postgres) Describe(ctx context.Context) (*Info, error) {
	t, err := p.tool("pg_dump", p.name)
	if err != nil {
		return nil, err
	}
	t.args = []string{"--version"}
	tool, err := t.query(ctx)
	if err != nil {
		return nil, err
	}
	name := p.name
	if name == "" {
		name = maintenance
	}
	server, err := p.query(ctx, name, "SHOW server_version")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", p.conninfo(name), err)
	}
	return &Info{
		Source: strings.Split(p.conninfo(p.name), "?")[0],
		Labels: map[string]string{"server": "PostgreSQL " + server, "tool": tool, "format": string(p.format)},
	}, nil
}
