package config

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/databasement/backup/s3fs"
)

// Setting is a setting in effect. Of a secret, Value says only that there is one, and the id of a key, which reveals nothing.
type Setting struct {
	Name   string `json:"name"`   // of the variable; of the bucket's, "s3 " and the field of s3fs.Options
	Value  string `json:"value"`  // "-": none
	Origin string `json:"origin"` // such as "environment", "default", or what Lookup said
}

const (
	byDefault = "default"
	hidden    = "set, not shown"
)

// Settings are all that are in effect, those of the bucket too if the volume is in one.
func (c Config) Settings() []Setting {
	all := append([]Setting{}, c.settings...)
	if !isBucket(c.Volume) {
		return all
	}
	v, err := openBucket(context.Background(), c.Volume, new(OpenOptions))
	if err != nil { // which is among the problems
		return all
	}
	defer v.Close()
	for _, s := range v.(*s3fs.Volume).Options().Settings() {
		all = append(all, Setting{"s3 " + s.Name, s.Value, s.Origin})
	}
	return all
}

// Problems are what is wrong, each with its variable.
func (c Config) Problems() []string {
	var all []string
	for _, p := range c.problems {
		all = append(all, p.Error())
	}
	return all
}

// String is a table of the settings in effect, and what is wrong with them. It holds no secret.
func (c Config) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tORIGIN")
	for _, s := range c.Settings() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, s.Value, s.Origin)
	}
	w.Flush()
	for _, p := range c.Problems() {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	return b.String()
}

// MarshalJSON is what String says, as JSON.
func (c Config) MarshalJSON() ([]byte, error) {
	problems := c.Problems()
	if problems == nil {
		problems = []string{}
	}
	return json.Marshal(map[string]any{"settings": c.Settings(), "problems": problems})
}

// Format implements fmt.Formatter: every verb prints String, as %+v and %#v would print the secrets.
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue implements slog.LogValuer: the settings.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range c.Settings() {
		attrs = append(attrs, slog.String(s.Name, s.Value))
	}
	return slog.GroupValue(attrs...)
}

// shown is text that stays in its cell. A password that stands in a URL is not shown.
func shown(s string) string {
	switch u, err := url.Parse(s); {
	case s == "":
		return "-"
	case err == nil && u.User != nil:
		return u.Redacted()
	case strings.Contains(s, "://") && strings.Contains(s, "@"):
		return hidden
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(s)
	}
	return s
}
