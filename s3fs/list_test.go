package s3fs

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// names lists names, or fails.
func (w *world) names(t *testing.T, prefix string) []string {
	t.Helper()
	all, err := storage.ListAll(t.Context(), w.v, prefix)
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

// TestPages: what is listed does not depend on how it comes.
func TestPages(t *testing.T) {
	for _, lie := range []fakes3.Lie{fakes3.Honest, fakes3.EmptyFirst} {
		for _, page := range []int{1, 2, 7, 1000} {
			bubble(t, func(o *Options) { o.Prefix = "of/this" }, func(t *testing.T, w *world) {
				w.PageSize, w.Lie = page, lie
				want := []string{"a", "a-b", "a/b", "a/c", "b", "ü"}
				for _, name := range append(want, "../of/thisx", "../of/thi", "../z") {
					key := "of/this/" + name
					if rest, ok := strings.CutPrefix(name, "../"); ok {
						key = rest // beside the prefix
					}
					w.bucket.Put(key, []byte(name), nil)
				}
				if got := w.names(t, ""); !slices.Equal(got, want) {
					t.Errorf("listed %q, want %q", got, want)
				}
				if got := w.names(t, "a"); !slices.Equal(got, want[:4]) {
					t.Errorf("listed %q, want %q", got, want[:4])
				}
				if got := w.names(t, "x"); len(got) != 0 {
					t.Errorf("listed %q of nothing", got)
				}
			})
		}
	}
}

// TestLyingLists: a listing that stops early, goes in circles or is not one ends with an error, and nothing is listed as all there
// is (PITFALLS 24).
func TestLyingLists(t *testing.T) {
	for what, test := range map[string]struct {
		lie  fakes3.Lie
		text string
	}{
		"repeated token": {fakes3.RepeatToken, "not all"},
		"no token":       {fakes3.DropToken, "not where"},
		"disorder":       {fakes3.Disorder, "out of order"},
		"foreign key":    {fakes3.Foreign, `does not begin with "of/this/`},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(o *Options) { o.Prefix = "of/this" }, func(t *testing.T, w *world) {
				w.PageSize, w.Lie = 3, test.lie
				for i := range 10 {
					w.bucket.Put(fmt.Sprint("of/this/", i), nil, nil)
				}
				all, err := storage.ListAll(t.Context(), w.v, "")
				fails(t, err, nil, test.text)
				if all != nil {
					t.Errorf("%d objects are listed as if they were all", len(all))
				}
				if n := w.Count("ListObjectsV2"); n > 10 {
					t.Errorf("%d requests before the store was caught", n)
				}
			})
		})
	}
}

// page is the XML of a page of a listing.
type page struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	Contents              []entry
}

type entry struct {
	Key          string
	Size         string `xml:",omitempty"`
	LastModified string `xml:",omitempty"`
}

func key(key string) entry { return entry{key, "1", "2026-11-22T17:55:00.000Z"} }

// answers has the store answer listings with those pages, the last one again and again.
func (w *world) answers(t *testing.T, pages ...any) {
	t.Helper()
	var bodies []string
	for _, p := range pages {
		text, err := xml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(text))
	}
	var n atomic.Int32
	w.Faults = func(r fakes3.Request) fakes3.Fault {
		if !strings.HasPrefix(r.Op, "List") {
			return fakes3.Fault{}
		}
		i := min(int(n.Add(1)), len(bodies)) - 1
		return fakes3.Fault{Status: 200, Body: bodies[i]}
	}
}

// TestHostileLists: what no store of sound mind says, and some have said.
func TestHostileLists(t *testing.T) {
	for what, test := range map[string]struct {
		pages []any
		text  string
	}{
		"circle of empty pages": {[]any{page{IsTruncated: true, NextContinuationToken: "A"}, page{IsTruncated: true, NextContinuationToken: "B"},
			page{IsTruncated: true, NextContinuationToken: "A"}}, "same page"},
		"same key twice": {[]any{page{Contents: []entry{key("a"), key("a")}}}, "out of order"},
		"page again":     {[]any{page{IsTruncated: true, NextContinuationToken: "A", Contents: []entry{key("a")}}, page{Contents: []entry{key("a")}}}, "out of order"},
		"bad encoding":   {[]any{page{EncodingType: "url", Contents: []entry{key("a%zz")}}}, "cannot be decoded"},
		"no size":        {[]any{page{Contents: []entry{{"a", "", "2026-11-22T17:55:00.000Z"}}}}, "lacks the size or the time"},
		"no time":        {[]any{page{Contents: []entry{{"a", "1", ""}}}}, "lacks the size or the time"},
		"no page":        {[]any{struct{ XMLName xml.Name }{xml.Name{Local: "html"}}}, "not a page of a listing"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.answers(t, test.pages...)
				all, err := storage.ListAll(t.Context(), w.v, "")
				fails(t, err, nil, test.text)
				if all != nil {
					t.Errorf("%d objects are listed as if they were all", len(all))
				}
			})
		})
	}
}

// TestListUnencoded: a store that ignores encoding-type is taken at its word.
func TestListUnencoded(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.answers(t, page{Contents: []entry{key("a%20b"), key("a+b")}})
		if got := w.names(t, ""); !slices.Equal(got, []string{"a%20b", "a+b"}) {
			t.Errorf("listed %q", got)
		}
	})
}

