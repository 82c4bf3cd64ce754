package s3fs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/databasement/backup/internal/retry"
)

const (
	firstPause  = 100 * time.Millisecond // doubled for each attempt, up to Options.MaxPause
	mostAsked   = 2 * time.Minute        // the longest pause that a store may ask for
	unreached   = 8                      // attempts, over some ten seconds, to reach a store that has never answered: the endpoint may be wrong
	unexplained = 2                      // attempts after which a HEAD that is refused without a reason is refused
)

// request calls f, which makes one request, until it succeeds, fails in a way that no repetition mends, or has failed
// Options.MaxAttempts times. The SDK's own retries are off: they leave out 429, give up when their quota is
// used up, and repeat what must not be repeated.
func (v *Volume) request(ctx context.Context, f func(context.Context) error) error {
	_, err := v.attempts(ctx, f)
	return err
}

// attempts is request, and its errors are classified. certain says that no attempt can have changed anything, now or later.
func (v *Volume) attempts(ctx context.Context, f func(context.Context) error) (certain bool, err error) {
	certain = true
	for n := 1; ; n++ {
		if cause := ended(ctx); cause != nil {
			return certain, first(err, cause)
		}
		err = f(ctx)
		if err == nil {
			v.reached.Store(true)
			return false, nil
		}
		certain = certain && refused(err)
		if cause := ended(ctx); cause != nil {
			return certain, cause
		}
		if err = v.again(ctx, n, err); err != nil {
			return certain, err
		}
	}
}

// again pauses before attempt n+1. It returns err, or ctx's, if there must not be one.
func (v *Volume) again(ctx context.Context, n int, err error) error {
	a := answerOf(err)
	if a.status != 0 {
		v.reached.Store(true)
	}
	noReason := a.operation == "HeadObject" && a.status == http.StatusBadRequest // a HEAD has no body: it may be the token
	if !mends(a, err) && !(noReason && n <= unexplained) && !(v.reached.Load() && unresolved(err)) {
		return classify(err)
	}
	if n >= v.o.MaxAttempts || n >= unreached && !v.reached.Load() {
		return &exhausted{n, classify(err)}
	}
	if v.o.OnRetry != nil {
		v.o.OnRetry(a.operation, n, classify(err))
	}
	if expired(a.code) || noReason {
		v.c.invalidate()
	}
	return v.backOff(ctx, n, a.header)
}

// backOff is the pause after n failures.
func (v *Volume) backOff(ctx context.Context, n int, h http.Header) error {
	d := min(firstPause<<min(n-1, 20), v.o.MaxPause)
	d = d/2 + rand.N(d/2+1)
	return pause(ctx, max(d, retryAfter(h)))
}

// exhausted is a failure that was repeated often enough: nobody above is to repeat it.
type exhausted struct {
	attempts int
	error
}

func (e *exhausted) Error() string        { return fmt.Sprintf("%v (after %d attempts)", e.error, e.attempts) }
func (e *exhausted) Unwrap() error        { return e.error }
func (e *exhausted) Is(target error) bool { return target == retry.ErrExhausted }

// first keeps the cause of what happened before ctx ended, if there is one.
func first(err, cause error) error {
	if err == nil {
		return cause
	}
	return fmt.Errorf("%w (after %v)", cause, classify(err))
}

func expired(code string) bool {
	return slices.Contains([]string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}, code)
}

// mends reports whether another attempt may end otherwise.
func mends(a answer, err error) bool {
	switch a.status {
	case 0:
		return mendsUnanswered(err)
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	switch a.code {
	case "RequestTimeout", "RequestTimeTooSkewed", "SlowDown", "InternalError", "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch",
		"XAmzContentChecksumMismatch", "IncompleteBody", "ConditionalRequestConflict", "OperationAborted", "TooManyRequests":
		return true
	}
	return expired(a.code) || a.status/100 == 5 && a.status != http.StatusNotImplemented || a.status/100 == 2 || a.elsewhere()
}

// unresolved reports whether err is that the store's name is not known, as happens for a moment while a cluster's DNS changes.
func unresolved(err error) bool {
	e := (*net.DNSError)(nil)
	return errors.As(err, &e)
}

// mendsUnanswered is about requests without an answer of S3: connections break, names and certificates stay wrong.
func mendsUnanswered(err error) bool {
	if errors.Is(err, errAnswer) || errors.Is(err, errStalled) {
		return true
	}
	if errors.Is(err, http.ErrSchemeMismatch) { // https where the store speaks http
		return false
	}
	for _, final := range []any{new(*x509.UnknownAuthorityError), new(x509.UnknownAuthorityError), new(x509.HostnameError),
		new(x509.CertificateInvalidError), new(*net.AddrError), new(*net.ParseError)} {
		if errors.As(err, final) {
			return false
		}
	}
	if e := (*net.DNSError)(nil); errors.As(err, &e) {
		return !e.IsNotFound
	}
	return sent(err)
}

// retryAfter is how long the store asks to wait, in seconds or until a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var d time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(max(seconds, 0), int(mostAsked/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = time.Until(at)
	}
	return min(max(d, 0), mostAsked)
}
