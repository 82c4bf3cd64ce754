package s3fs

import (
	"fmt"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/databasement/backup/storage"
)

const (
	minPartSize    = 5 << 20 // of every part but the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
	maxPartSize    = 5 << 30
	maxParts       = 10000
	maxConcurrency = 64
	maxAttempts    = 100
	maxTags        = 10 // https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
	maxTagKey      = 128
	maxTagValue    = 256
	maxRetention   = 36500 * 24 * time.Hour // 100 years: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
	maxKMSKeyID    = 2048
)

var (
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	roleARN      = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[A-Za-z0-9_-]*:role/[!-~]{1,512}$`) // Ceph has accounts of letters, or none
	sessionName  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)
	storageClass = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// checkBucket refuses what no store takes as the name of a bucket.
func checkBucket(name string) error {
	switch {
	case bucketName.MatchString(name) && !strings.Contains(name, ".."):
		return nil
	case name == "":
		return problem("bucket", "its name is empty")
	case len(name) < 3 || len(name) > 63:
		return problem("bucket", "the name %.80q has %d characters, not 3 to 63", name, len(name))
	case strings.ToLower(name) != name:
		return problem("bucket", "the name %q has upper-case letters; use a bucket with a name of a-z, 0-9, dots and hyphens", name)
	case strings.Contains(name, "_"):
		return problem("bucket", "the name %q has an underscore; use a bucket with a name of a-z, 0-9, dots and hyphens", name)
	case strings.Contains(name, "/"):
		return problem("bucket", "%q is more than a bucket's name; what follows the slash is Prefix", name)
	}
	return problem("bucket", "%q is not a name of a-z, 0-9, single dots and hyphens, with a letter or a digit at both ends", name)
}

// problem says what is wrong with what, and never repeats what may hold a secret.
func problem(label, format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{label}, args...)...)
}

// label names a field as the user knows it: by the variable too, if that is where its value is from.
func (o *Options) label(field string, value any) string {
	if from := o.from(field, value); from != "" && from != byDefault {
		return from + " (" + field + ")"
	}
	return field
}

// checker collects what is wrong.
type checker struct {
	*Options
	found []error
}

// must notes a problem of a field unless ok. The value only tells where it is from.
func (c *checker) must(ok bool, field string, value any, format string, args ...any) {
	if !ok {
		c.found = append(c.found, problem(c.label(field, value), format, args...))
	}
}

// problems are all that is wrong with resolved options.
func (o *Options) problems() []error {
	c := &checker{Options: o}
	c.place()
	c.staticKeys()
	c.role()
	c.numbers()
	c.attributes()
	c.tags()
	return c.found
}

func (c *checker) place() {
	if c.Prefix != "" {
		err := storage.CheckName(c.Prefix)
		c.must(err == nil, "Prefix", c.Prefix, "%w", err)
	}
	c.must(regionName.MatchString(c.Region), "Region", c.Region, "is not a region's name, such as eu-central-1")
	c.url("Endpoint", c.Endpoint)
	if c.PublicEndpoint != c.Endpoint {
		c.url("PublicEndpoint", c.PublicEndpoint)
	}
	c.url("STSEndpoint", c.STSEndpoint)
}

func (c *checker) url(field, value string) {
	if value != "" {
		flaw := flawOfURL(value)
		c.must(flaw == "", field, value, "%s; it is such as https://s3.example.com", flaw)
	}
}

// flawOfURL says what is wrong with a URL without repeating it, as it may have a password in it; empty: nothing.
func flawOfURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "it is not a URL"
	}
	port, err := strconv.ParseUint("0"+u.Port(), 10, 16)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "it does not begin with https:// or http://"
	case u.User != nil:
		return "it has a user or a password in it, which do not belong there"
	case u.Hostname() == "" || strings.ContainsFunc(u.Host, unicode.IsSpace):
		return "it has no host"
	case err != nil || u.Port() != "" && port == 0:
		return "its port is not 1 to 65535"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "it has a query or a fragment"
	}
	return ""
}

func (c *checker) staticKeys() {
	id, secret, token := c.AccessKeyID, c.SecretAccessKey, c.SessionToken
	switch {
	case id != "" && secret == "":
		c.missing("SecretAccessKey", "AccessKeyID", id)
	case id == "" && secret != "":
		c.missing("AccessKeyID", "SecretAccessKey", secret)
	case id == "" && token != "":
		c.must(false, "SessionToken", token, "is set without an access key and its secret")
	case id != "" && c.Profile != "":
		c.must(false, "Profile", c.Profile, "is set beside %s: choose one", c.label("AccessKeyID", id))
	}
	c.printable("AccessKeyID", id)
	c.printable("SecretAccessKey", secret)
	c.printable("SessionToken", token)
}

// printable refuses the line break that a file's end leaves in a variable, which no header can carry.
func (c *checker) printable(field, value string) {
	c.must(!strings.ContainsFunc(value, blank), field, value, "has a blank, a line break or another character in it that no key has")
}

func blank(r rune) bool { return r <= ' ' || r > '~' }

// missing notes the half of a pair that is not there, by the name that its other half makes likely.
func (c *checker) missing(field, other string, value any) {
	label, set := field, c.label(other, value)
	if set != other {
		label = variableOf(field) + " (" + field + ")"
	}
	c.found = append(c.found, problem(label, "is not set, but %s is", set))
}

func (c *checker) role() {
	c.must(c.RoleARN == "" || roleARN.MatchString(c.RoleARN), "RoleARN", c.RoleARN,
		"is not the ARN of a role, such as arn:aws:iam::123456789012:role/backup")
	c.must(sessionName.MatchString(c.RoleSessionName), "RoleSessionName", c.RoleSessionName,
		"is not 2 to 64 letters, digits or characters of _+=,.@-")
}

func (c *checker) numbers() {
	sizeOK, partsOK := c.PartSize >= minPartSize && c.PartSize <= maxPartSize, c.MaxParts >= 1 && c.MaxParts <= maxParts
	c.must(sizeOK, "PartSize", c.PartSize, "%d bytes are not between 5 MiB and 5 GiB", c.PartSize)
	c.must(c.PartSize <= math.MaxInt, "PartSize", c.PartSize, "%d bytes are more than this machine can address", c.PartSize)
	c.must(c.Concurrency >= 1 && c.Concurrency <= maxConcurrency, "Concurrency", c.Concurrency,
		"%d is not between 1 and %d", c.Concurrency, maxConcurrency)
	c.must(partsOK, "MaxParts", c.MaxParts, "%d is not between 1 and 10,000", c.MaxParts)
	c.must(!sizeOK || !partsOK || c.PartSize <= maxObject/int64(c.MaxParts), "MaxParts", c.MaxParts,
		"%d parts of %d bytes are more than the 5 TiB that an object can have", c.MaxParts, c.PartSize)
	c.must(c.StallTimeout > 0, "StallTimeout", c.StallTimeout, "%s is not a time to wait", c.StallTimeout)
	c.must(c.MaxAttempts >= 1 && c.MaxAttempts <= maxAttempts, "MaxAttempts", c.MaxAttempts,
		"%d is not between 1 and %d", c.MaxAttempts, maxAttempts)
	c.must(c.MaxPause > 0, "MaxPause", c.MaxPause, "%s is not a time to wait", c.MaxPause)
}

func (c *checker) attributes() {
	c.must(c.Checksum == ChecksumNone || c.Checksum == ChecksumSHA256, "Checksum", c.Checksum,
		"%q is neither empty nor %s", c.Checksum, ChecksumSHA256)
	c.must(c.StorageClass == "" || storageClass.MatchString(c.StorageClass), "StorageClass", c.StorageClass,
		"%q is not a storage class, such as STANDARD_IA", c.StorageClass)
	c.must(c.SSE == SSENone || c.SSE == SSES3 || c.SSE == SSEKMS, "SSE", c.SSE,
		"%q is neither empty nor %s nor %s", c.SSE, SSES3, SSEKMS)
	c.must(c.SSEKMSKeyID == "" || c.SSE == SSEKMS, "SSEKMSKeyID", c.SSEKMSKeyID, "is set, but SSE is not %s", SSEKMS)
	c.must(len(c.SSEKMSKeyID) <= maxKMSKeyID && !strings.ContainsFunc(c.SSEKMSKeyID, blank), "SSEKMSKeyID", c.SSEKMSKeyID,
		"is not the id of a key")
	lock := c.ObjectLock
	switch lock.Mode {
	case "":
		c.must(lock.For == 0, "ObjectLock", lock, "For is set without Mode")
	case "GOVERNANCE", "COMPLIANCE":
		c.must(lock.For > 0 && lock.For <= maxRetention, "ObjectLock", lock, "For is %s, not a time of up to 100 years", lock.For)
	default:
		c.must(false, "ObjectLock", lock, "Mode %q is neither GOVERNANCE nor COMPLIANCE", lock.Mode)
	}
}

func (c *checker) tags() {
	c.must(len(c.Tags) <= maxTags, "Tags", nil, "there are %d, more than %d", len(c.Tags), maxTags)
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		value := c.Tags[key]
		c.must(utf8.ValidString(key+value), "Tags", nil, "%.200q is not valid UTF-8", key)
		c.must(key != "" && utf8.RuneCountInString(key) <= maxTagKey, "Tags", nil,
			"the key %.200q does not have 1 to %d characters", key, maxTagKey)
		c.must(!strings.HasPrefix(strings.ToLower(key), "aws:"), "Tags", nil, "the key %.200q begins as only those of AWS do", key)
		c.must(utf8.RuneCountInString(value) <= maxTagValue, "Tags", nil, "the value of %.200q has more than %d characters", key, maxTagValue)
	}
}
