package compress

import (
	"fmt"
	"strings"
)

// Validator is a [Compressor] that can check its settings before Compress does.
type Validator interface {
	Validate() error
}

// Validate checks the settings of c where c can: what Compress would refuse, at once.
func Validate(c Compressor) error {
	if v, ok := c.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// DefaultLevel asks [ByName] for the format's default level. It is not 0, because xz
// has a level 0.
const DefaultLevel = -1

// All returns the compressors of this package with their default settings, the
// default of backups first. Each decompresses its format whatever the settings were.
func All() []Compressor { return []Compressor{Zstd(nil), Gzip(nil), XZ(nil), None} }

// ByName returns the compressor called "zstd", "gzip", "xz" or "none" with a level, or
// with the format's own when level is [DefaultLevel]. An unknown name and a level that
// the format does not have are errors; "none" has none.
func ByName(name string, level int) (Compressor, error) {
	asked := max(level, 0) // 0 is the default of the options
	var c Compressor
	switch name {
	case "zstd":
		c = Zstd(&ZstdOptions{Level: asked})
	case "gzip":
		c = Gzip(&GzipOptions{Level: asked})
	case "xz":
		c = XZ(&XZOptions{Level: asked, Fastest: level == 0})
	case "none":
		c = None
	default:
		return nil, fmt.Errorf("no compressor is called %q: choose one of %s", name, names())
	}
	if level < DefaultLevel || level != DefaultLevel && name == "none" || level == 0 && name != "xz" {
		return nil, fmt.Errorf("%s has no level %d", name, level)
	}
	if err := Validate(c); err != nil {
		return nil, err
	}
	return c, nil
}

// ByExtension returns the compressor, with its default settings, of objects whose names end in ext: ".zst", ".gz" or
// ".xz"; [None] for "".
func ByExtension(ext string) (Compressor, bool) {
	for _, c := range All() {
		if c.Extension() == ext {
			return c, true
		}
	}
	return nil, false
}

func checkLevel(name string, level, least, most int) error {
	if level < least || level > most {
		return fmt.Errorf("%s has no level %d: choose %d to %d", name, level, least, most)
	}
	return nil
}

func names() string {
	var s []string
	for _, c := range All() {
		s = append(s, c.Name())
	}
	return strings.Join(s, ", ")
}
