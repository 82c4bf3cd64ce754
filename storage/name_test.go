package storage_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/databasement/backup/storage"
)

func TestCheckName(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, c := range []struct{ name, want string }{
		{"a", ""},
		{"shop/20261122t175500123z-7f3a9c2e.sql.zst.aes", ""},
		{" spaces and %2F + / é 日本 🦉", ""},
		{".hidden/..a/...", ""},
		{".tmp/x.tmp-", ""},
		{long, ""},
		{long + "/" + long + "/" + long + "/" + long, ""}, // 1023 bytes
		{long + "/" + long + "/" + long + "/" + long + "/y", "more than 1024"},
		{"a/" + long + "x", "component 2 has 256 bytes"},
		{"", "empty"},
		{"/a", "component 1 is empty"},
		{"a/", "component 2 is empty"},
		{"a//b", "component 2 is empty"},
		{".", `component 1 is "."`},
		{"a/../b", `component 2 is ".."`},
		{"a/b\x00c", "'\\x00' at byte 3"},
		{"é\n", "'\\n' at byte 2"},
		{"a\x7f", "'\\x7f'"},
		{"a\u0085", "'\\u0085'"},
		{`a\b`, `'\\' at byte 1`},
		{"a\xff", "UTF-8"},
		{".tmp-", "kept for temporary files"},
		{"a/.tmp-b/c", "component 2 begins with"},
	} {
		err := storage.CheckName(c.name)
		if c.want == "" {
			if err != nil {
				t.Errorf("CheckName(%q): %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, storage.ErrInvalidName) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("CheckName(%.40q) = %v, want ErrInvalidName with %q", c.name, err, c.want)
		}
		if err != nil && len(err.Error()) > 200 {
			t.Errorf("CheckName(%.40q): the error has %d bytes", c.name, len(err.Error()))
		}
	}
}

// FuzzCheckName has every name that passes be one that io/fs takes, and one line.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a/b", "..", "a\\b", "\xff", ".tmp-x", "a\u2028b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := storage.CheckName(name)
		switch {
		case err == nil && (!fs.ValidPath(name) || name == "." || len(name) > 1024 || strings.ContainsAny(name, "\x00\n\\")):
			t.Errorf("CheckName takes %q", name)
		case err != nil && !errors.Is(err, storage.ErrInvalidName):
			t.Errorf("CheckName(%q): %v", name, err)
		}
	})
}
