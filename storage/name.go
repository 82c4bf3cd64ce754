package storage

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName      = 1024 // bytes: the limit of S3
	maxComponent = 255  // bytes: the limit of nearly every file system
	// tempPrefix begins the names that volumes keep for their temporary files.
	tempPrefix = ".tmp-"
)

// CheckName returns nil if name can be an object's name on every volume, and
// else an error that satisfies [ErrInvalidName] and says which part is wrong.
//
// A name is 1 to 1024 bytes of UTF-8: components joined by single slashes,
// each 1 to 255 bytes, none of them "." or ".." and none beginning with
// ".tmp-", which volumes keep for their temporary files. Control characters and
// backslashes are refused everywhere; all else is allowed, spaces, "%" and "+" included.
func CheckName(name string) error {
	switch {
	case name == "":
		return invalidName("it is empty")
	case len(name) > maxName:
		return invalidName("it has %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name):
		return invalidName("it is not valid UTF-8")
	}
	for i, r := range name {
		if r == '\\' || unicode.IsControl(r) {
			return invalidName("%q at byte %d is not allowed", r, i)
		}
	}
	n := 0
	for c := range strings.SplitSeq(name, "/") {
		n++
		if err := checkComponent(c, n); err != nil {
			return err
		}
	}
	return nil
}

func checkComponent(c string, n int) error {
	switch {
	case c == "":
		return invalidName("component %d is empty (a slash at the start or the end, or two in a row)", n)
	case c == "." || c == "..":
		return invalidName("component %d is %q", n, c)
	case len(c) > maxComponent:
		return invalidName("component %d has %d bytes, more than %d", n, len(c), maxComponent)
	case strings.HasPrefix(c, tempPrefix):
		return invalidName("component %d begins with %q, which is kept for temporary files", n, tempPrefix)
	}
	return nil
}

func invalidName(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrInvalidName)
}
