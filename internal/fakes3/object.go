package fakes3

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (c *call) putObject() (reply, error) {
	if c.r.Header.Get("X-Amz-Copy-Source") != "" {
		return reply{}, fail("NotImplemented", "this server does not copy")
	}
	header, err := c.attributes()
	if err != nil {
		return reply{}, err
	}
	o := &Object{Key: c.key, Data: c.body, ETag: etag(c.body, header), Modified: c.s.now(), Header: header, checksum: c.sum}
	if err := c.publish(o, nil); err != nil {
		return reply{}, err
	}
	h := written(o)
	h.Set("ETag", quote(o.ETag))
	o.checksum.set(h)
	return reply{status: http.StatusOK, header: h}, nil
}

// publish makes o visible, unless a condition of the request forbids it. Then, with the lock held, it calls also.
func (c *call) publish(o *Object, also func()) error {
	if err := c.condition(); err != nil {
		return err
	}
	c.s.mu.Lock()
	if c.conditional(Exact) && c.bucket.current(o.Key) != nil {
		c.s.mu.Unlock()
		return preconditionFailed()
	}
	c.bucket.store(o)
	if also != nil {
		also()
	}
	c.s.mu.Unlock()
	if c.s.Sealed != nil {
		c.s.Sealed(o)
	}
	return nil
}

// conditional reports whether the request has If-None-Match and the store treats it so.
func (c *call) conditional(how Conditional) bool {
	return c.r.Header.Get("If-None-Match") != "" && c.s.Conditional == how
}

// condition is what comes before the write of a conditional Put.
func (c *call) condition() error {
	if value := c.r.Header.Get("If-None-Match"); value != "" && value != "*" || c.r.Header.Get("If-Match") != "" || c.conditional(Refused) {
		return fail("NotImplemented", "A header you provided implies functionality that is not implemented")
	}
	if c.conditional(Racy) {
		if c.bucket.Object(c.key) != nil {
			return preconditionFailed()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

func preconditionFailed() *failure {
	return fail("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

// getObject is HeadObject too.
func (c *call) getObject() (reply, error) {
	o, err := c.find()
	if err != nil {
		return reply{}, err
	}
	if want := c.r.Header.Get("If-Match"); want != "" && want != "*" && unquote(want) != o.ETag {
		return reply{}, preconditionFailed()
	}
	if unquote(c.r.Header.Get("If-None-Match")) == o.ETag {
		return reply{}, fail("NotModified", "Not Modified")
	}
	class := o.Header.Get("X-Amz-Storage-Class")
	if archived := c.s.Archived || class == "GLACIER" || class == "DEEP_ARCHIVE"; archived && c.r.Method == http.MethodGet {
		f := fail("InvalidObjectState", "The operation is not valid for the object's storage class")
		f.StorageClass = class
		return reply{}, f
	}
	a := reply{status: http.StatusOK, header: c.describe(o), body: o.Data}
	if text := c.r.Header.Get("Range"); text != "" && !c.s.IgnoreRange {
		if a, err = a.cut(text); err != nil {
			return reply{}, err
		}
	}
	a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return a, nil
}

// find returns the version that the request names.
func (c *call) find() (*Object, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if id := c.query.Get("versionId"); id != "" {
		for _, o := range c.bucket.objects[c.key] {
			switch {
			case o.VersionID == id && o.marker:
				return nil, fail("MethodNotAllowed", "The specified method is not allowed against this resource")
			case o.VersionID == id:
				return o, nil
			}
		}
		return nil, fail("NoSuchVersion", "The specified version does not exist")
	}
	if o := c.bucket.current(c.key); o != nil {
		return o, nil
	}
	if c.s.Deny["ListObjectsV2"] {
		return nil, fail("AccessDenied", "not allowed: ListObjectsV2")
	}
	return nil, fail("NoSuchKey", "The specified key does not exist")
}

// describe is the header of GetObject and HeadObject.
func (c *call) describe(o *Object) http.Header {
	h := o.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if tags := h.Get("X-Amz-Tagging"); tags != "" {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(strings.Count(tags, "&")+1))
		h.Del("X-Amz-Tagging")
	}
	if h.Get("X-Amz-Storage-Class") == "STANDARD" {
		h.Del("X-Amz-Storage-Class")
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	for parameter, name := range responseHeaders {
		if value := c.query.Get(parameter); value != "" {
			h.Set(name, value)
		}
	}
	if o.VersionID != "" {
		h.Set("X-Amz-Version-Id", o.VersionID)
	}
	if strings.EqualFold(c.r.Header.Get("X-Amz-Checksum-Mode"), "ENABLED") {
		o.checksum.set(h)
	}
	h.Set("ETag", quote(o.ETag))
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	return h
}

// responseHeaders are those that a query parameter of GetObject sets.
var responseHeaders = map[string]string{
	"response-cache-control":       "Cache-Control",
	"response-content-disposition": "Content-Disposition",
	"response-content-encoding":    "Content-Encoding",
	"response-content-language":    "Content-Language",
	"response-content-type":        "Content-Type",
	"response-expires":             "Expires",
}

// cut reduces a whole object to a range. One that is not understood is ignored, as HTTP demands.
func (a reply) cut(text string) (reply, error) {
	size := int64(len(a.body))
	from, to, ok := parseRange(text, size)
	if !ok {
		return a, nil
	}
	if from >= size || from > to {
		f := fail("InvalidRange", "The requested range is not satisfiable")
		f.ActualObjectSize = &size
		return reply{}, f
	}
	a.status, a.body = http.StatusPartialContent, a.body[from:to+1]
	for name := range a.header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") { // is not that of the range
			a.header.Del(name)
		}
	}
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	return a, nil
}

// parseRange reads bytes=a-b, bytes=a- and bytes=-n; both ends are included.
func parseRange(text string, size int64) (from, to int64, ok bool) {
	spec, isBytes := strings.CutPrefix(text, "bytes=")
	first, last, isRange := strings.Cut(spec, "-")
	if !isBytes || !isRange {
		return 0, 0, false
	}
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && err2 == nil && to >= 0:
		return max(size-to, 0), size - 1, true
	case err1 == nil && from >= 0 && last == "":
		return from, max(size-1, from), true
	case err1 == nil && err2 == nil && from >= 0 && to >= from:
		return from, max(min(to, size-1), from), true
	}
	return 0, 0, false
}

func (c *call) deleteObject() (reply, error) {
	h := http.Header{}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if id := c.query.Get("versionId"); id != "" {
		kept := c.bucket.objects[c.key][:0:0]
		for _, o := range c.bucket.objects[c.key] {
			if o.VersionID != id {
				kept = append(kept, o)
			}
		}
		c.bucket.objects[c.key] = kept
		h.Set("X-Amz-Version-Id", id)
	} else if marker := c.bucket.remove(c.key); marker != nil {
		h.Set("X-Amz-Version-Id", marker.VersionID)
		h.Set("X-Amz-Delete-Marker", "true")
	}
	return reply{status: http.StatusNoContent, header: h}, nil
}

// etag is what AWS makes of data: its MD5 or, where a key of KMS encrypts, something else.
func etag(data []byte, header http.Header) string {
	sum := md5.Sum(data)
	if header.Get(sseHeader) == "aws:kms" {
		sum = md5.Sum(append([]byte("aws:kms"), sum[:]...))
	}
	return hex.EncodeToString(sum[:])
}

func quote(s string) string   { return `"` + s + `"` }
func unquote(s string) string { return strings.Trim(s, `"`) }
