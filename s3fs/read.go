package s3fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/databasement/backup/storage"
)

// rangeSize is the most that one request reads, in bytes: a long one dies of a slow reader.
const rangeSize = 8 << 20

// Open implements storage.Volume. It reads ranges of at most 8 MiB, each resumed where it broke, and all of the same object: one
// that is replaced meanwhile is an error. A read of more than one range has three more on their way.
func (v *Volume) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := v.check("open", name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, v.error("open", name, fmt.Errorf("offset %d: %w", off, storage.ErrInvalidRange))
	}
	body, err := v.reader(ctx, name, off, n)
	if err != nil {
		return nil, v.error("open", name, err)
	}
	return body, nil
}

func (v *Volume) reader(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if 0 <= n && n <= rangeSize {
		return v.open(ctx, name, off, n)
	}
	ctx, cancel := context.WithCancel(ctx)
	first, err := v.open(ctx, name, off, n)
	if err != nil {
		cancel()
		return nil, err
	}
	return newAhead(first, n, cancel), nil
}

// open returns the first range.
func (v *Volume) open(ctx context.Context, name string, off, n int64) (*section, error) {
	s := &section{v: v, ctx: ctx, name: name, off: off}
	if n == 0 || off > math.MaxInt64-rangeSize {
		return s, s.clip()
	}
	if n < 0 || n > rangeSize {
		n = rangeSize
	}
	s.end = off + n
	err := s.request()
	if !errors.Is(err, storage.ErrInvalidRange) {
		return s, err
	}
	if err := s.clip(); err != nil || s.off == s.size { // there is nothing from off on
		return s, err
	}
	return s, fmt.Errorf("the store has %d bytes, and says that there are none from %d on: %v", s.size, s.off, err)
}

// section reads [off, end) of an object, in as many requests as that takes.
type section struct {
	v    *Volume
	ctx  context.Context
	name string
	off  int64  // of the next byte
	end  int64  // known to be within the object after the first answer
	size int64  // of the object, after the first answer
	etag string // of all answers after the first
	body io.ReadCloser
	gaps int // requests that broke since the last byte
	err  error
}

// clip is for a section without bytes: is off within the object?
func (s *section) clip() error {
	h, err := s.v.head(s.ctx, s.name)
	if err == nil && s.off > h.Size {
		err = fmt.Errorf("offset %d of %d bytes: %w", s.off, h.Size, storage.ErrInvalidRange)
	}
	s.end, s.size, s.etag = s.off, h.Size, h.ETag
	return err
}

// request asks for what is missing.
func (s *section) request() error {
	return s.v.request(s.ctx, s.requestOnce)
}

func (s *section) requestOnce(ctx context.Context) error {
	in := &s3.GetObjectInput{Bucket: &s.v.bucket, Key: s.v.key(s.name), Range: aws.String(fmt.Sprintf("bytes=%d-%d", s.off, s.end-1))}
	if s.etag != "" {
		in.IfMatch = aws.String(`"` + s.etag + `"`)
	}
	out, err := s.v.c.s3.GetObject(ctx, in)
	if err != nil {
		return err
	}
	if err := s.accept(out); err != nil {
		out.Body.Close()
		return err
	}
	s.body = out.Body
	return nil
}

// accept holds an answer to what was asked for. A store that ignores the range would give other bytes than meant.
func (s *section) accept(out *s3.GetObjectOutput) error {
	if status := statusOf(out.ResultMetadata); status != http.StatusPartialContent {
		return fmt.Errorf("the answer to GetObject has status %d, not 206: the store, or something before it, ignores Range", status)
	}
	var from, to, size int64
	got := aws.ToString(out.ContentRange)
	if _, err := fmt.Sscanf(got+"\n", "bytes %d-%d/%d\n", &from, &to, &size); err != nil {
		return fmt.Errorf("%w: Content-Range %q", errAnswer, short(got))
	}
	if from != s.off || to+1 != min(s.end, size) || s.size > 0 && size != s.size {
		return fmt.Errorf("%w: bytes %d to %d were asked for, and Content-Range is %q", errAnswer, s.off, s.end-1, short(got))
	}
	if n := out.ContentLength; n != nil && *n >= 0 && *n != to+1-from {
		return fmt.Errorf("%w: Content-Length %d with Content-Range %q", errAnswer, *n, short(got))
	}
	etag := strings.TrimPrefix(unquote(out.ETag), `W/"`)
	if s.etag != "" && etag != s.etag { // not every store knows If-Match
		return errors.New("the object was replaced while it was read")
	}
	s.end, s.size, s.etag = to+1, size, etag
	return nil
}

func statusOf(m middleware.Metadata) int {
	if r, ok := awsmiddleware.GetRawResponse(m).(*smithyhttp.Response); ok {
		return r.StatusCode
	}
	return 0
}

func (s *section) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.read(p)
	if err != nil {
		s.err = err
		if err != io.EOF {
			s.err = s.v.error("read", s.name, err)
		}
	}
	return n, s.err
}

func (s *section) read(p []byte) (int, error) {
	for {
		if cause := ended(s.ctx); cause != nil {
			return 0, cause
		}
		if s.off == s.end {
			return 0, s.finish()
		}
		if len(p) == 0 {
			return 0, nil
		}
		if s.body == nil {
			if err := s.request(); err != nil {
				return 0, err
			}
		}
		n, err := s.body.Read(p[:min(int64(len(p)), s.end-s.off)])
		if n > 0 {
			s.off += int64(n)
			s.gaps = 0
			return n, nil // an error comes again
		}
		if err != nil {
			if err := s.resume(err); err != nil {
				return 0, err
			}
		}
	}
}

// finish is at the end: an answer that goes on is not what was asked for.
func (s *section) finish() error {
	if s.body == nil {
		return io.EOF
	}
	var extra [1]byte
	if n, _ := io.ReadFull(s.body, extra[:]); n > 0 { // reading to the end also lets the connection be used again
		return fmt.Errorf("%w: more bytes came than the %d-byte object has in this range", errAnswer, s.size)
	}
	s.drop()
	return io.EOF
}

// resume prepares for asking again for what is missing.
func (s *section) resume(broken error) error {
	s.drop()
	if broken == io.EOF {
		broken = io.ErrUnexpectedEOF
	}
	if cause := ended(s.ctx); cause != nil {
		return cause
	}
	s.gaps++
	if s.gaps >= s.v.o.MaxAttempts {
		return &exhausted{s.gaps, fmt.Errorf("the answer ended before byte %d of %d: %w", s.off, s.size, broken)}
	}
	return s.v.backOff(s.ctx, s.gaps, nil)
}

func (s *section) drop() {
	if s.body != nil {
		s.body.Close()
		s.body = nil
	}
}

func (s *section) Close() error {
	s.drop()
	if s.err == nil {
		s.err = s.v.error("read", s.name, errors.New("read after Close"))
	}
	return nil
}
