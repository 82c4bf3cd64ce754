package main

import (
	"slices"
	"strings"
	"testing"
)

func TestUsageErrors(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "no command"},
		{[]string{"frobnicate"}, `no command "frobnicate"`},
		{[]string{"--frobnicate"}, "frobnicate"},
		{[]string{"help", "frobnicate"}, `no command "frobnicate"`},
		{[]string{"backup"}, "--name"},
		{[]string{"backup", "--name"}, "needs an argument"},
		{[]string{"backup", "--name", "Shop"}, "shop-"},
		{[]string{"backup", "--name", "shop", "a", "b"}, "want dbbackup backup [FILE]"},
		{[]string{"backup", "--name", "shop", "--stored"}, "takes no flag -stored"},
		{[]string{"backup", "--name", "shop", "--compression", "lzma"}, "lzma"},
		{[]string{"backup", "--name", "shop", "--level", "fast"}, `"fast"`},
		{[]string{"backup", "--name", "shop", "--level", "99"}, "99"},
		{[]string{"backup", "--name", "shop", "--encryption", "rot13"}, `"rot13"`},
		{[]string{"backup", "--name", "shop", "--encryption", "age"}, "--age-recipients"},
		{[]string{"backup", "--name", "shop", "--age-recipients", "/does/not/exist"}, "/does/not/exist"},
		{[]string{"backup", "--name", "shop", "--volume", "/srv/backup"}, "file:///path"},
		{[]string{"backup", "--name", "shop", "--volume", "file:srv/backup"}, "file:///path"},
		{[]string{"backup", "--name", "shop", "--volume", "file://srv/backup"}, "file:///path"},
		{[]string{"backup", "--name", "shop", "--volume", "file:///srv#x"}, "file:///path"},
		{[]string{"backup", "--name", "shop", "--volume", "sftp://user:hunter2@host/backup"}, "file:///path"},
		{[]string{"backup", "--name", "shop", "--min-size", "1M"}, "whole bytes"},
		{[]string{"backup", "--name", "shop", "--min-size", "-1"}, "whole bytes"},
		{[]string{"list", "--name", "Shop"}, "Shop"},
		{[]string{"list", "shop"}, "want dbbackup list --name shop"},
		{[]string{"restore", "--out", "x", "shop/latest"}, "dbbackup help restore"},
		{[]string{"--out", "x", "restore", "shop/latest"}, "dbbackup help "},
		{[]string{"backup", "--name", "shop", "--ext", "sql"}, "want .sql"},
		{[]string{"backup", "--name", "shop", "--ext", ".s-ql"}, "such as .sql"},
		{[]string{"open", "/srv/backup/shop/x.sql.aes"}, "inside the volume"},
		{[]string{"restore"}, "want dbbackup restore ID"},
		{[]string{"restore", "shop"}, "name/latest"},
		{[]string{"restore", "shop/yesterday"}, "yesterday"},
		{[]string{"copy", "shop/latest"}, "--to"},
		{[]string{"copy", "shop/latest", "--to", "file:///x", "--name", "É"}, "É"},
		{[]string{"restore", "--", "--help"}, "--help"},
	} {
		s := newShell(t)
		s.fails(exitUsage, tt.args, tt.want)
		if got := s.run("", tt.args...); strings.Contains(got.err, "hunter2") || got.out != "" {
			t.Errorf("dbbackup %q: %+v", tt.args, got)
		}
	}
}

// Nothing is stored in the clear because somebody forgot something.
func TestNoSilentPlaintext(t *testing.T) {
	for _, args := range [][]string{{"backup", "--name=shop"}, {"check"}, {"copy", "shop/latest", "--to=file:///nowhere"}} {
		s := newShell(t)
		s.ok("x", "backup", "--name=shop")
		delete(s.env, keyVar)
		s.fails(exitUsage, args, "--encryption none", "keygen")
	}
	s := newShell(t)
	delete(s.env, keyVar)
	s.fails(exitUsage, []string{"backup", "--name=shop", "--encryption=aes256"}, keyVar, "keygen")
	ref := last(s.ok("x", "backup", "--name=shop", "--encryption=none"))
	s.env["BACKUP_ENCRYPTION"] = "none"
	s.ok("x", "backup", "--name=shop")
	if got := s.ok("", "restore", ref); got != "x" {
		t.Errorf("restored %q", got)
	}
	// Without a word about encryption, what nothing seals is not read either.
	delete(s.env, "BACKUP_ENCRYPTION")
	s.fails(exitFailure, []string{"restore", ref}, "--allow-unsealed")
}

