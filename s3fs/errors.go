package s3fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/databasement/backup/storage"
)

// errAnswer is an answer that says success and lacks what a success has.
var errAnswer = errors.New("not an answer of S3")

// check refuses what cannot be an object's name.
func (v *Volume) check(op, name string) error {
	err := storage.CheckName(name)
	if err == nil && len(v.prefix)+len(name) > maxKey {
		err = fmt.Errorf("%w: with the prefix it has more than %d bytes", storage.ErrInvalidName, maxKey)
	}
	return v.error(op, name, err)
}

// maxKey is the longest key of an object, in bytes.
const maxKey = 1024

// error is the one place where errors are wrapped for callers. nil stays nil.
func (v *Volume) error(op, name string, err error) error {
	if err == nil {
		return nil
	}
	if e := (*storage.Error)(nil); errors.As(err, &e) {
		return err
	}
	return &storage.Error{Op: op, Volume: v.String(), Name: name, Err: classify(err)}
}

// failure is what a request ended with, in words and as a sentinel of package storage.
type failure struct {
	text string
	is   error // a sentinel, or nil
	err  error // as the SDK gave it
}

func (f *failure) Error() string        { return f.text }
func (f *failure) Unwrap() error        { return f.err }
func (f *failure) Is(target error) bool { return f.is != nil && errors.Is(f.is, target) }

// classify gives an error of the SDK a sentinel, and a text for people.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		return err
	}
	a := answerOf(err)
	if a.status == 0 {
		return plain(err)
	}
	f := &failure{err: err}
	switch {
	case a.code == "NoSuchBucket", a.code == "NoSuchUpload":
	case a.status == http.StatusNotFound && !a.elsewhere():
		f.is = storage.ErrNotExist
	case a.code == "InvalidObjectState":
	case a.status == http.StatusForbidden || a.status == http.StatusUnauthorized:
		f.is = storage.ErrPermission
	case a.status == http.StatusRequestedRangeNotSatisfiable:
		f.is = storage.ErrInvalidRange
	case a.code == "EntityTooLarge":
		f.is = storage.ErrTooLarge
	case a.status == http.StatusNotImplemented:
		f.is = errors.ErrUnsupported
	}
	f.text = a.String()
	if hint := a.hint(); hint != "" {
		f.text += " (" + hint + ")"
	}
	return f
}

// plain shortens what the SDK says of a request that had no answer.
func plain(err error) error {
	op, send, missing := (*smithy.OperationError)(nil), (*smithyhttp.RequestSendError)(nil), (*credentialsError)(nil)
	inner := err
	switch {
	case errors.As(err, &missing):
		inner = missing
	case errors.As(err, &send):
		inner = send.Err
		if u := (*url.Error)(nil); errors.As(inner, &u) {
			inner = u.Err
		}
		if inner == io.EOF {
			inner = fmt.Errorf("the connection was closed without an answer: %w", inner)
		}
		if errors.As(err, &op) {
			inner = fmt.Errorf("%s: %w", op.Operation(), inner)
		}
	default:
		return err
	}
	return &failure{text: inner.Error(), err: err}
}

// answer is what the store said.
type answer struct {
	operation     string // such as PutObject
	status        int    // 0: there was no answer
	code, message string // of S3; the code is empty if the answer is not one of S3
	request       string
	header        http.Header
}

func answerOf(err error) (a answer) {
	if op := (*smithy.OperationError)(nil); errors.As(err, &op) {
		a.operation = op.Operation()
	}
	if ofCredentials(err) {
		return a
	}
	if e := (*smithyhttp.ResponseError)(nil); errors.As(err, &e) && e.Response != nil && e.Response.Response != nil {
		a.status, a.header = e.HTTPStatusCode(), e.Response.Header
	}
	if e := (*awshttp.ResponseError)(nil); errors.As(err, &e) {
		a.request = e.ServiceRequestID()
	}
	if e := smithy.APIError(nil); errors.As(err, &e) && a.status != 0 {
		a.code, a.message = e.ErrorCode(), e.ErrorMessage()
		if a.code == "UnknownError" { // the SDK's word for an answer that is not one of S3
			a.code = ""
		}
	}
	if text := http.StatusText(a.status); a.message == text && a.code == strings.ReplaceAll(text, " ", "") {
		a.code, a.message = "", "" // the SDK made them of the status: a gateway's 503 is not S3's ServiceUnavailable
	}
	return a
}

