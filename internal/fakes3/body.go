package fakes3

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Values of x-amz-content-sha256 that are not a digest.
const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	unsignedTrailer  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingPayload = "STREAMING-"
)

// receive reads the body into memory and verifies all that is declared of it.
func (c *call) receive() error {
	sha := c.r.Header.Get("X-Amz-Content-Sha256")
	streaming := strings.HasPrefix(sha, streamingPayload) || strings.Contains(c.r.Header.Get("Content-Encoding"), "aws-chunked")
	switch {
	case c.r.Method == http.MethodPut && c.r.ContentLength < 0:
		return fail("MissingContentLength", "You must provide the Content-Length HTTP header.")
	case c.r.ContentLength > c.op.limit:
		return fail("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	case streaming && (c.s.RefuseTrailers || sha != unsignedTrailer):
		return fail("NotImplemented", "A header you provided implies functionality that is not implemented: %s", sha)
	}
	if err := c.read(); err != nil {
		return err
	}
	declaring := c.r.Header
	if streaming {
		trailer, err := c.unchunk()
		if err != nil {
			return err
		}
		declaring = trailer
	} else if err := verifySHA256(sha, c.body); err != nil {
		return err
	}
	if err := verifyMD5(c.r.Header.Get("Content-Md5"), c.body); err != nil {
		return err
	}
	var err error
	if c.sum, err = declared(declaring); err != nil {
		return err
	}
	data := c.op.name == "PutObject" || c.op.name == "UploadPart"
	if c.s.ObjectLock && data && c.r.Header.Get("Content-Md5") == "" && c.sum.algorithm == "" {
		return fail("InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required with Object Lock")
	}
	if !data { // of Complete, the header is about the object
		return nil
	}
	return c.sum.verify(c.body)
}

// read reads the body. What the client does not finish is not applied.
func (c *call) read() error {
	var b bytes.Buffer
	b.Grow(int(min(max(c.r.ContentLength, 0), 64<<20)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(&flow{c: c, at: Receiving, from: c.r.Body}, c.op.limit+1))
	if f := (*failure)(nil); errors.As(err, &f) {
		return err
	}
	if err != nil {
		return errDropped
	}
	if int64(b.Len()) > c.op.limit {
		return fail("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	c.body = b.Bytes()
	if c.fault.Damage {
		c.body = damage(c.body)
	}
	return nil
}

func verifySHA256(want string, data []byte) error {
	if want == "" || want == unsignedPayload {
		return nil
	}
	sum, err := hex.DecodeString(want)
	if err != nil || len(sum) != sha256.Size {
		return fail("InvalidArgument", "x-amz-content-sha256 must be %s, %s, or a valid sha256 value.", unsignedPayload, unsignedTrailer)
	}
	if got := sha256.Sum256(data); !bytes.Equal(got[:], sum) {
		return fail("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return nil
}

func verifyMD5(want string, data []byte) error {
	if want == "" {
		return nil
	}
	sum, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(sum) != md5.Size {
		return fail("InvalidDigest", "The Content-MD5 you specified is not valid.")
	}
	if got := md5.Sum(data); !bytes.Equal(got[:], sum) {
		return fail("BadDigest", "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}

// unchunk takes aws-chunked encoding off the body and returns its trailer ("Signature calculations for the
// Authorization header: including trailing headers", API reference): each chunk has its length in hex, and the
// last, empty one is followed by header lines.
func (c *call) unchunk() (http.Header, error) {
	incomplete := fail("IncompleteBody", "The request body terminated unexpectedly")
	var data bytes.Buffer
	in := bufio.NewReader(bytes.NewReader(c.body))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, incomplete
		}
		n, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil || n < 0 {
			return nil, fail("InvalidRequest", "a chunk's length is malformed")
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&data, in, n); err != nil {
			return nil, incomplete
		}
		if end, err := in.ReadString('\n'); err != nil || end != "\r\n" {
			return nil, incomplete
		}
	}
	if want := c.r.Header.Get("X-Amz-Decoded-Content-Length"); want != fmt.Sprint(data.Len()) {
		return nil, fail("MissingContentLength", "x-amz-decoded-content-length is %q, the body has %d bytes", want, data.Len())
	}
	c.body = data.Bytes()
	return c.trailer(in)
}

// trailer reads the header lines after the last chunk. All that the request announced must be there.
func (c *call) trailer(in *bufio.Reader) (http.Header, error) {
	trailer := http.Header{}
	for {
		line, err := in.ReadString('\n')
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			trailer.Set(name, strings.TrimSpace(value))
		}
		if err != nil || !ok {
			break
		}
	}
	for name := range strings.SplitSeq(c.r.Header.Get("X-Amz-Trailer"), ",") {
		if name = strings.TrimSpace(name); name != "" && trailer.Get(name) == "" {
			return nil, fail("MalformedTrailerError", "The request contained trailing data that was not well-formed")
		}
	}
	return trailer, nil
}
