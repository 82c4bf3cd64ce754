package database

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestMySQLURL(t *testing.T) {
	for text, want := range map[string]struct {
		source, name, password string
		args                   []string
	}{
		"mysql://u:p@db.example.com/shop":             {"mysql://u@db.example.com/shop", "shop", "p", []string{"--host=db.example.com", "--user=u", "--protocol=tcp"}},
		"mariadb://db:3307/":                          {"mariadb://db:3307/", "", "", []string{"--host=db", "--port=3307", "--protocol=tcp"}},
		"mysql://u:p@[::1]:3307/a":                    {"mysql://u@[::1]:3307/a", "a", "p", []string{"--host=::1", "--port=3307"}},
		"mysql://:3307/a":                             {"mysql://:3307/a", "a", "", []string{"--port=3307", "--protocol=tcp"}},
		"mysql:///a?socket=/run/x.sock&ssl=0":         {"mysql:///a", "a", "", []string{"--socket=/run/x.sock", "--ssl=0"}},
		"mysql://a%40b:p%2F%3F%23%25%20+@h/-x%20%60y": {"mysql://a%40b@h/-x%20%60y", "-x `y", "p/?#% +", []string{"--user=a@b"}},
		"mysql://h/shop/":                             {"mysql://h/shop", "shop", "", nil},
		"mysql://u@h/a@b":                             {"mysql://u@h/a@b", "a@b", "", nil},
		"mysql://h/sl%2Fash":                          {"mysql://h/sl%2Fash", "sl/ash", "", nil},
	} {
		db, err := MySQL(text, nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m := db.(*mysql)
		if m.source(m.name) != want.source || m.Name() != want.name || m.password != want.password {
			t.Errorf("%s: source %s, name %q, password %q", text, m.source(m.name), m.Name(), m.password)
		}
		tool, err := m.client()
		if err != nil {
			t.Fatal(err)
		}
		for _, arg := range want.args {
			if !slices.Contains(tool.args, arg) {
				t.Errorf("%s: no %s in %q", text, arg, tool.args)
			}
		}
		if tcp := slices.Contains(tool.args, "--protocol=tcp"); tcp != (m.address != "") {
			t.Errorf("%s: by TCP: %v", text, tcp)
		}
	}
}

func TestMySQLURLRefused(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://u:hush@h/a":            "must be like mysql://",
		"mysql://u:hu#sh@h/a":              "# as %23",
		"mysql://u:hush@h/a/b":             "one database",
		"mysql://u:hush@h:x/a":             "must be like",
		"mysql://u:1/hush@h/a":             "one database",
		"mysql://u:1/hush@h":               "/ as %2F",
		"mysql://u:1?hush@h/a":             "? as %3F",
		"mysql://u:hush@h/a?password=hush": `not "password"`,
		"mysql://u:hush@h/a?ssl=1&ssl=0":   `once`,
		"mysql://u:hush@h/a?ssl=%zz":       "cannot be parsed",
		"mysql://u:hush@h/a?socket=/s":     "a host and a socket",
		"mysql://u:hush@h/a%00":            "zero byte",
		"mysql://u:hush%00@h/a":            "zero byte",
		"mysql:///a?socket=%00":            "zero byte",
		"mysql:u:hush@h/a":                 "must be like",
	} {
		if _, err := MySQL(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error holds the password: %v", text, err)
		}
	}
}

// However a dump is cut, only its whole last line is its end.
func TestTrailer(t *testing.T) {
	whole := "CREATE TABLE t (a int);\nINSERT INTO t VALUES ('-- Dump completed\\n');\n" + strings.Repeat("x", 3*tailSize) + "\n" + completed
	for text, want := range map[string]bool{
		whole + "\n":                        true,
		whole + " on 2026-11-23  5:36:06\n": true,
		whole + "\r\n":                      true,
		whole + "\nINSERT INTO t":           false,
		"'" + completed + "');\n":           false,
		"":                                  false,
	} {
		for _, size := range []int{1, 7, tailSize, len(text) + 1} {
			l := &trailer{w: io.Discard}
			for part := range slices.Chunk([]byte(text), size) {
				if n, err := l.Write(part); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := l.check(); (err == nil) != want {
				t.Errorf("%.20q… of %d bytes in parts of %d: %v", text, len(text), size, err)
			}
		}
	}
}
