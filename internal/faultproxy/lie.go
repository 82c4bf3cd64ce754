package faultproxy

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pages are how the pages of a listing are written.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html and API_ListMultipartUploads.html
var pages = map[Operation]struct {
	item    *regexp.Regexp
	markers map[string]string // how to go on: the answer's element, by the request's parameter
}{
	ListObjectsV2: {regexp.MustCompile(`(?s)<Contents>.*?</Contents>`), map[string]string{
		"continuation-token": "NextContinuationToken"}},
	ListMultipartUploads: {regexp.MustCompile(`(?s)<Upload>.*?</Upload>`), map[string]string{
		"key-marker": "NextKeyMarker", "upload-id-marker": "NextUploadIdMarker"}},
}

// lie forwards a listing and changes the page that comes back. Where there is nothing to change it stays as it is.
func (x *exchange) lie() {
	resp := x.send(x.r.Context(), x.r.Body)
	if resp.StatusCode != http.StatusOK {
		x.answer(resp, resp.Body)
		return
	}
	page := x.keep(resp.Body)
	if changed := x.change(page); !bytes.Equal(changed, page) {
		x.record(x.fault)
		page = changed
	}
	resp.Header.Set("Content-Length", strconv.Itoa(len(page)))
	x.answer(resp, bytes.NewReader(page))
}

// change is a page with the lie in it.
func (x *exchange) change(page []byte) []byte {
	format := pages[x.op]
	items := format.item.FindAllIndex(page, -1)
	query := x.r.URL.Query()
	switch {
	case x.fault.Kind == SameToken || x.fault.Kind == NoToken:
		page = setElement(page, "IsTruncated", "true")
		for parameter, element := range format.markers {
			if value := query.Get(parameter); x.fault.Kind == SameToken && value != "" {
				page = setElement(page, element, encoded(query, parameter, value))
			} else {
				page = regexpOf(element).ReplaceAll(page, nil)
			}
		}
	case x.fault.Kind == Reordered && len(items) > 1:
		a, b := items[0], items[len(items)-1]
		page = slices.Concat(page[:a[0]], page[b[0]:b[1]], page[a[1]:b[0]], page[a[0]:a[1]], page[b[1]:])
	case x.fault.Kind == ForeignName && len(items) > 0:
		last := items[len(items)-1]
		prefix := []byte(query.Get("prefix"))
		prefix[len(prefix)-1]++ // so it comes after all that have the prefix: the order does not tell
		foreign := setElement(page[last[0]:last[1]], "Key", encoded(query, "prefix", string(prefix)+"foreign"))
		page = slices.Concat(page[:last[1]], foreign, page[last[1]:])
	}
	return page
}

// encoded is a value as the page shows it: tokens as they are, names as the client asked for.
func encoded(query url.Values, parameter, value string) string {
	if query.Get("encoding-type") != "url" || strings.HasSuffix(parameter, "token") || parameter == "upload-id-marker" {
		return value
	}
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// regexpOf finds an element that has only text in it.
func regexpOf(element string) *regexp.Regexp {
	return regexp.MustCompile(`<` + element + `>[^<]*</` + element + `>|<` + element + `/>`)
}

// setElement replaces the first element of that name, or adds one at the end.
func setElement(doc []byte, name, value string) []byte {
	var b bytes.Buffer
	io.WriteString(&b, "<"+name+">")
	xml.EscapeText(&b, []byte(value)) // a Buffer takes all
	io.WriteString(&b, "</"+name+">")
	at := regexpOf(name).FindIndex(doc)
	if at == nil {
		end := max(bytes.LastIndex(doc, []byte("</")), 0)
		at = []int{end, end}
	}
	return slices.Concat(doc[:at[0]], b.Bytes(), doc[at[1]:])
}
