package storagetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/storage"
)

func namesOdd(t testing.TB, v storage.Volume) {
	odd := []string{
		"with space", " lead", "plus+and%", "%2e%2e/up", "%", "100%25", "a&b=c;d,e", "$HOME", "~", "#", "@", "!'()",
		".hidden", "...", "a..b", "-rf", "tmp", "x.tmp", "x.partial", ".tmp", "x.tmp-1", "é/ü", "日本語", "🦉", "a\u00a0b",
		strings.Repeat("x", 255),
		strings.Repeat("ü", 100) + "/" + strings.Repeat("y", 200) + "/" + strings.Repeat("z", 200) + "/end",
		"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z",
	}
	if runtime.GOOS != "windows" {
		odd = append(odd, `a:b*c"d<e>f|g?h`, "q?x=1&y=2", "trailing ", "dot.")
	}
	for i, name := range odd {
		mustPut(t, v, name, content(uint64(i), 10+i))
	}
	for i, name := range odd {
		holds(t, v, "of many odd names", name, content(uint64(i), 10+i))
	}
	slices.Sort(odd)
	if got := names(t, v, ""); !slices.Equal(got, odd) {
		t.Errorf("List gives\n%q, want\n%q", got, odd)
	}
	for _, name := range odd {
		if err := v.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
	}
	if got := names(t, v, ""); len(got) > 0 {
		t.Errorf("after Delete of all List gives %q", got)
	}
}

func namesInvalid(t testing.TB, v storage.Volume) {
	mustPut(t, v, "d/object", []byte("data"))
	for _, name := range []string{
		"", "/", "/d/object", "d/object/", "d//object", ".", "..", "./d/object", "../object", "d/../d/object", "d/./object", "d/..",
		"nul\x00", "line\nbreak", "tab\t", "del\x7f", "c1\u0085", `back\slash`, "bad\xff", "cut\xc3",
		".tmp-", ".tmp-1", "d/.tmp-x", ".tmp-d/object", strings.Repeat("x", 256), strings.Repeat("x/", 512) + "y",
	} {
		for op, call := range methods(v) {
			failsWith(t, fmt.Sprintf("%s(%.40q)", op, name), name, call(t.Context(), name), storage.ErrInvalidName)
		}
	}
	if got := names(t, v, ""); !slices.Equal(got, []string{"d/object"}) {
		t.Errorf("after calls with invalid names List gives %q, want d/object", got)
	}
	holds(t, v, "after calls with invalid names", "d/object", []byte("data"))
}
