package s3fs

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// String is a table of the configuration in effect: each setting, its value, and where that is from, which is a variable, a
// profile, "default", or "set" for what a program has set. Of an access key's id it shows the first 4 characters, of
// its secret and of the session token nothing. What is wrong, and what of the environment is not used, follows.
func (o Options) String() string {
	r, problems := o.resolved()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tORIGIN")
	for _, row := range r.rows() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.setting, row.value, row.origin)
	}
	w.Flush()
	for _, note := range r.notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	for _, p := range problems {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	return b.String()
}

// Setting is a line of String.
type Setting struct{ Name, Value, Origin string }

// Settings are the lines of String's table.
func (o Options) Settings() []Setting {
	r, _ := o.resolved()
	var all []Setting
	for _, row := range r.rows() {
		all = append(all, Setting{row.setting, row.value, row.origin})
	}
	return all
}

// Format implements fmt.Formatter: every verb prints String, as %+v and %#v would print the secrets.
func (o Options) Format(f fmt.State, _ rune) { io.WriteString(f, o.String()) }

// LogValue implements slog.LogValuer: the rows of String.
func (o Options) LogValue() slog.Value {
	r, _ := o.resolved()
	var attrs []slog.Attr
	for _, row := range r.rows() {
		attrs = append(attrs, slog.String(row.setting, row.value))
	}
	return slog.GroupValue(attrs...)
}

type row struct{ setting, value, origin string }

const none = "-"

// rows are the settings of resolved options, in the order of the fields.
func (o *Options) rows() []row {
	return []row{
		o.row("Prefix", o.Prefix, shown(o.Prefix)),
		o.row("Region", o.Region, shown(o.Region)),
		o.row("Endpoint", o.Endpoint, cmp.Or(shownURL(o.Endpoint), "AWS")),
		o.row("PublicEndpoint", o.PublicEndpoint, cmp.Or(shownURL(o.PublicEndpoint), "AWS")),
		o.row("PathStyle", o.PathStyle, strconv.FormatBool(o.PathStyle)),
		{"Credentials", o.whose(), none},
		o.row("Profile", o.Profile, shown(o.Profile)),
		o.row("AccessKeyID", o.AccessKeyID, start(o.AccessKeyID)),
		o.row("SecretAccessKey", o.SecretAccessKey, hidden(o.SecretAccessKey)),
		o.row("SessionToken", o.SessionToken, hidden(o.SessionToken)),
		o.row("RoleARN", o.RoleARN, shown(o.RoleARN)),
		o.row("RoleSessionName", o.RoleSessionName, shown(o.RoleSessionName)),
		o.row("STSEndpoint", o.STSEndpoint, cmp.Or(shownURL(o.STSEndpoint), "AWS")),
		o.row("STSProfile", o.STSProfile, shown(o.STSProfile)),
		o.row("PartSize", o.PartSize, size(o.PartSize)),
		o.row("Concurrency", o.Concurrency, strconv.Itoa(o.Concurrency)),
		o.row("MaxParts", o.MaxParts, strconv.Itoa(o.MaxParts)),
		o.row("Checksum", o.Checksum, shown(string(o.Checksum))),
		o.row("StorageClass", o.StorageClass, shown(o.StorageClass)),
		o.row("SSE", o.SSE, shown(string(o.SSE))),
		o.row("SSEKMSKeyID", o.SSEKMSKeyID, shown(o.SSEKMSKeyID)),
		o.row("ObjectLock", o.ObjectLock, shownLock(o.ObjectLock)),
		o.row("Tags", len(o.Tags), shownTags(o.Tags)),
		o.row("StallTimeout", o.StallTimeout, o.StallTimeout.String()),
		o.row("MaxAttempts", o.MaxAttempts, strconv.Itoa(o.MaxAttempts)),
		o.row("MaxPause", o.MaxPause, o.MaxPause.String()),
		o.row("OnRetry", o.OnRetry != nil, map[bool]string{true: "own", false: "nobody is told"}[o.OnRetry != nil]),
		o.row("HTTPClient", o.HTTPClient != nil, map[bool]string{true: "own", false: "the SDK's, tuned"}[o.HTTPClient != nil]),
	}
}

// row is one setting; value is the field's, in which a zero is what nobody has set.
func (o *Options) row(field string, value any, text string) row {
	from := o.from(field, value)
	switch {
	case from != "":
	case value == any(0), value == any(""), value == any(false), value == any(Checksum("")), value == any(SSE("")), value == any(ObjectLock{}):
		from = byDefault
	default:
		from = "set"
	}
	return row{field, text, from}
}

// whose says in words which credentials are used.
func (o *Options) whose() string {
	base := "the SDK's default chain"
	switch {
	case o.RoleARN != "" && o.STSProfile != "":
		base = "profile " + shown(o.STSProfile)
	case o.AccessKeyID != "" || o.SecretAccessKey != "":
		base = "static keys"
	case o.Profile != "":
		base = "profile " + shown(o.Profile)
	}
	switch {
	case o.RoleARN != "":
		return "the role, assumed by " + base
	case o.STSProfile != "":
		return base + "; STSProfile is not used without a role"
	}
	return base
}

// shown is text that stays in its cell.
func shown(s string) string {
	switch {
	case s == "":
		return none
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return strconv.Quote(s)
	}
	return s
}

func hidden(secret string) string {
	if secret == "" {
		return none
	}
	return "set, not shown"
}

// start is what tells access keys apart and kinds of them (AKIA, ASIA).
func start(id string) string {
	const most = 4
	switch {
	case id == "":
		return none
	case len(id) < 3*most:
		return hidden(id)
	}
	return shown(id[:most]) + "…"
}

// shownURL hides URLs that are wrong, because of what may be in them.
func shownURL(s string) string {
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || flawOfURL(s) != "" {
		return "not shown: " + flawOfURL(s)
	} else {
		return shown(u.String())
	}
}

func size(n int64) string {
	if n > 0 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

func shownLock(l ObjectLock) string {
	if l == (ObjectLock{}) {
		return none
	}
	return shown(l.Mode) + " for " + l.For.Round(time.Second).String()
}

func shownTags(tags map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		pairs = append(pairs, key+"="+tags[key])
	}
	return shown(strings.Join(pairs, ", "))
}
