// Package layout knows how snapshots are named in a volume: names, ids, and the
// objects of a snapshot.
//
//	<name>/<id>.<ext><stage exts>       the stored stream; .002 … or .001 … for segments
//	<name>/<id>.manifest.json           commits the snapshot
//	<name>/<id>.sums-001.json …         chunk digests of a segment
//	<name>/<id>.wrap-<key id>           another wrap of the data key
package layout

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	MaxName     = 200 // bytes of a snapshot's name
	MaxSegments = 999
	Latest      = "latest" // stands for the newest id in a reference

	manifestExt = ".manifest.json"
	idLen       = len("20261122t175500123z-7f3a9c2e")
)

var (
	component  = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	id         = regexp.MustCompile(`^[0-9]{8}t[0-9]{9}z-[0-9a-f]{8}$`)
	ext        = regexp.MustCompile(`^(\.[a-z0-9]{1,10}){0,2}$`)
	stageExt   = regexp.MustCompile(`^(\.[a-z0-9]{1,10})?$`)
	numbered   = regexp.MustCompile(`\.[0-9]{3}$`)
	sums       = regexp.MustCompile(`^\.sums-[0-9]{3}\.json$`)
	device     = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)
	wrap       = regexp.MustCompile(`^\.wrap-([a-z0-9][a-z0-9._-]{0,63})$`)
	dirtyRunes = regexp.MustCompile(`[^a-z0-9._-]+`)
)

// CheckName reports why s cannot be a snapshot's name.
func CheckName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("name is empty")
	case len(s) > MaxName:
		return fmt.Errorf("name is %d bytes long, at most %d are allowed", len(s), MaxName)
	}
	for c := range strings.SplitSeq(s, "/") {
		switch {
		case !component.MatchString(c):
			return fmt.Errorf("component %q of the name must be of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit", c)
		case c == Latest || id.MatchString(c):
			return fmt.Errorf("component %q of the name is reserved", c)
		case strings.HasSuffix(c, "."), device.MatchString(c):
			return fmt.Errorf("component %q of the name does not exist on Windows disks", c)
		}
	}
	return nil
}

// CleanName returns s if it is a valid name, else a valid name made of what is
// left of s and eight hex digits of its SHA-256, so that different strings stay different.
func CleanName(s string) string {
	if CheckName(s) == nil {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	suffix := hex.EncodeToString(sum[:4])
	var parts []string
	for c := range strings.SplitSeq(strings.ToLower(s), "/") {
		c = strings.Trim(dirtyRunes.ReplaceAllString(c, "-"), "._-")
		if c != "" && CheckName(c) == nil {
			parts = append(parts, c)
		}
	}
	name := strings.Join(parts, "/")
	if limit := MaxName - 1 - len(suffix); len(name) > limit {
		name = name[:limit]
	}
	name = strings.Trim(name, "/._-")
	for _, candidate := range []string{name + "-" + suffix, "x-" + suffix} {
		if CheckName(candidate) == nil {
			return candidate
		}
	}
	return "x-" + suffix
}

// CheckExt reports why s cannot be the plain stream's extension.
func CheckExt(s string) error {
	if !ext.MatchString(s) {
		return fmt.Errorf("extension %q must be up to two of '.' with 1 to 10 of a-z and 0-9, such as .sql or .tar.gz", s)
	}
	if strings.HasSuffix(s, manifestExt) || numbered.MatchString(s) {
		return fmt.Errorf("extension %q is reserved", s)
	}
	return nil
}

// CheckStageExt reports why s cannot be a stage's extension.
func CheckStageExt(s string) error {
	if !stageExt.MatchString(s) || numbered.MatchString(s) {
		return fmt.Errorf("extension %q of a stage must be '.' with 1 to 10 of a-z and 0-9, not three digits", s)
	}
	return nil
}

// NewID makes an id of t (to the millisecond, UTC) and 32 random bits.
func NewID(t time.Time) string {
	var r [4]byte
	rand.Read(r[:])
	s := t.UTC().Format("20060102t150405.000z")
	return strings.Replace(s, ".", "", 1) + "-" + hex.EncodeToString(r[:])
}

// IDTime returns the time in an id, and whether s is one.
func IDTime(s string) (time.Time, bool) {
	if !id.MatchString(s) {
		return time.Time{}, false
	}
	t, err := time.Parse("20060102t150405.000z", s[:15]+"."+s[15:19])
	return t, err == nil
}

// Data is the object of the stored stream before numbering.
func Data(name, id, exts string) string { return name + "/" + id + exts }

// Segment is the object of segment i, from 1: when all is set every segment is
// numbered, else all but the first.
func Segment(data string, i int, all bool) string {
	if i == 1 && !all {
		return data
	}
	return fmt.Sprintf("%s.%03d", data, i)
}

// Manifest is the object that commits a snapshot.
func Manifest(name, id string) string { return name + "/" + id + manifestExt }

// Sums is the object with the chunk digests of segment i, from 1.
func Sums(name, id string, i int) string { return fmt.Sprintf("%s/%s.sums-%03d.json", name, id, i) }

// Wrap is the object with the data key wrapped by a further key.
func Wrap(name, id, keyID string) string { return name + "/" + id + ".wrap-" + keyID }

// CheckKeyID reports why s cannot be in the name of a wrap.
func CheckKeyID(s string) error {
	if !wrap.MatchString(".wrap-" + s) {
		return fmt.Errorf("key id %.80q must be 1 to 64 of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit", s)
	}
	return nil
}

// Kind says what an object of a snapshot is.
type Kind int

const (
	KindData Kind = iota
	KindManifest
	KindSums
	KindWrap
)

// Parse takes an object's name apart. ok is false for objects that are not of a snapshot.
func Parse(object string) (name, id string, kind Kind, ok bool) {
	slash := strings.LastIndexByte(object, '/')
	if slash < 1 || len(object) < slash+1+idLen {
		return "", "", 0, false
	}
	name, base := object[:slash], object[slash+1:]
	id, rest := base[:idLen], base[idLen:]
	if _, valid := IDTime(id); !valid || CheckName(name) != nil {
		return "", "", 0, false
	}
	switch {
	case rest == manifestExt:
		kind = KindManifest
	case sums.MatchString(rest):
		kind = KindSums
	case wrap.MatchString(rest):
		kind = KindWrap
	case rest == "" || rest[0] == '.' && !slices.Contains(strings.Split(rest[1:], "."), ""):
		kind = KindData
	default:
		return "", "", 0, false
	}
	return name, id, kind, true
}

// WrapKeyID is the key id in the name of a wrap.
func WrapKeyID(object string) string {
	_, keyID, _ := strings.Cut(object, ".wrap-")
	return keyID
}