func (a answer) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: ", a.operation)
	if a.code != "" {
		fmt.Fprintf(&s, "%s, ", short(a.code))
	}
	fmt.Fprintf(&s, "HTTP %d", a.status)
	if text := http.StatusText(a.status); text != "" && a.message == "" {
		fmt.Fprintf(&s, " %s", text)
	}
	if a.message != "" && a.message != a.code {
		fmt.Fprintf(&s, ": %s", short(a.message))
	}
	if a.request != "" {
		fmt.Fprintf(&s, " [request %s]", short(a.request))
	}
	return s.String()
}

// short bounds what a store makes us repeat, and keeps it on its line.
func short(s string) string {
	const most = 300
	tail := ""
	if len(s) > most {
		s, tail = strings.ToValidUTF8(s[:most], ""), "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s) + tail
}

// elsewhere reports whether a 404 is not S3's, but that of something before it whose route to the store is gone. Only HEAD
// cannot tell.
func (a answer) elsewhere() bool {
	return a.status == http.StatusNotFound && a.code == "" && a.operation != "HeadObject"
}

// permissions are what operations need.
var permissions = map[string]string{
	"PutObject": "s3:PutObject", "CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
	"GetObject": "s3:GetObject", "HeadObject": "s3:GetObject, and s3:ListBucket to tell a missing object",
	"DeleteObject": "s3:DeleteObject", "ListObjectsV2": "s3:ListBucket",
	"AbortMultipartUpload": "s3:AbortMultipartUpload", "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}

// hint says what to do.
func (a answer) hint() string {
	region := a.header.Get("X-Amz-Bucket-Region")
	switch a.code {
	case "NoSuchBucket":
		return "create the bucket, or mend its name: it is never created from here"
	case "NoSuchUpload":
		return "the store has removed the unfinished upload: MinIO does so after a day, others by a lifecycle rule"
	case "InvalidObjectState":
		return "the object is in an archive class: restore it there first, for some days, then read it"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return "check the access key and its secret, and the region"
	case "RequestTimeTooSkewed":
		return "set the clock of this machine"
	case "ExpiredToken", "InvalidToken":
		return "the session token has ended, or is not one for this store"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "MovedPermanently":
		if region != "" {
			return "the bucket is in region " + short(region) + ": set Region or AWS_REGION"
		}
		return "set the region or the endpoint that the bucket is in"
	}
	switch {
	case a.status == http.StatusForbidden && permissions[a.operation] != "":
		return "the credentials may lack " + permissions[a.operation]
	case a.status == http.StatusPreconditionFailed && a.operation == "GetObject":
		return "the object was replaced while it was read"
	case a.status == http.StatusMovedPermanently || a.status == http.StatusBadRequest && region != "":
		if region != "" {
			return "the bucket is in region " + short(region) + ": set Region or AWS_REGION"
		}
	}
	return ""
}

// refused reports whether err makes it certain that the store did not do what it was asked, and will not.
func refused(err error) bool {
	a := answerOf(err)
	switch a.status {
	case 0:
		return beforeSending(err)
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	if a.code == "NoSuchUpload" || a.code == "RequestTimeout" { // the latter is 400 on S3; it may have been too late to stop
		return false
	}
	return a.status/100 == 4 || a.status/100 == 3 || a.status == http.StatusNotImplemented
}

// beforeSending reports whether err came before the first byte of the request went out.
func beforeSending(err error) bool {
	if e := (*net.OpError)(nil); errors.As(err, &e) && e.Op == "dial" {
		return true
	}
	if e := (*net.DNSError)(nil); errors.As(err, &e) {
		return true
	}
	return ofCredentials(err)
}

// ofCredentials reports whether err is about getting the credentials, from another service perhaps.
func ofCredentials(err error) bool {
	signing, missing := (*v4.SigningError)(nil), (*credentialsError)(nil)
	if errors.As(err, &signing) || errors.As(err, &missing) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if op, ok := err.(*smithy.OperationError); ok && op.Service() != s3.ServiceID {
			return true
		}
	}
	return false
}

// sent reports whether err came from the way to the store, or back.
func sent(err error) bool {
	send, decode := (*smithyhttp.RequestSendError)(nil), (*smithy.DeserializationError)(nil)
	return errors.As(err, &send) || errors.As(err, &decode)
}

// notApplied marks a failed Put as certain to have stored nothing.
func notApplied(err error) error {
	if errors.Is(err, storage.ErrNotApplied) {
		return err
	}
	return fmt.Errorf("%w: %w", storage.ErrNotApplied, classify(err))
}

// ended is why ctx is done, nil if it is not.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}
