package fakes3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Key is what belongs to an access key id.
type Key struct {
	Secret       string
	SessionToken string    // that requests must carry; empty: none
	Expires      time.Time // from then on it is ExpiredToken; zero: never
}

// SetKey adds or replaces a key. From the first on, requests must be signed.
func (s *Server) SetKey(id string, k Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = k
}

const (
	sigAlgorithm = "AWS4-HMAC-SHA256"
	amzTime      = "20060102T150405Z"
	maxSkew      = 15 * time.Minute
	maxExpiry    = 7 * 24 * 60 * 60 // seconds
)

// signature is Signature Version 4 as a request has it, in its header or in its query ("Authenticating requests", API
// reference).
type signature struct {
	id, day, region string
	headers         []string // signed ones, in lower case
	value           string
	date            time.Time
	payload         string
	token           string
	presigned       bool
	expires         time.Duration // of a presigned URL
}

// authenticate verifies the request's signature.
func (c *call) authenticate() error {
	c.s.mu.Lock()
	signed := len(c.s.keys) > 0
	c.s.mu.Unlock()
	if !signed {
		return nil
	}
	sig, err := c.parseSignature()
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	key, known := c.s.keys[sig.id]
	c.s.mu.Unlock()
	now := c.s.now()
	switch {
	case !known || key.SessionToken != "" && sig.token == "":
		return fail("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case !hmac.Equal([]byte(key.SessionToken), []byte(sig.token)):
		return fail("InvalidToken", "The provided token is malformed or otherwise invalid.")
	case !key.Expires.IsZero() && !now.Before(key.Expires):
		return fail("ExpiredToken", "The provided token has expired.")
	}
	if err := c.checkScope(sig, now); err != nil {
		return err
	}
	if want := c.sign(sig, key.Secret); !hmac.Equal([]byte(want), []byte(sig.value)) {
		return fail("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
	}
	return nil
}

// checkScope checks what the signature is for: when, where, and which headers.
func (c *call) checkScope(sig signature, now time.Time) error {
	skew := now.Sub(sig.date)
	switch {
	case sig.presigned && skew < -maxSkew:
		return fail("AccessDenied", "Request is not yet valid")
	case sig.presigned && skew > sig.expires:
		return fail("AccessDenied", "Request has expired")
	case !sig.presigned && skew.Abs() > maxSkew:
		f := fail("RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
		f.RequestTime, f.ServerTime = sig.date.Format(amzTime), now.UTC().Format(time.RFC3339)
		return f
	case sig.day != sig.date.Format(amzTime[:8]):
		return fail("AuthorizationHeaderMalformed", "Invalid credential date %q, it is not that of x-amz-date", sig.day)
	case c.s.Region != "" && sig.region != c.s.Region:
		f := fail("AuthorizationHeaderMalformed", "the region '%s' is wrong; expecting '%s'", sig.region, c.s.Region)
		f.Region = c.s.Region
		return f
	case !slices.Contains(sig.headers, "host"):
		return fail("AccessDenied", "There were headers present in the request which were not signed: host")
	}
	for name := range c.r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(sig.headers, name) {
			return fail("AccessDenied", "There were headers present in the request which were not signed: %s", name)
		}
	}
	return nil
}

// parseSignature finds the signature in header or query.
func (c *call) parseSignature() (signature, error) {
	header := c.r.Header.Get("Authorization")
	switch {
	case c.query.Has("X-Amz-Algorithm") && header != "":
		return signature{}, fail("InvalidArgument", "Only one auth mechanism allowed")
	case c.query.Has("X-Amz-Algorithm"):
		return parseQuery(c.query, c.r.Header)
	case header == "":
		return signature{}, fail("AccessDenied", "Access Denied")
	}
	return parseHeader(header, c.r.Header)
}

func parseHeader(authorization string, h http.Header) (signature, error) {
	rest, ok := strings.CutPrefix(authorization, sigAlgorithm+" ")
	if !ok {
		return signature{}, fail("InvalidRequest", "The authorization mechanism you have provided is not supported. Please use %s.", sigAlgorithm)
	}
	fields := map[string]string{}
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	sig := signature{value: fields["Signature"], payload: h.Get("X-Amz-Content-Sha256"), token: h.Get("X-Amz-Security-Token")}
	date, err := time.Parse(amzTime, h.Get("X-Amz-Date"))
	switch {
	case !sig.scope(fields["Credential"]) || fields["SignedHeaders"] == "" || sig.value == "":
		return signature{}, fail("AuthorizationHeaderMalformed", "The authorization header is malformed")
	case err != nil:
		return signature{}, fail("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
	case sig.payload == "":
		return signature{}, fail("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	}
	sig.date, sig.headers = date, strings.Split(fields["SignedHeaders"], ";")
	return sig, nil
}

func parseQuery(q url.Values, h http.Header) (signature, error) {
	malformed := func(what string) (signature, error) {
		return signature{}, fail("AuthorizationQueryParametersError", "Error parsing the %s parameter", what)
	}
	sig := signature{
		presigned: true, value: q.Get("X-Amz-Signature"), token: q.Get("X-Amz-Security-Token"),
		payload: h.Get("X-Amz-Content-Sha256"), headers: strings.Split(q.Get("X-Amz-SignedHeaders"), ";"),
	}
	if sig.payload == "" {
		sig.payload = unsignedPayload
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || seconds < 0 || seconds > maxExpiry {
		return malformed("X-Amz-Expires")
	}
	sig.expires = time.Duration(seconds) * time.Second
	if sig.date, err = time.Parse(amzTime, q.Get("X-Amz-Date")); err != nil {
		return malformed("X-Amz-Date")
	}
	if q.Get("X-Amz-Algorithm") != sigAlgorithm {
		return malformed("X-Amz-Algorithm")
	}
	if !sig.scope(q.Get("X-Amz-Credential")) {
		return malformed("X-Amz-Credential")
	}
	return sig, nil
}

// scope reads a credential: the key's id, day, region, service and a constant.
func (s *signature) scope(credential string) bool {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[3] != "s3" || parts[4] != "aws4_request" {
		return false
	}
	s.id, s.day, s.region = parts[0], parts[1], parts[2]
	return true
}

// sign computes what the signature must be.
func (c *call) sign(sig signature, secret string) string {
	scope := strings.Join([]string{sig.day, sig.region, "s3", "aws4_request"}, "/")
	canonical := sha256.Sum256([]byte(c.canonical(sig)))
	text := strings.Join([]string{sigAlgorithm, sig.date.Format(amzTime), scope, hex.EncodeToString(canonical[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.day, sig.region, "s3", "aws4_request", text} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}

// canonical is the canonical request.
func (c *call) canonical(sig signature) string {
	var headers strings.Builder
	for _, name := range sig.headers {
		values := slices.Clone(c.r.Header.Values(name))
		switch {
		case name == "host":
			values = []string{c.r.Host}
		case name == "content-length" && len(values) == 0: // net/http may have taken it out
			values = []string{strconv.FormatInt(c.r.ContentLength, 10)}
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.Join(values, ","))
	}
	return strings.Join([]string{
		c.r.Method, encode(c.r.URL.Path, true), canonicalQuery(c.query), headers.String(), strings.Join(sig.headers, ";"), sig.payload,
	}, "\n")
}

// canonicalQuery is the query in order, without the signature.
func canonicalQuery(q url.Values) string {
	var pairs []string
	for name, values := range q {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, v := range values {
			pairs = append(pairs, encode(name, false)+"="+encode(v, false))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// encode is UriEncode of AWS's documentation: every byte but unreserved ones, and of a path the slash.
func encode(s string, path bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case 'A' <= ch && ch <= 'Z', 'a' <= ch && ch <= 'z', '0' <= ch && ch <= '9', strings.IndexByte("-._~", ch) >= 0, path && ch == '/':
			b.WriteByte(ch)
		default:
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}
