package header

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// golden is the headers under testdata, by name; README.md there says how they were made.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.header")
	if err != nil || len(paths) != 8 {
		t.Fatalf("%q: %v", paths, err)
	}
	headers := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		headers[strings.TrimSuffix(filepath.Base(path), ".header")] = b
	}
	return headers
}

// brief says what files and folders there are: methods, what feeds what, sizes of packed and plain streams.
func brief(h *Header, encoded *Streams) (lines []string) {
	if encoded != nil {
		h = &Header{Streams: *encoded}
	}
	packed := h.Streams.Packed
	for _, f := range h.Streams.Folders {
		line := "folder:"
		for _, c := range f.Coders {
			line += fmt.Sprintf(" %x(%d)", c.Method, c.Inputs)
		}
		line += fmt.Sprintf(" %v %v %v:", f.Bonds, f.Packed, f.Sizes)
		for range f.Packed {
			line += fmt.Sprintf(" %d", packed[0].Size)
			packed = packed[1:]
		}
		line += " ->"
		for _, p := range f.Plain {
			line += fmt.Sprintf(" %d", p.Size)
		}
		lines = append(lines, line)
	}
	for _, f := range h.Files {
		line := fmt.Sprintf("%q", f.Name)
		if f.Directory {
			line += " directory"
		}
		if f.Anti {
			line += " anti"
		}
		if f.HasStream {
			line += " contents"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestGolden(t *testing.T) {
	for name, want := range map[string][]string{
		"aes":  {"folder: 6f10701(1) 21(1) [{1 0}] [0] [24 20]: 32 -> 20", `"a.sql" contents`},
		"anti": {"folder: 21(1) [] [0] [21]: 25 -> 21", `"b" anti`, `"a.sql" contents`},
		"bcj2": {
			"folder: 30101(1) 30101(1) 30101(1) 303011b(4) [{5 0} {4 1} {3 2}] [2 6 1 0] [0 0 20 20]: 26 5 5 5 -> 20", `"a.sql" contents`,
		},
		"encoded": {"folder: 30101(1) [] [0] [206]: 139 -> 206"},
		"secret":  {"folder: 6f10701(1) [] [0] [98]: 112 -> 98"},
		"pipe":    {"folder: 21(1) [] [0] [3]: 7 -> 3", `"" contents`},
		"solid": {
			"folder: 21(1) [] [0] [22]: 26 -> 20 1 1",
			`"d" directory`, `"d/e" directory`, `"empty"`, `"a.sql" contents`, `"b" contents`, `"d/größe" contents`,
		},
		"apart": {
			"folder: 0(1) [] [0] [20]: 20 -> 20", "folder: 0(1) [] [0] [1]: 1 -> 1", "folder: 0(1) [] [0] [1]: 1 -> 1",
			`"d" directory`, `"d/e" directory`, `"empty"`, `"a.sql" contents`, `"b" contents`, `"d/größe" contents`,
		},
	} {
		h, encoded, err := Parse(golden(t)[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := brief(h, encoded); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Cut anywhere, it is an error.
func TestCut(t *testing.T) {
	for name, b := range golden(t) {
		for n := range b {
			if _, _, err := Parse(b[:n:n]); !errors.Is(err, crypto.ErrDamaged) {
				t.Errorf("%d of %d bytes of %s: %v", n, len(b), name, err)
			}
		}
	}
}

// With any bit changed, and with some other bytes at any place, it is an error or a header that holds together.
func TestChanged(t *testing.T) {
	for _, good := range golden(t) {
		for i := range good {
			for _, c := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 0xff, good[i], ^good[i] & 0x7f, good[i] ^ idEnd ^ idCRC} {
				b := slices.Clone(good)
				b[i] ^= c
				wantParse(t, b)
			}
		}
	}
}

// wantParse wants what Parse promises for any input.
func wantParse(t *testing.T, b []byte) {
	t.Helper()
	h, encoded, err := Parse(b)
	switch {
	case err != nil:
		if h != nil || encoded != nil || !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("% x: %v, %v, %v", b, h, encoded, err)
		}
	case encoded != nil:
		if n := wantConsistentStreams(t, encoded); h != nil || len(encoded.Folders) == 0 {
			t.Errorf("% x: %v, %+v, %d plain streams", b, h, encoded, n)
		}
	default:
		wantConsistent(t, h)
		wantAppended(t, h)
	}
	if t.Failed() {
		t.Fatalf("after % x", b)
	}
}

// wantAppended wants the same header again, if Append can write it.
func wantAppended(t *testing.T, h *Header) {
	t.Helper()
	for i := range h.Streams.Folders {
		f := &h.Streams.Folders[i]
		if len(f.Packed) != 1 || len(f.Plain) != 1 {
			return
		}
		for j, c := range f.Coders {
			if c.Inputs != 1 {
				return
			}
			if len(c.Properties) == 0 {
				f.Coders[j].Properties = nil
			}
		}
	}
	if len(h.Streams.Folders) == 0 {
		h.Streams = Streams{}
	}
	got, _, err := Parse(h.Append(nil))
	if len(h.Files) == 0 && err == nil {
		got.Files = h.Files
	}
	if err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("%+v\nwas written and became\n%+v: %v", h, got, err)
	}
}

// FuzzParse wants what Parse promises, memory included.
func FuzzParse(f *testing.F) {
	for _, b := range golden(f) {
		f.Add(b)
	}
	for _, b := range hostile(200) {
		f.Add(b)
	}
	for _, h := range written(f) {
		f.Add(h.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		wantParse(t, b)
		least := ^uint64(0)
		for range 3 { // others allocate too
			n, _, _, _ := parseMeasured(b)
			if least = min(least, n); least <= maxFactor*uint64(len(b))+maxFixed {
				return
			}
		}
		t.Errorf("%d bytes allocated for %d", least, len(b))
	})
}
