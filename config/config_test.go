package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"filippo.io/age"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
)

// environment is one for Parse.
type environment map[string]string

func (e environment) lookup(variable string) (string, string) { return e[variable], "environment" }

func (e environment) with(pairs ...string) environment {
	all := environment{}
	for k, v := range e {
		all[k] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

var testKey, oldKey = crypto.NewKey(), crypto.NewKey()

// working is an environment without a problem.
func working(t *testing.T) environment {
	t.Helper()
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), "volume"))
	if !strings.HasPrefix(dir, "/") {
		dir = "/" + dir
	}
	return environment{"BACKUP_VOLUME": "file://" + dir, keyVariable: testKey.Encode()}
}

func TestValues(t *testing.T) {
	base := working(t)
	for _, test := range []struct {
		variable, value string
		ok              bool
		want            func(c *Config) bool // nil: nothing to see
	}{
		{"BACKUP_VOLUME", "", false, nil},
		{"BACKUP_VOLUME", "/srv/backup", false, nil},
		{"BACKUP_VOLUME", "ftp://host/path", false, nil},
		{"BACKUP_VOLUME", "s3://bucket/prefix?max-parts=1000", true, nil},
		{"BACKUP_VOLUME", "s3://bucket/prefix?max-parts=many", false, nil},
		{"BACKUP_VOLUME", "s3://Bad_Bucket", false, nil},
		{"BACKUP_COMPRESSION", "gzip", true, func(c *Config) bool { return c.compression == "gzip" }},
		{"BACKUP_COMPRESSION", "ZSTD", true, func(c *Config) bool { return c.compression == "zstd" }},
		{"BACKUP_COMPRESSION", "encrypted", true, func(c *Config) bool { return c.encryption == "7z" && c.compression == "" }},
		{"BACKUP_COMPRESSION", "lzip", false, nil},
		{"BACKUP_COMPRESSION_LEVEL", "19", true, func(c *Config) bool { return c.level == 19 }},
		{"BACKUP_COMPRESSION_LEVEL", "99", false, nil},
		{"BACKUP_COMPRESSION_LEVEL", "x", false, nil},
		{"BACKUP_ENCRYPTION", "7z", true, nil},
		{"BACKUP_ENCRYPTION", "none", true, nil},
		{"BACKUP_ENCRYPTION", "aes128", false, nil},
		{"BACKUP_ENCRYPTION", "age", false, nil}, // without recipients
		{"BACKUP_7Z_METHOD", "lzma2", false, nil},
		{"BACKUP_ENCRYPTION_KEY", "base64:AAAA", false, nil},
		{"BACKUP_ENCRYPTION_KEY", "a password", false, nil},
		{"BACKUP_ENCRYPTION_OLD_KEYS", oldKey.Encode() + ", " + oldKey.Encode(), true, func(c *Config) bool { return len(c.oldKeys) == 2 }},
		{"BACKUP_ENCRYPTION_OLD_KEYS", "nonsense", false, nil},
		{"BACKUP_ENCRYPTION_OLD_KEYS", strings.Repeat(oldKey.Encode()+",", 101), false, nil},
		{"BACKUP_AGE_RECIPIENTS_FILE", "/does/not/exist", false, nil},
		{"BACKUP_AGE_IDENTITIES_FILE", "/does/not/exist", false, nil},
		{"BACKUP_ALLOW_UNSEALED", "yes", true, func(c *Config) bool { return c.allowUnsealed }},
		{"BACKUP_ALLOW_UNSEALED", "perhaps", false, nil},
		{"BACKUP_SEGMENT_SIZE", "5368709120", true, func(c *Config) bool { return c.segmentSize == 5<<30 }},
		{"BACKUP_SEGMENT_SIZE", "-1", false, nil},
		{"BACKUP_SEGMENT_SIZE", "999999999999999", false, nil},
		{"BACKUP_DAILY_CRON", "30 1 * * *", true, func(c *Config) bool { return c.DailyCron == "30 1 * * *" }},
		{"BACKUP_DAILY_CRON", "at night", false, nil},
		{"BACKUP_WEEKLY_CRON", "99 * * * *", false, nil},
		{"BACKUP_CLEANUP_CRON", "* * * *", false, nil},
		{"BACKUP_TIMEZONE", "Europe/Berlin", true, func(c *Config) bool {
			return c.Location.String() == "Europe/Berlin" && c.Retention.Location == c.Location
		}},
		{"BACKUP_TIMEZONE", "Mars/Olympus", false, nil},
		{"BACKUP_JOB_TIMEOUT", "90", true, func(c *Config) bool { return c.JobTimeout == 90*time.Second }},
		{"BACKUP_JOB_TIMEOUT", "2h30m", true, func(c *Config) bool { return c.JobTimeout == 150*time.Minute }},
		{"BACKUP_JOB_TIMEOUT", "0", false, nil},
		{"BACKUP_JOB_TIMEOUT", "-5", false, nil},
		{"BACKUP_JOB_TIMEOUT", "99999999999999999999", false, nil},
		{"BACKUP_JOB_TRIES", "5", true, func(c *Config) bool { return c.JobTries == 5 }},
		{"BACKUP_JOB_TRIES", "0", false, nil},
		{"BACKUP_JOB_TRIES", "101", false, nil},
		{"BACKUP_JOB_BACKOFF", "5m", true, func(c *Config) bool { return c.JobBackoff == 5*time.Minute }},
		{"BACKUP_KEEP_LAST", "7", true, func(c *Config) bool { return c.Retention.KeepLast == 7 }},
		{"BACKUP_KEEP_HOURLY", "7", true, func(c *Config) bool { return c.Retention.KeepHourly == 7 }},
		{"BACKUP_KEEP_DAILY", "7", true, func(c *Config) bool { return c.Retention.KeepDaily == 7 }},
		{"BACKUP_KEEP_WEEKLY", "7", true, func(c *Config) bool { return c.Retention.KeepWeekly == 7 }},
		{"BACKUP_KEEP_MONTHLY", "7", true, func(c *Config) bool { return c.Retention.KeepMonthly == 7 }},
		{"BACKUP_KEEP_YEARLY", "7", true, func(c *Config) bool { return c.Retention.KeepYearly == 7 }},
		{"BACKUP_KEEP_DAILY", "-7", false, nil},
		{"BACKUP_KEEP_DAILY", "seven", false, nil},
		{"BACKUP_KEEP_WITHIN", "14d", true, func(c *Config) bool { return c.Retention.KeepWithin == 14*24*time.Hour }},
		{"BACKUP_KEEP_WITHIN", "36h", true, func(c *Config) bool { return c.Retention.KeepWithin == 36*time.Hour }},
		{"BACKUP_KEEP_WITHIN", "-36h", false, nil},
		{"BACKUP_KEEP_WITHIN", "999999999999d", false, nil},
		{"BACKUP_KEEP_FLOOR", "3", true, func(c *Config) bool { return c.Retention.Floor == 3 }},
		{"BACKUP_KEEP_FLOOR", "0", false, nil},
		{"BACKUP_PRUNE_MIN_RATIO", "0.9", true, func(c *Config) bool { return c.Retention.MinRatio == 0.9 }},
		{"BACKUP_PRUNE_MIN_RATIO", "-1", true, func(c *Config) bool { return c.Retention.MinRatio == -1 }},
		{"BACKUP_PRUNE_MIN_RATIO", "2", false, nil},
		{"BACKUP_PRUNE_MIN_RATIO", "NaN", false, nil},
	} {
		c, err := Parse(base.with(test.variable, test.value).lookup)
		if (err == nil) != test.ok {
			t.Errorf("%s=%s: %v", test.variable, test.value, err)
			continue
		}
		if err != nil && !strings.Contains(err.Error(), "BACKUP_") {
			t.Errorf("%s=%s: the error names no variable: %v", test.variable, test.value, err)
		}
		if test.want != nil && !test.want(c) {
			t.Errorf("%s=%s: %+v", test.variable, test.value, c)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := Parse(working(t).lookup)
	if err != nil {
		t.Fatal(err)
	}
	if c.DailyCron != "0 2 * * *" || c.WeeklyCron != "0 3 * * 0" || c.CleanupCron != "0 4 * * *" || c.JobTimeout != 2*time.Hour || c.JobTries != 3 ||
		c.JobBackoff != time.Minute || c.Location != time.UTC || !c.Retention.IsEmpty() || c.encryption != "aes256" {
		t.Errorf("%+v", c)
	}
}

func TestContradictions(t *testing.T) {
	base := working(t)
	for _, pairs := range [][]string{
		{"BACKUP_COMPRESSION", "encrypted", "BACKUP_ENCRYPTION", "aes256"},
		{"BACKUP_COMPRESSION", "zstd", "BACKUP_ENCRYPTION", "7z"},
		{"BACKUP_COMPRESSION_LEVEL", "3", "BACKUP_ENCRYPTION", "7z", "BACKUP_7Z_METHOD", "copy"},
		{"BACKUP_ENCRYPTION_KEY", ""},
		{"BACKUP_ENCRYPTION", "7z", "BACKUP_SEGMENT_SIZE", "10"},
	} {
		if _, err := Parse(base.with(pairs...).lookup); err == nil {
			t.Errorf("%v is accepted", pairs)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := Parse(environment{"BACKUP_COMPRESSION": "x", "BACKUP_ENCRYPTION": "y", "BACKUP_DAILY_CRON": "z", "BACKUP_JOB_TRIES": "0", "BACKUP_KEEP_LAST": "-1"}.lookup)
	for _, variable := range []string{"BACKUP_COMPRESSION:", "BACKUP_ENCRYPTION:", "BACKUP_DAILY_CRON:", "BACKUP_JOB_TRIES:", "BACKUP_KEEP_LAST:"} {
		if err == nil || !strings.Contains(err.Error(), variable) {
			t.Errorf("%s is not in the error: %v", variable, err)
		}
	}
}

// The variables of the bucket are among the problems, too.
func TestProblemsOfS3(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "not a url")
	_, err := Parse(working(t).with("BACKUP_VOLUME", "s3://bucket", "BACKUP_JOB_TRIES", "0").lookup)
	if err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL_S3") || !strings.Contains(err.Error(), "BACKUP_JOB_TRIES") {
		t.Error(err)
	}
}

// APP_KEY stands in for the key, but an application's own key is no problem where none is needed.
func TestAppKey(t *testing.T) {
	base := working(t).with(keyVariable, "", appKeyVariable, testKey.Encode())
	c, err := Parse(base.lookup)
	if err != nil || c.key.ID() != testKey.ID() || !strings.Contains(c.String(), "environment, APP_KEY") {
		t.Errorf("%v %v", c, err)
	}
	if c, err = Parse(base.with(keyVariable, oldKey.Encode()).lookup); err != nil || c.key.ID() != oldKey.ID() {
		t.Errorf("%v %v", c, err)
	}
	if _, err := Parse(base.with(appKeyVariable, "short").lookup); err == nil || !strings.Contains(err.Error(), "APP_KEY:") {
		t.Error(err)
	}
	if _, err := Parse(base.with(appKeyVariable, "short", "BACKUP_ENCRYPTION", "none").lookup); err != nil {
		t.Error(err)
	}
}

// APP_KEY goes on reading what it has written, whatever new snapshots are encrypted with, and one of another form keeps nobody from reading.
func TestAppKeyReads(t *testing.T) {
	recipients, identities := ageFiles(t)
	env := working(t).with(keyVariable, "", appKeyVariable, testKey.Encode())
	snap := write(t, env)
	read(t, env.with("BACKUP_ENCRYPTION", "age", recipientsVariable, recipients), snap.Ref())
	read(t, env.with("BACKUP_ENCRYPTION", "none"), snap.Ref())
	read(t, env.with(appKeyVariable, "short", oldKeysVariable, testKey.Encode()), snap.Ref())
	c, err := Parse(env.with(recipientsVariable, recipients, identitiesVariable, identities).lookup)
	if err != nil || c.encryption != encryptionAge {
		t.Errorf("who names recipients does not mean APP_KEY: %v, %v", c, err)
	}
}

// ageFiles makes a pair of age key files.
func ageFiles(t *testing.T) (recipients, identities string) {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipients, identities = filepath.Join(t.TempDir(), "recipients"), filepath.Join(t.TempDir(), "identities")
	if err := errors.Join(os.WriteFile(recipients, []byte(identity.Recipient().String()+"\n"), 0o600),
		os.WriteFile(identities, []byte(identity.String()+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return recipients, identities
}

// Each encryption writes, and all of them read what it wrote; also where what new snapshots need is wrong by now.
func TestOpen(t *testing.T) {
	recipients, identities := ageFiles(t)
	for name, pairs := range map[string][]string{
		"default":     {},
		"none":        {"BACKUP_ENCRYPTION", "none"},
		"7z":          {"BACKUP_ENCRYPTION", "7z"},
		"encrypted":   {"BACKUP_COMPRESSION", "encrypted", "BACKUP_7Z_METHOD", "lzma2"},
		"7z password": {"BACKUP_ENCRYPTION", "7z", keyVariable, "correct horse battery"},
		"age":         {"BACKUP_ENCRYPTION", "age", recipientsVariable, recipients, identitiesVariable, identities},
		"xz":          {"BACKUP_COMPRESSION", "xz", "BACKUP_COMPRESSION_LEVEL", "1"},
		"segments":    {"BACKUP_SEGMENT_SIZE", "100"},
	} {
		t.Run(name, func(t *testing.T) {
			env := working(t).with(pairs...)
			snap := write(t, env)
			if e := snap.Details.Encryption.Name; name != "default" && e != "aes256" && !slices.Contains(pairs, e) && name != "encrypted" {
				t.Errorf("encrypted as %s", e)
			}
			read(t, env, snap.Ref())
			broken := env.with("BACKUP_COMPRESSION_LEVEL", "1000", "BACKUP_SEGMENT_SIZE", "x", "BACKUP_DAILY_CRON", "x", recipientsVariable, "/does/not/exist")
			read(t, broken, snap.Ref())
			read(t, env.with("BACKUP_SEGMENT_SIZE", "1"), snap.Ref())
			c, _ := Parse(broken.lookup)
			if _, _, err := c.Open(t.Context(), Writing, nil); err == nil {
				t.Error("writes with broken settings")
			}
		})
	}
}

func write(t *testing.T, env environment) *backup.Snapshot {
	t.Helper()
	c, err := Parse(env.lookup)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Open(t.Context(), Reading, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("reading makes the directory: %v", err)
	}
	b, closer, err := c.Open(t.Context(), Writing, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	snap, err := b.Create(t.Context(), "shop", strings.NewReader(strings.Repeat("dump ", 1000)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func read(t *testing.T, env environment, ref string) {
	t.Helper()
	c, _ := Parse(env.lookup)
	b, closer, err := c.Open(t.Context(), Reading, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	var out bytes.Buffer
	if err := b.Restore(t.Context(), ref, &out); err != nil || out.String() != strings.Repeat("dump ", 1000) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

// An old key reads, and does not write.
func TestOldKeys(t *testing.T) {
	for _, encryption := range []string{"aes256", "7z"} {
		env := working(t).with("BACKUP_ENCRYPTION", encryption, keyVariable, oldKey.Encode())
		snap := write(t, env)
		rotated := env.with(keyVariable, testKey.Encode(), oldKeysVariable, oldKey.Encode())
		read(t, rotated, snap.Ref())
		alone := env.with(keyVariable, "", oldKeysVariable, oldKey.Encode())
		read(t, alone, snap.Ref())
		c, err := Parse(alone.lookup)
		if err == nil {
			t.Error("no key for new snapshots is no problem")
		}
		if _, _, err := c.Open(t.Context(), Writing, nil); err == nil {
			t.Error("an old key writes")
		}
	}
}

func TestSettings(t *testing.T) {
	env := working(t).with("BACKUP_COMPRESSION", "gzip")
	lookup := func(variable string) (string, string) {
		if variable == "BACKUP_KEEP_DAILY" {
			return "14", "--keep-daily"
		}
		return env.lookup(variable)
	}
	c, err := Parse(lookup)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Setting{
		{"BACKUP_COMPRESSION", "gzip", "environment"}, {"BACKUP_KEEP_DAILY", "14", "--keep-daily"}, {"BACKUP_JOB_TRIES", "3", "default"},
		{keyVariable, "set, key id " + testKey.ID(), "environment"}, {oldKeysVariable, "-", "default"},
	} {
		if !slices.Contains(c.Settings(), want) {
			t.Errorf("%+v is not among\n%v", want, c)
		}
	}
	t.Setenv("AWS_REGION", "eu-central-1")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret-indeed")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE")
	if c, err = Parse(working(t).with("BACKUP_VOLUME", "s3://bucket/prefix?max-parts=1000").lookup); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Setting{{"s3 Region", "eu-central-1", "AWS_REGION"}, {"s3 MaxParts", "1000", "set"}, {"s3 SecretAccessKey", "set, not shown", "AWS_SECRET_ACCESS_KEY"}} {
		if !slices.Contains(c.Settings(), want) {
			t.Errorf("%+v is not among\n%v", want, c)
		}
	}
	if strings.Contains(c.String(), "very-secret") {
		t.Error(c)
	}
}

// The whole environment of this process, and a bucket, which takes no request to open.
func TestFromEnv(t *testing.T) {
	t.Setenv("BACKUP_VOLUME", "s3://bucket/prefix")
	t.Setenv(keyVariable, testKey.Encode())
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	c, err := FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	b, closer, err := c.Open(t.Context(), Writing, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(b.Volume()); !strings.Contains(got, "s3://bucket") {
		t.Error(got)
	}
	if err := closer.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileURL(t *testing.T) {
	for _, test := range []struct {
		url     string
		windows bool
		want    string // with slashes; empty for an error
	}{
		{"file:///srv/backup", false, "/srv/backup"},
		{"file:///srv/my%20backup%25", false, "/srv/my backup%"},
		{"file:///", false, "/"},
		{"file:///C:/backup", true, "C:/backup"},
		{"file:///backup", true, ""},
		{"file:///C:", true, ""},
		{"file://host/backup", false, ""},
		{"file:backup", false, ""},
		{"file:/srv?x", false, ""},
		{"file:///a%00b", false, ""},
		{"file:///a%zz", false, ""},
		{"http:///srv", false, ""},
		{"", false, ""},
		{"file:///srv/a%20b%23", false, "/srv/a b#"},
		{"/srv/backup", false, ""},
	} {
		got, err := fileURL(test.url, test.windows)
		if (err != nil) != (test.want == "") || filepath.ToSlash(got) != test.want {
			t.Errorf("fileURL(%q, %v) = %q, %v; want %q", test.url, test.windows, got, err, test.want)
		}
	}
}
