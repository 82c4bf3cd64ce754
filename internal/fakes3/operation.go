package fakes3

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Largest bodies, in bytes.
const (
	maxObject = 5 << 30
	maxXML    = 8 << 20
)

// operation is one of S3's.
type operation struct {
	name     string
	method   string
	object   bool     // on a key, not on the bucket
	required []string // query parameters
	optional []string
	limit    int64 // of the body
	apply    func(*call) (reply, error)
}

// operations is filled by init, as the handlers refer to it.
var operations []operation

func init() {
	overrides := []string{"versionId"}
	for header := range responseHeaders {
		overrides = append(overrides, header)
	}
	operations = []operation{
		{"PutObject", http.MethodPut, true, nil, nil, maxObject, (*call).putObject},
		{"GetObject", http.MethodGet, true, nil, overrides, 0, (*call).getObject},
		{"HeadObject", http.MethodHead, true, nil, overrides, 0, (*call).getObject},
		{"DeleteObject", http.MethodDelete, true, nil, []string{"versionId"}, 0, (*call).deleteObject},
		{"ListObjectsV2", http.MethodGet, false, []string{"list-type"},
			[]string{"prefix", "continuation-token", "start-after", "max-keys", "encoding-type", "fetch-owner"}, 0, (*call).listObjects},
		{"CreateMultipartUpload", http.MethodPost, true, []string{"uploads"}, nil, maxXML, (*call).createUpload},
		{"UploadPart", http.MethodPut, true, []string{"uploadId", "partNumber"}, nil, maxObject, (*call).uploadPart},
		{"CompleteMultipartUpload", http.MethodPost, true, []string{"uploadId"}, nil, maxXML, (*call).completeUpload},
		{"AbortMultipartUpload", http.MethodDelete, true, []string{"uploadId"}, nil, 0, (*call).abortUpload},
		{"ListMultipartUploads", http.MethodGet, false, []string{"uploads"},
			[]string{"prefix", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"}, 0, (*call).listUploads},
		{"ListParts", http.MethodGet, true, []string{"uploadId"}, []string{"max-parts", "part-number-marker"}, 0, (*call).listParts},
	}
}

// route finds the operation. One that the server does not know has no apply.
func route(method string, object bool, query url.Values) operation {
	var asked []string
	for name := range query {
		if name != "x-id" && !strings.HasPrefix(strings.ToLower(name), "x-amz-") { // the SDK's hint, and a presigned URL's
			asked = append(asked, name)
		}
	}
	for _, op := range operations {
		if op.method == method && op.object == object && op.takes(asked) {
			return op
		}
	}
	target := " bucket"
	if object {
		target = " key"
	}
	slices.Sort(asked)
	return operation{name: method + target + "?" + strings.Join(asked, "&")}
}

// takes reports whether the query parameters asked are all of op, and those that it requires among them.
func (op operation) takes(asked []string) bool {
	for _, name := range op.required {
		if !slices.Contains(asked, name) {
			return false
		}
	}
	for _, name := range asked {
		if !slices.Contains(op.required, name) && !slices.Contains(op.optional, name) {
			return false
		}
	}
	return true
}
