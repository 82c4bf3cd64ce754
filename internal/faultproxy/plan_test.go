package faultproxy

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestOperation(t *testing.T) {
	for _, c := range []struct {
		method, uri string
		want        Operation
	}{
		{"PUT", "/b/k?x-id=PutObject", PutObject},
		{"PUT", "/b/dir/k", PutObject},
		{"GET", "/b/k?versionId=1&x-id=GetObject&X-Amz-Signature=s", GetObject},
		{"HEAD", "/b/k", HeadObject},
		{"DELETE", "/b/k?x-id=DeleteObject", DeleteObject},
		{"GET", "/b?list-type=2&prefix=a%2F", ListObjectsV2},
		{"GET", "/b/?list-type=2", ListObjectsV2},
		{"POST", "/b/k?uploads", CreateMultipartUpload},
		{"POST", "/b/k?uploads=", CreateMultipartUpload},
		{"PUT", part, UploadPart},
		{"POST", complete, CompleteMultipartUpload},
		{"DELETE", "/b/k?uploadId=u&x-id=AbortMultipartUpload", AbortMultipartUpload},
		{"GET", "/b?uploads&prefix=a", ListMultipartUploads},
		{"GET", "/b/k?uploadId=u", other}, // ListParts
		{"PUT", "/b", other},
		{"HEAD", "/b/", other},
		{"GET", "/", other},
		{"GET", "/b", other}, // ListObjects
		{"GET", "/b/k?tagging", other},
		{"PUT", "/b/k?retention", other},
		{"POST", "/b?delete", other},
	} {
		r, err := http.NewRequest(c.method, c.uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := operation(r); got != c.want {
			t.Errorf("%s %s is %s, not %s", c.method, c.uri, got, c.want)
		}
	}
	r, _ := http.NewRequest("PUT", "/b/k", nil)
	r.Header.Set("X-Amz-Copy-Source", "/b/other")
	if got := operation(r); got != other {
		t.Errorf("CopyObject is %s", got)
	}
}

// codes sends requests, each "METHOD uri", and returns the statuses.
func (w *wire) codes(t *testing.T, requests ...string) []int {
	var codes []int
	for _, r := range requests {
		method, uri, _ := strings.Cut(r, " ")
		codes = append(codes, w.do(t, method, uri, "body").status)
	}
	return codes
}

func TestPlan(t *testing.T) {
	p3, p4 := "PUT "+part, "PUT "+strings.Replace(part, "=3", "=4", 1)
	for _, c := range []struct {
		name     string
		faults   []Fault
		requests []string
		want     []int
	}{
		{"first by default", []Fault{{Kind: SlowDown}}, []string{"GET /b/k", "GET /b/k"}, []int{503, 200}},
		{"a storm", []Fault{{Kind: SlowDown, Nth: 2, Count: 2}}, []string{p3, p3, "GET /b/k", p3}, []int{200, 503, 503, 200}},
		{"always", []Fault{{Kind: TooManyRequests, Nth: 2, Count: Always}}, []string{p3, p3, p3, p3}, []int{200, 429, 429, 429}},
		{"of an operation", []Fault{{Kind: SlowDown, Operation: GetObject, Nth: 2}},
			[]string{"GET /b/k", p3, "GET /b/k"}, []int{200, 200, 503}},
		{"of a part", []Fault{{Kind: SlowDown, Operation: UploadPart, Part: 4}}, []string{p3, p4, p4}, []int{200, 503, 200}},
		{"of a path", []Fault{{Kind: SlowDown, Path: "/x"}}, []string{"GET /b/k", "GET /b/x"}, []int{200, 503}},
		{"the first added", []Fault{{Kind: SlowDown}, {Kind: TooManyRequests}, {Kind: InternalError, Nth: 2}},
			[]string{p3, p3, p3}, []int{503, 500, 200}},
		{"what the proxy does not know", []Fault{{Kind: SlowDown, Count: Always}},
			[]string{"PUT /b", "GET /b/k?tagging"}, []int{200, 200}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := tcp(t, fine)
			w.plan(t, c.faults...)
			if got := w.codes(t, c.requests...); !slices.Equal(got, c.want) {
				t.Errorf("%d, not %d", got, c.want)
			}
		})
	}
}

