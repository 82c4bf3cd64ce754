package header

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// A header in pieces, as `echo hi | 7zz a -si -mhc=off` makes it.
const (
	packInfo = "06 00 01 09 07 00"                         // at 0, one, of 7 bytes
	folders  = "07 0b 01 00 01 21 21 01 18 0c 03 00"       // one, of LZMA2, of 3 bytes
	plain    = "08 0a 01 7a7a6fed 00"                      // a CRC
	streams  = "04" + packInfo + folders + plain + "00"    // all of them
	noName   = "05 01 14 0a 01 00 387e5f48f17add01 00"     // one file
	named    = "05 01 11 05 00 6100 0000 00"               // one file, a
	twoNames = "05 02 11 09 00 6100 0000 6200 0000 00"     // two files, a and b
	empty    = "05 01 0e 01 80 11 05 00 6100 0000 00"      // a directory, a
	start    = "01 04" + packInfo + folders                // up to the plain streams
	twoPlain = "08 0d 02 09 01 0a 01 01000000 02000000 00" // two plain streams, of 1 and 2 bytes
)

// What 7-Zip accepts is accepted.
func TestParse(t *testing.T) {
	want := parse(t, "01"+streams+named+"00")
	f := want.Files[0]
	s, folder := want.Streams, want.Streams.Folders[0]
	if f.Name != "a" || !f.HasStream || s.Packed[0].Size != 7 || folder.PlainSize() != 3 || folder.Plain[0].Size != 3 ||
		*folder.Plain[0].CRC != 0xed6f7a7a {
		t.Errorf("got %+v", want)
	}
	for name, header := range map[string]string{
		"archive properties":            "01 02 20 02 aabb 21 00 00" + streams + named + "00",
		"unknown among packed streams":  "01 04 06 00 01 20 01 aa 09 07 c0 34 12 02 bbcc 00" + folders + plain + "00" + named + "00",
		"padding among packed streams":  "01 04 06 00 01 19 02 0000 09 07 00" + folders + plain + "00" + named + "00",
		"unknown among folders":         "01 04" + packInfo + "07 20 00 0b 01 00 01 21 21 01 18 21 01 ff 0c 03 22 00 00" + plain + "00" + named + "00",
		"unknown among plain streams":   start + "08 20 01 aa 0a 01 7a7a6fed 21 00 00 00" + named + "00",
		"unknown of files":              "01" + streams + "05 01 20 03 aabbcc c0 34 12 01 aa 11 05 00 6100 0000 00 00",
		"padding of files":              "01" + streams + "05 01 19 03 000000 19 00 11 05 00 6100 0000 19 01 00 00 00",
		"times that are skipped":        "01" + streams + "05 01 11 05 00 6100 0000 12 0a 01 00 387e5f48f17add01 13 02 00 00 18 02 00 00 00 00",
		"a comment":                     "01" + streams + "05 01 16 03 00 6300 11 05 00 6100 0000 00 00",
		"no time":                       "01" + streams + "05 01 11 05 00 6100 0000 14 03 00 00 00 00 00",
		"no attributes":                 "01" + streams + "05 01 11 05 00 6100 0000 15 03 00 7f 00 00 00",
		"a number of plain streams":     start + "08 0d 01 0a 01 7a7a6fed 00 00" + named + "00",
		"sizes of plain streams":        start + "08 09 0a 01 7a7a6fed 00 00" + named + "00",
		"a long number":                 "c0 01 00" + streams + "05 ff 0100000000000000 11 80 05 00 6100 0000 00 00",
		"properties as numbers":         "01" + streams + "05 01 80 11 05 00 6100 0000 80 00 80 00",
		"a longer method id":            "01 04" + packInfo + "07 0b 01 00 01 28 0000000000000021 01 18 0c 03 00" + plain + "00" + named + "00",
		"one input, expressly":          "01 04" + packInfo + "07 0b 01 00 01 31 21 01 01 01 18 0c 03 00" + plain + "00" + named + "00",
		"files without contents, empty": "01" + streams + "05 01 0e 01 7f 0f 00 10 00 11 05 00 6100 0000 00 00",
	} {
		if got := parse(t, header); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// parse wants no error.
func parse(t *testing.T, digits string) *Header {
	t.Helper()
	h, encoded, err := Parse(unhex(t, digits))
	if err != nil || encoded != nil {
		t.Fatalf("%s: %v, %v", digits, encoded, err)
	}
	wantConsistent(t, h)
	return h
}

// What is told apart.
func TestParsed(t *testing.T) {
	one := func(h *Header) *Folder { return &h.Streams.Folders[0] }
	for name, c := range map[string]struct {
		header string
		is     func(h *Header) bool
	}{
		"nothing":      {"01 00", func(h *Header) bool { return h.Files == nil && h.Streams.Folders == nil }},
		"no files":     {"01 05 00 00 00", func(h *Header) bool { return len(h.Files) == 0 }},
		"no name":      {"01" + streams + noName + "00", func(h *Header) bool { return h.Files[0].Name == "" && h.Files[0].Modified.Year() == 2026 }},
		"a directory":  {"01" + empty + "00", func(h *Header) bool { return h.Files[0].Directory && !h.Files[0].HasStream }},
		"no streams":   {"01 04 00" + empty + "00", func(h *Header) bool { return h.Files[0].Directory }},
		"an empty one": {"01 05 01 0e 01 80 0f 01 80 11 05 00 6100 0000 00 00", func(h *Header) bool { return h.Files[0] == (File{Name: "a"}) }},
		"anti":         {"01 05 01 0e 01 80 10 01 80 11 05 00 6100 0000 00 00", func(h *Header) bool { return h.Files[0].Anti && h.Files[0].Directory }},
		"two plain streams": {start + twoPlain + "00" + twoNames + "00", func(h *Header) bool {
			p := one(h).Plain
			return len(p) == 2 && p[0].Size == 1 && *p[0].CRC == 1 && p[1].Size == 2 && *p[1].CRC == 2
		}},
		"a CRC of the second alone": {start + "08 0d 02 09 01 0a 00 7f 02000000 00 00" + twoNames + "00", func(h *Header) bool {
			p := one(h).Plain
			return p[0].CRC == nil && *p[1].CRC == 2
		}},
		"no CRC": {start + "08 00 00" + named + "00", func(h *Header) bool { return one(h).Plain[0].CRC == nil }},
		"a folder of nothing": {start + "08 0d 00 00 00" + empty + "00", func(h *Header) bool {
			return len(one(h).Plain) == 0 && one(h).PlainSize() == 3
		}},
		"a folder's CRC is its file's": {"01 04" + packInfo + "07 0b 01 00 01 21 21 01 18 0c 03 0a 01 05000000 00 08 0a 01 00 00" + named + "00",
			func(h *Header) bool { return *one(h).CRC == 5 && *one(h).Plain[0].CRC == 5 }},
		"a folder's CRC is not that of two files": {
			"01 04" + packInfo + "07 0b 01 00 01 21 21 01 18 0c 03 0a 01 05000000 00" + twoPlain + "00" + twoNames + "00",
			func(h *Header) bool { return *one(h).CRC == 5 && *one(h).Plain[0].CRC == 1 }},
		"a lone surrogate": {"01" + streams + "05 01 11 07 00 00d8 6100 0000 00 00", func(h *Header) bool { return h.Files[0].Name == "\ufffda" }},
		"a pair of them":   {"01" + streams + "05 01 11 07 00 34d8 1edd 0000 00 00", func(h *Header) bool { return h.Files[0].Name == "𝄞" }},
		"BCJ2": {"01 04 06 00 04 09 07 07 07 07 00 07 0b 01 00 01 14 0303011b 04 01 00 01 02 03 0c 03 00" + plain + "00" + named + "00",
			func(h *Header) bool {
				return reflect.DeepEqual(one(h).Packed, []int{0, 1, 2, 3}) && one(h).Coders[0].Inputs == 4
			}},
	} {
		if h := parse(t, c.header); !c.is(h) {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func TestDamaged(t *testing.T) {
	const two = "02 01 21 01 21" // coders
	folder := func(digits string) string {
		return "01 04" + packInfo + "07 0b 01 00" + digits + "0c 03 03 00 00" + named + "00"
	}
	for name, c := range map[string]struct{ header, says string }{
		"nothing":                            {"", "0 bytes are left"},
		"another beginning":                  {"04", "begins with property 0x4"},
		"no end":                             {"01", "0 bytes are left"},
		"bytes after it":                     {"01 00 00", "1 bytes follow"},
		"a second end":                       {"01 06 00", "property 0x6"},
		"files without streams":              {"01" + named + "00", "1 files with contents, and contents of 0"},
		"streams without files":              {"01" + streams + "00", "0 files with contents, and contents of 1"},
		"an encoded header of nothing":       {"17 00", "no folder"},
		"many packed streams":                {"01 04 06 00 ff ffffffffffffffff 09 00", "18446744073709551615 packed streams"},
		"packed streams that do not fit":     {"01 04 06 01 02 09 ff ffffffffffffff1f 01 00", "end at"},
		"an offset that does not fit":        {"01 04 06 ff ffffffffffffffff 01 09 01 00", "a size of"},
		"streams without an end":             {start + plain + named + "00", "property 0x5 where the end of the streams"},
		"packed streams of no folder":        {"01 04" + packInfo + "00" + empty + "00", "1 packed streams, and folders of 0"},
		"folders of no packed stream":        {"01 04" + folders + plain + "00" + named + "00", "0 packed streams, and folders of 1"},
		"many folders":                       {"01 04" + packInfo + "07 0b ff ffffffffffffffff 00", "18446744073709551615 folders"},
		"no folder property":                 {"01 04" + packInfo + "07 00", "property 0x0 where 0xb should be"},
		"sizes before folders":               {"01 04" + packInfo + "07 0c 03 00", "property 0xc where 0xb"},
		"no coders":                          {folder("00"), "0 coders"},
		"33 coders":                          {folder("21" + strings.Repeat("0121", 33)), "33 coders"},
		"33 inputs":                          {folder("01 11 21 21 01"), "inputs 33 of 33"},
		"34 inputs":                          {folder("02 11 21 11 01 11 21 11 01"), "with 34 inputs"},
		"many inputs":                        {folder("02 11 21 ff ffffffffffffff7f 01 11 21 ff ffffffffffffff7f 01"), "inputs 9223372036854775807"},
		"a coder of no inputs":               {folder("03 11 21 00 01 11 21 00 01 11 21 01 01"), "without inputs"},
		"a bond to no input":                 {folder(two + "02 00"), "input 2 of 2"},
		"a bond from no output":              {folder(two + "01 02"), "output 2 of 2"},
		"a coder that feeds itself":          {folder(two + "00 00"), "depend on each other"},
		"coders that feed each other":        {folder("03 01 21 01 21 01 21 00 01 01 00"), "depend on each other"},
		"an output that is used twice":       {folder("03 11 21 02 01 01 21 01 21 00 01 01 01 02 03"), "input 1 is fed, or output 1 used, twice"},
		"an input that is fed twice":         {folder("01 11 21 02 01 01 01"), "input 1 is fed twice"},
		"an input that is fed by both":       {folder("02 11 21 03 01 01 21 00 01 00 01 02"), "input 0 is fed, or output 1 used, twice"},
		"properties that are longer":         {folder("01 21 21 7f 00"), "where 127 should be"},
		"a size that does not fit":           {"01 04" + packInfo + "07 0b 01 00 01 01 21 0c ff ffffffffffffffff 00", "a size of"},
		"sizes that do not fit":              {"01 04 06 00 02 09 01 01 00 07 0b 02 00 01 01 21 01 01 21 0c ff ffffffffffffff1f 01 00", "folders of more"},
		"many plain streams":                 {start + "08 0d ff ffffffffffffffff 09 00 00", "plain streams in a folder"},
		"plain streams without sizes":        {start + "08 0d 02 0a 01 01000000 02000000 00 00" + twoNames + "00", "2 plain streams without sizes"},
		"plain streams that are larger":      {start + "08 0d 02 09 04 00 00" + twoNames + "00", "larger than their folder"},
		"counts of plain streams, twice":     {start + "08 0d 01 0d 01 00 00" + named + "00", "property 0xd where"},
		"CRCs, twice":                        {start + "08 0a 01 01000000 0a 01 01000000 00 00" + named + "00", "property 0xa where"},
		"more CRCs than bytes":               {start + "08 0a 01", "1 values in 0 bytes"},
		"many files":                         {"01 05 ff ffffffffffffffff 00 00", "18446744073709551615 files"},
		"more files than names can be":       {"01 05 03 00 00 00 00 00", "3 files in 5 bytes"},
		"two files without names":            {"01 05 02 0e 01 c0 00 00", "2 files without names"},
		"fewer names":                        {"01 05 02 0e 01 c0 11 05 00 6100 0000 00 00", "property 0x11 of the files"},
		"more names":                         {"01 05 01 0e 01 80 11 09 00 6100 0000 6200 0000 00 00", "4 bytes follow its end"},
		"half a name":                        {"01 05 01 0e 01 80 11 04 00 6100 00 00 00", "1 bytes are left where 2"},
		"a name without an end":              {"01 05 01 0e 01 80 11 03 00 6100 00 00", "0 bytes are left where 2"},
		"names, twice":                       {"01 05 01 0e 01 80 11 03 00 0000 11 03 00 0000 00 00", "twice"},
		"files without contents, twice":      {"01 05 01 0e 01 80 10 01 80 0e 01 00 11 03 00 0000 00 00", "twice"},
		"files without contents, longer":     {"01 05 01 0e 02 80 00 11 03 00 0000 00 00", "property 0xe of the files: 1 bytes follow"},
		"empty files before those without":   {"01 05 01 0f 01 80 0e 01 80 11 03 00 0000 00 00", "property 0xf of the files"},
		"times that are shorter":             {"01 05 01 0e 01 80 11 03 00 0000 14 09 01 00 387e5f48f17add 00 00", "0x14 of the files: 7 bytes are left"},
		"attributes that are shorter":        {"01 05 01 0e 01 80 11 03 00 0000 15 05 01 00 200000 00 00", "property 0x15 of the files: 3 bytes"},
		"attributes that are longer":         {"01 05 01 0e 01 80 11 03 00 0000 15 07 01 00 20000000 00 00 00", "1 bytes follow"},
		"an unknown property that is longer": {"01 05 01 20 7f 00 00", "2 bytes are left where 127"},
		"archive properties without an end":  {"01 02 20 01 aa", "0 bytes are left"},
	} {
		wantError(t, name, c.header, crypto.ErrDamaged, c.says)
	}
}

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]struct{ header, says string }{
		"additional streams":   {"01 03" + packInfo + folders + "00 00", "additional streams"},
		"folders elsewhere":    {"01 04" + packInfo + "07 0b 01 01 00 00 00", "elsewhere"},
		"names elsewhere":      {"01" + streams + "05 01 11 02 01 00 00 00", "elsewhere"},
		"times elsewhere":      {"01" + streams + "05 01 14 03 01 01 00 00 00", "elsewhere"},
		"attributes elsewhere": {"01" + streams + "05 01 15 03 01 01 00 00 00", "elsewhere"},
		"two outputs":          {"01 04" + packInfo + "07 0b 01 00 01 11 21 01 02 0c 03 00", "2 outputs"},
		"alternative methods":  {"01 04" + packInfo + "07 0b 01 00 01 81 21 0c 03 00", "flags 0x81"},
		"a method id of nine":  {"01 04" + packInfo + "07 0b 01 00 01 09 000000000000000021 0c 03 00", "flags 0x9"},
	} {
		wantError(t, name, c.header, errors.ErrUnsupported, c.says)
	}
}

func wantError(t *testing.T, name, digits string, is error, says string) {
	t.Helper()
	h, encoded, err := Parse(unhex(t, digits))
	if !errors.Is(err, is) || !strings.HasPrefix(err.Error(), "header: ") || !strings.Contains(err.Error(), says) || h != nil || encoded != nil {
		t.Errorf("%s: %+v, %+v, %v", name, h, encoded, err)
	}
}
