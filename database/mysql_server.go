package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// query returns what a statement prints, a line for each row. The database may be empty.
func (m *mysql) query(ctx context.Context, name, statement string) (string, error) {
	t, err := m.client("--skip-column-names", "--execute="+statement)
	if err != nil {
		return "", err
	}
	if name != "" {
		t.args = append(t.args, "--", name)
	}
	return t.query(ctx)
}

// mysqlSystem are the databases of the server itself.
var mysqlSystem = []string{"information_schema", "performance_schema", "mysql", "sys"}

func (m *mysql) List(ctx context.Context) ([]string, error) {
	// In hex, as a name can have any character. A file system's lost+found looks like a database to these servers.
	out, err := m.query(ctx, "", "SELECT HEX(CONVERT(schema_name USING utf8mb4)) FROM information_schema.schemata "+
		"WHERE schema_name NOT IN ('#mysql50#lost+found', '"+strings.Join(mysqlSystem, "', '")+"')")
	if err != nil {
		return nil, fmt.Errorf("list the databases of %s: %w", m.source(""), err)
	}
	return namesOf(out)
}

func (m *mysql) Prepare(ctx context.Context, how Preparation) error {
	if err := errors.Join(how.check(), m.selected()); err != nil {
		return err
	}
	if slices.Contains(mysqlSystem, strings.ToLower(m.name)) {
		return fmt.Errorf("%s the database %q: it belongs to the server itself; load into another one", how, m.name)
	}
	quoted := "`" + strings.ReplaceAll(m.name, "`", "``") + "`"
	if how == DropAndCreate {
		if _, err := m.query(ctx, "", "DROP DATABASE IF EXISTS "+quoted); err != nil {
			return fmt.Errorf("drop the database %q: %w", m.name, err)
		}
	}
	if _, err := m.query(ctx, "", "CREATE DATABASE "+quoted); err != nil {
		return fmt.Errorf("create the database %q: %w", m.name, err)
	}
	return nil
}

// source is the URL without password and options.
func (m *mysql) source(name string) string {
	u := url.URL{Scheme: "mysql", Host: m.address, Path: "/" + name, RawPath: "/" + url.PathEscape(name)}
	if m.maria {
		u.Scheme = "mariadb"
	}
	if m.user != "" {
		u.User = url.User(m.user)
	}
	return u.String()
}

func (m *mysql) Describe(ctx context.Context) (*Info, error) {
	version, err := m.version(ctx)
	if err != nil {
		return nil, err
	}
	server, err := m.query(ctx, "", "SELECT CONCAT(VERSION(), ' ', @@version_comment)")
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", m.source(m.name), err)
	}
	program, version, _ := strings.Cut(version, " ") // some name their whole path
	return &Info{
		Source: m.source(m.name),
		Labels: map[string]string{"server": server, "tool": filepath.Base(program) + " " + strings.TrimSpace(version)},
	}, nil
}
