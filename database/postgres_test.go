package database

import (
	"strings"
	"testing"
)

func TestPostgresURL(t *testing.T) {
	for _, test := range []struct{ url, conninfo, name string }{
		{"postgres://u:p%40ss@db.example.com:5433/shop?sslmode=require", "postgres://u@db.example.com:5433/shop?sslmode=require", "shop"},
		{"postgresql://db/", "postgresql://db/", ""},
		{"postgres:///shop", "postgres:///shop", "shop"},
		{"postgres://h/shop?password=hunter2&application_name=a%20b", "postgres://h/shop?application_name=a%20b", "shop"},
		{"postgres://h/%C3%84%20%22b%3Dc%2Fd?host=%2Frun%2Fpg", "postgres://h/%C3%84%20%22b%3Dc%2Fd?host=%2Frun%2Fpg", `Ä "b=c/d`},
		{"postgres://[::1]:5432/shop", "postgres://[::1]:5432/shop", "shop"},
	} {
		p, err := parsePostgres(test.url)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		if got := p.conninfo(p.name); got != test.conninfo || p.name != test.name {
			t.Errorf("%s: %q %q", test.url, got, p.name)
		}
	}
	for _, bad := range []string{
		"postgres://u:hunter2@h/a/b", "mysql://h/x", "postgres:shop", "postgres://h/x?sslpassword=hunter2", "postgres://h/x?dbname=y", "postgres://h/x?oauth_client_secret=hunter2", "postgres://h/x?scram_client_key=hunter2", "postgres://h/x?service=y",
		"postgres://u:hunter2#3@h/x", "postgres://u:hunter2%zz@h/x", "postgres://u:hunter2%00@h/x", "postgres://u:hun/ter2@h/x", "postgres://u:12/hunter2@h", "postgres://u:12?hunter2@h/x",
	} {
		if _, err := Postgres(bad, nil); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := Postgres("postgres://h/x", &PostgresOptions{Format: "tar"}); err == nil {
		t.Error("another format is accepted")
	}
}