// Flags stand before, behind and between.
func TestFlagOrder(t *testing.T) {
	s := newShell(t)
	file := write(t, "a.sql", "data")
	volume := s.env["BACKUP_VOLUME"]
	delete(s.env, "BACKUP_VOLUME")
	words := []string{"backup", file}
	for _, flags := range [][]string{{"--name", "shop", "--volume", volume}, {"-name=shop", "-volume=" + volume}} {
		for at := range len(words) + 1 {
			s.ok("", slices.Insert(slices.Clone(words), at, flags...)...)
		}
		half := len(flags) / 2
		s.ok("", slices.Concat(flags[:half], words[:1], flags[half:], words[1:])...)
		s.ok("", slices.Concat(words[:1], flags, []string{"--"}, words[1:])...)
	}
	if got := strings.Count(s.ok("", "--volume", volume, "list", "--name", "shop"), "\n"); got != 10 {
		t.Errorf("%d snapshots", got)
	}
}

func TestEnvironmentDefaults(t *testing.T) {
	s := newShell(t)
	s.env["BACKUP_COMPRESSION"], s.env["BACKUP_COMPRESSION_LEVEL"] = "zstd", "19"
	if got := s.ok("", "show", last(s.ok("x", "backup", "--name=a"))); !strings.Contains(got, "level 19") {
		t.Errorf("the environment's level: %s", got)
	}
	if got := s.ok("", "show", last(s.ok("x", "backup", "--name=a", "--level=1"))); !strings.Contains(got, "level 1\n") {
		t.Errorf("the flag's level: %s", got)
	}
	// 19 is no level of gzip.
	if got := s.ok("", "show", last(s.ok("x", "backup", "--name=a", "--compression=gzip"))); !strings.Contains(got, "gzip") {
		t.Errorf("the flag's compression: %s", got)
	}
}

// A misspelt volume is an error where it would look empty.
func TestMissingVolume(t *testing.T) {
	s := newShell(t)
	for _, args := range [][]string{{"names"}, {"list"}, {"restore", "shop/latest"}, {"sweep"}, {"delete", "shop/latest"}} {
		s.fails(exitFailure, args, "there is no volume")
	}
	delete(s.env, "BACKUP_VOLUME")
	s.fails(exitUsage, []string{"list"}, "BACKUP_VOLUME")
}

// A bad setting for new snapshots stands in nobody's way who reads.
func TestBadCompressionDoesNotBlockReading(t *testing.T) {
	s := newShell(t)
	ref := last(s.ok("data", "backup", "--name=shop"))
	for _, env := range []map[string]string{{"BACKUP_COMPRESSION": "foo"}, {"BACKUP_COMPRESSION_LEVEL": "99"}, {"BACKUP_COMPRESSION_LEVEL": "fast"}} {
		for k, v := range env {
			s.env[k] = v
		}
		for _, args := range [][]string{{"names"}, {"list"}, {"show", ref}, {"verify", ref}, {"restore", ref}, {"rekey", ref}, {"sweep"}} {
			if got := s.run("", args...); strings.Contains(got.err, "compress") || got.status == exitUsage {
				t.Errorf("%v: dbbackup %q: %+v", env, args, got)
			}
		}
		for _, args := range [][]string{{"backup", "--name=shop"}, {"copy", ref, "--to", s.env["BACKUP_VOLUME"]}, {"check"}} {
			s.fails(exitUsage, args)
		}
	}
}
