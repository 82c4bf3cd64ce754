package fakes3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

// errDropped is the end of a request that gets no answer: the connection is closed.
var errDropped = errors.New("connection dropped")

// failure is an error answer. Its exported fields are S3's XML.
type failure struct {
	status int
	header http.Header
	raw    *string // the body, instead of XML

	XMLName          xml.Name `xml:"Error"`
	Code             string
	Message          string
	Region           string `xml:",omitempty"`
	RequestTime      string `xml:",omitempty"`
	ServerTime       string `xml:",omitempty"`
	ActualObjectSize *int64 `xml:",omitempty"`
	StorageClass     string `xml:",omitempty"`
	Resource         string
	RequestID        string `xml:"RequestId"`
}

func (f *failure) Error() string { return f.Code + ": " + f.Message }

// statuses are those of the codes that are not 400, from the API reference's list of error responses.
var statuses = map[string]int{
	"AccessDenied":          http.StatusForbidden,
	"InvalidAccessKeyId":    http.StatusForbidden,
	"InvalidObjectState":    http.StatusForbidden,
	"RequestTimeTooSkewed":  http.StatusForbidden,
	"SignatureDoesNotMatch": http.StatusForbidden,
	"NoSuchBucket":          http.StatusNotFound,
	"NoSuchKey":             http.StatusNotFound,
	"NoSuchUpload":          http.StatusNotFound,
	"NoSuchVersion":         http.StatusNotFound,
	"MethodNotAllowed":      http.StatusMethodNotAllowed,
	"MissingContentLength":  http.StatusLengthRequired,
	"PreconditionFailed":    http.StatusPreconditionFailed,
	"NotModified":           http.StatusNotModified,
	"InvalidRange":          http.StatusRequestedRangeNotSatisfiable,
	"InternalError":         http.StatusInternalServerError,
	"NotImplemented":        http.StatusNotImplemented,
	"SlowDown":              http.StatusServiceUnavailable,
	"ServiceUnavailable":    http.StatusServiceUnavailable,
}

// fail makes the error answer of an S3 code.
func fail(code, format string, args ...any) *failure {
	status, ok := statuses[code]
	if !ok {
		status = http.StatusBadRequest
	}
	return &failure{status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}
