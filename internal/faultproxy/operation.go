package faultproxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Operation is an operation of the S3 API, by its name there.
type Operation string

// The operations that the proxy knows. All other requests pass untouched.
const (
	AnyOperation            Operation = "" // in a Fault: each of those below
	PutObject               Operation = "PutObject"
	GetObject               Operation = "GetObject"
	HeadObject              Operation = "HeadObject"
	DeleteObject            Operation = "DeleteObject"
	ListObjectsV2           Operation = "ListObjectsV2"
	CreateMultipartUpload   Operation = "CreateMultipartUpload"
	UploadPart              Operation = "UploadPart"
	CompleteMultipartUpload Operation = "CompleteMultipartUpload"
	AbortMultipartUpload    Operation = "AbortMultipartUpload"
	ListMultipartUploads    Operation = "ListMultipartUploads"

	other Operation = "other"
)

// api says which requests are which operation: by method, whether there is a key, and the subresource in the query.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var api = []struct {
	method      string
	key         bool
	subresource string
	operation   Operation
}{
	{http.MethodPut, true, "", PutObject},
	{http.MethodGet, true, "", GetObject},
	{http.MethodHead, true, "", HeadObject},
	{http.MethodDelete, true, "", DeleteObject},
	{http.MethodGet, false, "list-type", ListObjectsV2},
	{http.MethodPost, true, "uploads", CreateMultipartUpload},
	{http.MethodPut, true, "uploadId", UploadPart},
	{http.MethodPost, true, "uploadId", CompleteMultipartUpload},
	{http.MethodDelete, true, "uploadId", AbortMultipartUpload},
	{http.MethodGet, false, "uploads", ListMultipartUploads},
}

// subresources are the words of a query that make another operation of a request.
var subresources = []string{
	"acl", "attributes", "legal-hold", "list-type", "restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads",
}

// operation tells what r asks for, in path style: /bucket/key.
func operation(r *http.Request) Operation {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	var subresource string
	if i := slices.IndexFunc(subresources, query.Has); i >= 0 {
		subresource = subresources[i]
	}
	for _, a := range api {
		if a.method == r.Method && a.key == (key != "") && a.subresource == subresource && r.Header.Get("X-Amz-Copy-Source") == "" {
			return a.operation
		}
	}
	return other
}

// shape is what the first try of a request and all others have in common in every run of a test: no key and no upload
// id, which are random. A read that goes on where it broke is a further try, so of its range only the end counts.
func shape(op Operation, r *http.Request) string {
	_, end, _ := strings.Cut(r.Header.Get("Range"), "-")
	return string(op) + " part " + r.URL.Query().Get("partNumber") + " end " + end
}

// identity is what all tries of one request have in common, and no other request has.
func identity(op Operation, r *http.Request) string {
	q := r.URL.Query()
	for _, volatile := range []string{"X-Amz-Date", "X-Amz-Signature"} { // of a presigned URL
		q.Del(volatile)
	}
	return shape(op, r) + " " + (&url.URL{Path: r.URL.Path, RawQuery: q.Encode()}).String()
}