// TestOddKeys: every name that an object may have is listed as it is, in byte order; keys that are no names are left out.
func TestOddKeys(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		var want []string
		keys := []string{"dir/", "/", "//", "a//b", "./a", "../a", "a/../b", "a/.", ""}
		for r := range rune(0x180) {
			if r >= ' ' || r == '\t' || r == '\n' || r == '\r' { // others XML does not have
				keys = append(keys, "k"+string(r)+"x", "end"+string(r))
			}
		}
		keys = append(keys, "k\U0001F600x", "k\uffffdx", "%41", "a%2Fb", "a+b", "a b", "a&amp;b", "a]]>b")
		for _, key := range slices.Compact(slices.Sorted(slices.Values(keys))) {
			w.bucket.Put(key, nil, nil)
			if storage.CheckName(key) == nil {
				want = append(want, key)
			}
		}
		w.PageSize = 50
		if got := w.names(t, ""); !slices.Equal(got, want) || len(want) < 500 {
			t.Errorf("listed %d, want %d; the first that differs is %q", len(got), len(want), firstOf(got, want))
		}
		for _, name := range want {
			if o, err := w.v.Stat(t.Context(), name); err != nil || o.Name != name {
				t.Errorf("Stat %q: %v", name, err)
			}
		}
		if w.Count("HeadObject") != len(want) {
			t.Errorf("%d requests of HeadObject", w.Count("HeadObject"))
		}
		for _, r := range w.of("ListObjectsV2") {
			if r.Query.Get("encoding-type") != "url" {
				t.Error("a request without encoding-type=url")
			}
		}
	})
}

// firstOf is the first of want that got does not have there.
func firstOf(got, want []string) string {
	for i, name := range want {
		if i >= len(got) || got[i] != name {
			return name
		}
	}
	return ""
}

// TestListFails: a failure in mid-listing is its last pair.
func TestListFails(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.PageSize = 2
		for i := range 6 {
			w.bucket.Put(fmt.Sprint(i), make([]byte, i), nil)
		}
		w.play(script{"ListObjectsV2": {{}, {}, {Status: 403, Code: "AccessDenied"}}})
		var got []string
		var failure error
		for o, err := range w.v.List(t.Context(), "") {
			if failure != nil {
				t.Error("an error was not the last pair")
			}
			if failure = err; err == nil {
				got = append(got, o.Name)
				if i := len(got) - 1; o.Size != int64(i) || o.ETag == "" || time.Since(o.ModTime) > time.Minute {
					t.Errorf("listed %+v", o)
				}
			}
		}
		fails(t, failure, storage.ErrPermission, "s3:ListBucket")
		if !slices.Equal(got, []string{"0", "1", "2", "3"}) {
			t.Errorf("listed %q", got)
		}
	})
}

// uploads is the XML of a page of unfinished uploads.
type uploads struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	IsTruncated        bool
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
}

// TestLyingUploads: the same of the list that a sweep goes by, after which nothing is aborted.
func TestLyingUploads(t *testing.T) {
	for what, test := range map[string]struct {
		lie   fakes3.Lie
		pages []any // instead, behind the listing of probes
		text  string
	}{
		"repeated marker": {lie: fakes3.RepeatToken, text: "same page"},
		"no marker":       {lie: fakes3.DropToken, text: "not where"},
		"no marker later": {pages: []any{page{}, uploads{IsTruncated: true, NextKeyMarker: "a"}, uploads{IsTruncated: true}}, text: "not where"},
		"circle": {pages: []any{page{}, uploads{IsTruncated: true, NextKeyMarker: "a"}, uploads{IsTruncated: true, NextKeyMarker: "b"},
			uploads{IsTruncated: true, NextKeyMarker: "a"}}, text: "same page"},
		"bad encoding": {pages: []any{page{}, struct {
			uploads
			EncodingType string
		}{uploads{IsTruncated: true, NextKeyMarker: "%zz"}, "url"}}, text: "escape"},
		"no page": {pages: []any{page{}, struct{ XMLName xml.Name }{xml.Name{Local: "html"}}}, text: "not a page of a listing"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				for range 5 {
					w.begin(t, snapshotName)
				}
				w.PageSize, w.Lie = 2, test.lie
				if test.pages != nil {
					w.answers(t, test.pages...)
				}
				n, err := w.v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour))
				fails(t, err, nil, test.text)
				if n != 0 || len(w.bucket.Uploads()) != 5 || w.Count("ListMultipartUploads") > 20 {
					t.Errorf("%d were removed, %d requests of pages", n, w.Count("ListMultipartUploads"))
				}
			})
		})
	}
}

// TestListedEncoded: the order is that of keys as they are, not as they are encoded.
func TestListedEncoded(t *testing.T) {
	names := []string{"a!b", "a%b", "a+b", "a-b", "a b", "aéb", "a~b"}
	slices.SortFunc(names, cmp.Compare)
	bubble(t, nil, func(t *testing.T, w *world) {
		var entries []entry
		for _, name := range names {
			entries = append(entries, key(url.QueryEscape(name)))
		}
		w.answers(t, page{EncodingType: "url", Contents: entries})
		if got := w.names(t, ""); !slices.Equal(got, names) {
			t.Errorf("listed %q, want %q", got, names)
		}
	})
}
