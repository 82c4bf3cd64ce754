package fakes3

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	sseHeader   = "X-Amz-Server-Side-Encryption"
	kmsHeader   = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	classHeader = "X-Amz-Storage-Class"
	tagsHeader  = "X-Amz-Tagging"
	lockHeader  = "X-Amz-Object-Lock-Mode"
	untilHeader = "X-Amz-Object-Lock-Retain-Until-Date"
	holdHeader  = "X-Amz-Object-Lock-Legal-Hold"
)

// kept are the headers, beside metadata, that an object is stored with.
var kept = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
	sseHeader, kmsHeader, classHeader, tagsHeader, lockHeader, untilHeader, holdHeader,
}

var classes = []string{
	"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR",
}

// attributes are the headers of PutObject and CreateMultipartUpload that the object is stored with.
func (c *call) attributes() (http.Header, error) {
	h, size := http.Header{}, 0
	for name, values := range c.r.Header {
		metadata, ok := strings.CutPrefix(name, "X-Amz-Meta-")
		if ok {
			size += len(metadata) + len(strings.Join(values, ","))
		}
		if ok || slices.Contains(kept, name) {
			h.Set(name, strings.Join(values, ","))
		}
	}
	if encoding := strings.Trim(strings.TrimPrefix(h.Get("Content-Encoding"), "aws-chunked"), ", "); encoding == "" {
		h.Del("Content-Encoding")
	} else {
		h.Set("Content-Encoding", encoding)
	}
	if size > 2<<10 {
		return nil, fail("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	if class := h.Get(classHeader); class != "" && !slices.Contains(classes, class) {
		return nil, fail("InvalidStorageClass", "The storage class you specified is not valid")
	}
	for _, check := range []func(http.Header) error{checkEncryption, checkTags, c.checkLock} {
		if err := check(h); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func checkEncryption(h http.Header) error {
	switch sse, key := h.Get(sseHeader), h.Get(kmsHeader); {
	case sse != "" && sse != "AES256" && sse != "aws:kms":
		return fail("InvalidArgument", "The encryption method specified is not supported")
	case key != "" && sse != "aws:kms":
		return fail("InvalidArgument", "A KMS key requires the header %s: aws:kms", strings.ToLower(sseHeader))
	}
	return nil
}

func checkTags(h http.Header) error {
	tags, err := url.ParseQuery(h.Get(tagsHeader))
	if err != nil {
		return fail("InvalidArgument", "The header 'x-amz-tagging' shall be encoded as URL query parameters.")
	}
	if len(tags) > 10 {
		return fail("BadRequest", "Object tags cannot be greater than 10")
	}
	for name, values := range tags {
		switch {
		case len(values) > 1:
			return fail("InvalidTag", "Cannot provide multiple Tags with the same key")
		case name == "" || len([]rune(name)) > 128:
			return fail("InvalidTag", "The TagKey you have provided is invalid")
		case len([]rune(values[0])) > 256:
			return fail("InvalidTag", "The TagValue you have provided is invalid")
		}
	}
	return nil
}

func (c *call) checkLock(h http.Header) error {
	mode, until, hold := h.Get(lockHeader), h.Get(untilHeader), h.Get(holdHeader)
	if mode == "" && until == "" && hold == "" {
		return nil
	}
	if !c.s.ObjectLock {
		return fail("InvalidRequest", "Bucket is missing Object Lock Configuration")
	}
	if hold != "" && hold != "ON" && hold != "OFF" {
		return fail("InvalidArgument", "Legal Hold must be either of 'ON' or 'OFF'")
	}
	if mode == "" && until == "" {
		return nil
	}
	date, err := time.Parse(time.RFC3339, until)
	switch {
	case mode == "" || until == "":
		return fail("InvalidArgument", "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case mode != "GOVERNANCE" && mode != "COMPLIANCE":
		return fail("InvalidArgument", "Unknown wormMode directive.")
	case err != nil:
		return fail("InvalidArgument", "The retain until date must be provided in ISO 8601 format")
	case !date.After(c.s.now()):
		return fail("InvalidArgument", "The retain until date must be in the future!")
	}
	return nil
}

// written is what the answers to writes say of how the object is stored.
func written(o *Object) http.Header {
	h := http.Header{}
	for _, name := range []string{sseHeader, kmsHeader} {
		if value := o.Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	if o.VersionID != "" {
		h.Set("X-Amz-Version-Id", o.VersionID)
	}
	return h
}
