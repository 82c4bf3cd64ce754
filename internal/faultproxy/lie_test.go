package faultproxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	objects = `<?xml version="1.0"?><ListBucketResult><Name>b</Name><Prefix>p/</Prefix><IsTruncated>true</IsTruncated>` +
		`<NextContinuationToken>next</NextContinuationToken><Contents><Key>p/1</Key><Size>1</Size></Contents>` +
		`<Contents><Key>p/2</Key></Contents><Contents><Key>p/3</Key></Contents></ListBucketResult>`
	last    = `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/4</Key></Contents></ListBucketResult>`
	empty   = `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`
	uploads = `<ListMultipartUploadsResult><KeyMarker/><NextKeyMarker>p/2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>` +
		`<IsTruncated>true</IsTruncated><Upload><Key>p/1</Key><UploadId>u1</UploadId></Upload>` +
		`<Upload><Key>p/2</Key><UploadId>u2</UploadId></Upload></ListMultipartUploadsResult>`
)

func TestLies(t *testing.T) {
	const (
		list        = "/b?list-type=2&prefix=p%2F&continuation-token=a%26b"
		listUploads = "/b?uploads&prefix=p%2F&encoding-type=url&key-marker=p%2F+1&upload-id-marker=u1"
	)
	for _, c := range []struct {
		kind      Kind
		uri, page string
		old, new  string // what of the page is replaced by what
	}{
		{SameToken, list, objects, ">next<", ">a&amp;b<"},
		{SameToken, list, last, "false</IsTruncated><Contents><Key>p/4</Key></Contents>",
			"true</IsTruncated><Contents><Key>p/4</Key></Contents><NextContinuationToken>a&amp;b</NextContinuationToken>"},
		{NoToken, list, objects, "<NextContinuationToken>next</NextContinuationToken>", ""},
		{NoToken, list, last, "false", "true"},
		{Reordered, list, objects,
			"<Contents><Key>p/1</Key><Size>1</Size></Contents><Contents><Key>p/2</Key></Contents><Contents><Key>p/3</Key></Contents>",
			"<Contents><Key>p/3</Key></Contents><Contents><Key>p/2</Key></Contents><Contents><Key>p/1</Key><Size>1</Size></Contents>"},
		{Reordered, list, last, "", ""},
		{ForeignName, list, objects, "</Contents></L", "</Contents><Contents><Key>p0foreign</Key></Contents></L"},
		{ForeignName, list, empty, "", ""},
		{SameToken, listUploads, uploads, "<NextKeyMarker>p/2</NextKeyMarker><NextUploadIdMarker>u2<",
			"<NextKeyMarker>p%2F%201</NextKeyMarker><NextUploadIdMarker>u1<"},
		{NoToken, listUploads, uploads, "<NextKeyMarker>p/2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>", ""},
		{ForeignName, listUploads, uploads, "</Upload></L", "</Upload><Upload><Key>p0foreign</Key><UploadId>u2</UploadId></Upload></L"},
	} {
		w := tcp(t, func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, c.page) })
		w.plan(t, Fault{Kind: c.kind})
		want := strings.Replace(c.page, c.old, c.new, 1)
		if c.old != "" && want == c.page {
			t.Fatalf("%s is not in %s", c.old, c.page)
		}
		if a := w.do(t, "GET", c.uri, ""); a.err != nil || a.body != want {
			t.Errorf("%s of %s: %v\n%s\nnot\n%s", c.kind, c.uri, a.err, a.body, want)
		}
		if n := len(w.proxy.Injected()); n != 1 && c.old != "" || n != 0 && c.old == "" {
			t.Errorf("%s: injected %q", c.kind, w.proxy.Injected())
		}
	}
}

// An error of upstream has no page to change.
func TestNoLie(t *testing.T) {
	w := tcp(t, func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, objects, http.StatusForbidden) })
	w.plan(t, Fault{Kind: NoToken}, Fault{Kind: ResetResponse, Operation: GetObject})
	if a := w.do(t, "GET", "/b?list-type=2", ""); a.err != nil || a.status != 403 || a.body != objects+"\n" {
		t.Errorf("%+v", a)
	}
	if a := w.do(t, "GET", "/b/k", ""); a.err != nil || a.status != 403 || a.body != objects+"\n" {
		t.Errorf("%+v", a)
	}
	if l := w.proxy.Injected(); len(l) != 0 {
		t.Errorf("injected %q", l)
	}
}
