//go:build unix

package database

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs makes shell scripts the only programs on PATH.
func programs(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

const (
	fakeMySQL   = `case "$*" in *--version*) echo "/opt/bin/mysqldump  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)"; exit;; esac; `
	fakeMariaDB = `case "$*" in *--version*) echo "mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB, for Linux (x86_64)"; exit;; esac; `
	fakeArgs    = `echo "$MYSQL_PWD $MYSQL_TEST_LOGIN_FILE"; for a in "$@"; do echo "$a"; done; echo "-- Dump completed"`
	fakeClient  = `echo "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin"`
)

// MySQL's own dump program needs to be told what that of MariaDB does not know.
func TestMySQLArguments(t *testing.T) {
	gtid := []string{"\n--set-gtid-purged=OFF\n", "\n--loose-column-statistics=0\n"}
	always := []string{"p%w /dev/null\n--no-defaults\n", "\n--single-transaction\n", "\n--no-tablespaces\n", "\n--ignore-table=a.b\n--\nshop\n"}
	for name, c := range map[string]struct {
		url, dumper, client string
		script              string
		own                 bool
	}{
		"MySQL":            {"mysql://u:p%25w@h/shop", "mysqldump", "mysql", fakeMySQL, true},
		"MariaDB, old":     {"mariadb://u:p%25w@h/shop", "mysqldump", "mysql", fakeMariaDB, false},
		"MariaDB, as this": {"mysql://u:p%25w@h/shop", "mariadb-dump", "mariadb", fakeMariaDB, false},
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, map[string]string{c.dumper: c.script + fakeArgs, c.client: fakeClient})
			m, err := MySQL(c.url, &MySQLOptions{Args: []string{"--ignore-table=a.b"}})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := m.Dump(t.Context(), &out); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(out.String(), "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin;\n") {
				t.Errorf("the dump begins with %.80q", out.String())
			}
			for _, arg := range always {
				if !strings.Contains(out.String(), arg) {
					t.Errorf("no %q in %q", arg, out.String())
				}
			}
			for _, arg := range gtid {
				if strings.Contains(out.String(), arg) != c.own {
					t.Errorf("%q is in %q: %v", arg, out.String(), !c.own)
				}
			}
		})
	}
}

func TestMySQLDumpFails(t *testing.T) {
	for name, c := range map[string]struct {
		scripts map[string]string
		want    []string
	}{
		"cut off, with status 0": {map[string]string{"mysqldump": fakeMySQL + `echo "INSERT INTO t VALUES (1);"`, "mysql": fakeClient}, []string{"status 0", "last line"}},
		"secrets in messages": {map[string]string{"mysqldump": fakeMySQL + `echo "-- Dump completed"; echo "no p%w, no p%25w" >&2; exit 2`, "mysql": fakeClient},
			[]string{"mysqldump: exit status 2: no [password], no [password]"}},
		"client fails":     {map[string]string{"mysqldump": fakeMySQL, "mysql": "echo no p%w >&2; exit 1"}, []string{"collation", "exit status 1: no [password]"}},
		"no dump program":  {map[string]string{"mysql": fakeClient}, []string{"no mysqldump and no mariadb-dump"}},
		"no client":        {map[string]string{"mysqldump": fakeMySQL}, []string{"no mysql and no mariadb"}},
		"no version given": {map[string]string{"mysqldump": "echo broken >&2; exit 3"}, []string{"exit status 3: broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, c.scripts)
			m, err := MySQL("mysql://u:p%25w@h/shop", nil)
			if err != nil {
				t.Fatal(err)
			}
			err = m.Dump(t.Context(), io.Discard)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %q", err, want)
				}
			}
			if missing := strings.HasPrefix(name, "no ") && !strings.Contains(name, "version"); errors.Is(err, exec.ErrNotFound) != missing {
				t.Errorf("%v is exec.ErrNotFound: %v", err, !missing)
			}
		})
	}
}