// A fault that never happens would make a test pass that tests nothing.
func TestImpossible(t *testing.T) {
	p, err := New("http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, f := range []Fault{{}, {Kind: "typo"}, {Kind: ErrorInOK, Operation: GetObject}, {Kind: SlowDown, Part: 1}} {
		if err := p.Plan(Fault{Kind: SlowDown}, f); err == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
	if len(p.planned) != 0 {
		t.Error("what was refused was planned in part")
	}
	if err := p.Random(1, 0.5, SlowDown, "typo"); err == nil {
		t.Error("Random took a kind that there is not")
	}
	if err := p.Random(1, 1.5); err == nil {
		t.Error("Random took a rate of 1.5")
	}
}

// Random's promises: the same faults by the same seed, in whatever order concurrent parts come and whatever their key
// and upload are; others by another; never so many that ten tries do not get through; none for a rate of 0.
func TestRandom(t *testing.T) {
	seen := map[string][]string{}
	for _, c := range []struct {
		name    string
		seed    uint64
		rate    float64
		upload  string
		reverse bool
	}{
		{"a", 1, 0.4, "u1", false}, {"same", 1, 0.4, "u2", true}, {"b", 2, 0.4, "u1", false},
		{"full", 1, 1, "u1", false}, {"none", 1, 0, "u1", false},
	} {
		w := tcp(t, fine)
		if err := w.proxy.Random(c.seed, c.rate, SlowDown, TooManyRequests, ResetRequest, MissingETag, DropAnswer, ErrorInOK); err != nil {
			t.Fatal(err)
		}
		parts := []string{"1", "2", "3", "4", "5", "6", "7", "8"}
		if c.reverse {
			slices.Reverse(parts)
		}
		var wg sync.WaitGroup
		for _, n := range parts {
			wg.Go(func() {
				uri := "/b/" + c.upload + "?uploadId=" + c.upload + "&partNumber=" + n
				for range 10 {
					if a := w.do(t, "PUT", uri, "body"); a.status == 200 && a.header.Get("ETag") != "" {
						return
					}
				}
				t.Errorf("%s: part %s failed ten times", c.name, n)
			})
		}
		wg.Wait()
		lines := w.proxy.Injected()
		if !strings.HasPrefix(lines[0], "campaign: seed ") || len(lines) != w.proxy.Faults()+1 {
			t.Errorf("%d faults: %q", w.proxy.Faults(), lines)
		}
		for _, line := range lines[1:] {
			seen[c.name] = append(seen[c.name], strings.ReplaceAll(line, c.upload, "u"))
		}
		slices.Sort(seen[c.name])
	}
	if len(seen["a"]) == 0 || !slices.Equal(seen["a"], seen["same"]) {
		t.Errorf("seed 1:\n%q\nand again:\n%q", seen["a"], seen["same"])
	}
	if slices.Equal(seen["a"], seen["b"]) {
		t.Errorf("seeds 1 and 2: %q", seen["a"])
	}
	if n := len(seen["full"]); n != 8*perRequest {
		t.Errorf("%d faults of 8 requests at a rate of 1", n)
	}
	if len(seen["none"]) != 0 {
		t.Errorf("at a rate of 0: %q", seen["none"])
	}
}

// Every kind must come up in a campaign over requests that it fits.
func TestRandomKinds(t *testing.T) {
	for _, k := range Kinds() {
		came := false
		for _, o := range []struct{ method, uri string }{
			{"PUT", part}, {"POST", complete}, {"GET", "/b?list-type=2&prefix=a&continuation-token=t"}, {"GET", "/b/k"},
		} {
			r, err := http.NewRequest(o.method, o.uri, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("If-None-Match", "*")
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			c := campaign{1, 1, []Kind{k}, map[string]uint64{}, map[string]int{}, map[string]storm{}}
			came = came || c.draw(operation(r), r, "id").Kind == k
		}
		if !came {
			t.Errorf("%s does not come up", k)
		}
	}
}
