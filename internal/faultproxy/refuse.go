package faultproxy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// refusals are the statuses and S3's codes for them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var refusals = map[Kind]struct {
	status     int
	code, text string
}{
	SlowDown:        {http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."},
	TooManyRequests: {http.StatusTooManyRequests, "TooManyRequests", "Please reduce your request rate."},
	InternalError:   {http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."},
	ErrorInOK:       {http.StatusOK, "InternalError", "We encountered an internal error. Please try again."},
	RefuseTrailers:  {http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented."},
	ApplyLate:       {http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."},
}

// refuse answers in upstream's place.
func (x *exchange) refuse() {
	x.record(x.fault)
	if x.fault.Forwarded {
		x.forwardBlindly()
	} else {
		x.readAll()
	}
	switch x.fault.Kind {
	case EmptyOK:
		x.say(http.StatusOK, "application/xml", "")
	case HTMLOK:
		x.say(http.StatusOK, "text/html", "<!DOCTYPE html>\n<html><body><h1>Please log in</h1></body></html>\n")
	default:
		x.sayError()
	}
}

// sayError answers with the error of the fault's kind.
func (x *exchange) sayError() {
	if x.fault.RetryAfter != "" {
		x.w.Header().Set("Retry-After", x.fault.RetryAfter)
	}
	e := refusals[x.fault.Kind]
	x.say(e.status, "application/xml", fmt.Sprintf(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message><RequestId>FAULTPROXY</RequestId></Error>",
		e.code, e.text))
}

// say answers with body; net/http leaves it out for HEAD.
func (x *exchange) say(status int, contentType, body string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	io.WriteString(x.w, body)
}
