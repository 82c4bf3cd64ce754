package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"
)

// maxDepth is how deep line 1 may be nested.
const maxDepth = 16

var fieldName = regexp.MustCompile(`^[a-z0-9_]+$`)

// checkFormat looks at the format number alone, as nothing else of a newer manifest means anything here.
func checkFormat(body []byte) error {
	var fields map[string]json.RawMessage // a struct would take "FORMAT" too
	var format int
	err := json.Unmarshal(body, &fields)
	if err == nil {
		err = json.Unmarshal(fields["format"], &format)
	}
	if err != nil {
		return fmt.Errorf("%w: line 1 is not a manifest: %w", ErrDamaged, err)
	}
	if format > Format {
		return fmt.Errorf("format %d, this version reads up to %d: %w", format, Format, ErrNewer)
	}
	return nil
}

// checkSpelling refuses JSON that two readers may understand differently, or that encoding/json takes
// for something else: names twice or with capitals, null, bytes that are not UTF-8.
func checkSpelling(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := checkValue(d, false, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the object")
	}
	return nil
}

// checkValue checks the next value. The names in free objects (labels, params) are anybody's.
func checkValue(d *json.Decoder, free bool, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested more than %d deep", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case nil:
		return errors.New("null")
	case json.Delim('{'):
		return checkObject(d, free, depth)
	case json.Delim('['):
		for d.More() {
			if err := checkValue(d, false, depth+1); err != nil {
				return err
			}
		}
		_, err = d.Token()
	}
	return err
}

func checkObject(d *json.Decoder, free bool, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		switch {
		case !ok:
			return errors.New("a name that is not a string")
		case seen[name]:
			return fmt.Errorf("%q stands twice", name)
		case !free && !fieldName.MatchString(name):
			return fmt.Errorf("name %q is not of a-z, 0-9 and _", name)
		}
		seen[name] = true
		if err := checkValue(d, name == "labels" || name == "params", depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
