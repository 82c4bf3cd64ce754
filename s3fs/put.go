package s3fs

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/databasement/backup/storage"
)

// Put implements storage.Volume: one request for what fits into a part, else a multipart upload. An error satisfies
// storage.ErrNotApplied unless the request that makes the object appear was sent and may have been, or still be, carried out.
func (v *Volume) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	return v.put(ctx, name, r, 0, nil)
}

// PutHead implements storage.HeadPutter: the part with the late head is uploaded last.
func (v *Volume) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (storage.Object, error) {
	if size < 1 || size > storage.MaxHead {
		return storage.Object{}, v.error("put", name, notApplied(fmt.Errorf("a late head of %d bytes, not of 1 to %d", size, storage.MaxHead)))
	}
	return v.put(ctx, name, r, size, head)
}

// putting is one Put.
type putting struct {
	v        *Volume
	name     string
	token    string // which only this Put gives to the object
	headSize int
	head     func() ([]byte, error)
}

func (v *Volume) put(ctx context.Context, name string, r io.Reader, headSize int, head func() ([]byte, error)) (storage.Object, error) {
	if err := v.check("put", name); err != nil {
		return storage.Object{}, v.error("put", name, notApplied(err))
	}
	p := &putting{v, name, newToken(), headSize, head}
	o, err := p.run(ctx, &source{ctx: ctx, r: r})
	return o, v.error("put", name, err)
}

func (p *putting) run(ctx context.Context, src *source) (storage.Object, error) {
	part, err := src.first(p.v)
	if err != nil {
		return storage.Object{}, notApplied(err)
	}
	more, err := src.more()
	if err != nil {
		return storage.Object{}, notApplied(err)
	}
	if more {
		return p.upload(ctx, src, part) // which owns part from now on
	}
	defer p.v.recycle(part)
	if err := p.fillHead(ctx, part); err != nil {
		return storage.Object{}, notApplied(err)
	}
	return p.whole(ctx, part, nil)
}

// fillHead replaces the placeholders, which all are in the first part.
func (p *putting) fillHead(ctx context.Context, part []byte) error {
	if p.headSize == 0 {
		return nil
	}
	if len(part) < p.headSize {
		return fmt.Errorf("the stream of %d bytes is shorter than its late head of %d: %w", len(part), p.headSize, io.ErrUnexpectedEOF)
	}
	if cause := ended(ctx); cause != nil { // head may take long
		return cause
	}
	head, err := p.head()
	if err != nil {
		return err
	}
	if len(head) != p.headSize {
		return fmt.Errorf("the late head has %d bytes, not %d", len(head), p.headSize)
	}
	copy(part, head)
	return ended(ctx)
}

// whole stores data in one request. ifNoneMatch is for PutIfAbsent.
func (p *putting) whole(ctx context.Context, data []byte, ifNoneMatch *string) (storage.Object, error) {
	in, sum := p.object(data), payloadOf(data)
	in.IfNoneMatch, in.ContentMD5 = ifNoneMatch, &sum.md5
	if p.v.o.Checksum == ChecksumSHA256 {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum.sha256[:]))
	}
	o := storage.Object{Name: p.name, Size: int64(len(data))}
	certain, err := p.v.attempts(ctx, func(ctx context.Context) error {
		in.Body = bytes.NewReader(data)
		out, err := p.v.c.s3.PutObject(sum.signing(ctx), in)
		if err != nil {
			return err
		}
		if o.ETag = unquote(out.ETag); o.ETag == "" {
			return fmt.Errorf("%w: the answer to PutObject lacks the ETag", errAnswer)
		}
		o.ModTime = p.serverTime(out.ResultMetadata)
		return nil
	})
	switch {
	case err == nil:
		return o, nil
	case certain:
		return storage.Object{}, notApplied(err)
	case ended(ctx) != nil:
		return storage.Object{}, err
	}
	h, ours, unknown := p.look(ctx)
	if ours && h.Size == o.Size {
		return h.Object, nil
	}
	if unknown != nil {
		err = fmt.Errorf("%w; whether it was stored is not known: %w", err, unknown)
	}
	return storage.Object{}, err
}

func (p *putting) object(data []byte) *s3.PutObjectInput {
	in := &s3.PutObjectInput{
		Bucket: &p.v.bucket, Key: p.v.key(p.name), ContentLength: aws.Int64(int64(len(data))),
		ContentType: aws.String(contentType), Metadata: p.metadata(),
	}
	p.v.o.fill(p.name, attributes{&in.StorageClass, &in.ServerSideEncryption, &in.SSEKMSKeyId, &in.ObjectLockMode, &in.ObjectLockRetainUntilDate, &in.Tagging}, time.Now())
	return in
}

const contentType = "application/octet-stream"

func (p *putting) metadata() map[string]string { return map[string]string{tokenKey: p.token} }

// serverTime is when the store answered, by its clock.
func (p *putting) serverTime(m middleware.Metadata) time.Time {
	if t, ok := awsmiddleware.GetServerTime(m); ok {
		return t
	}
	return time.Now()
}

// look asks what is there, and whether this Put sent it. An error is that the store did not say; that nothing is there is none.
func (p *putting) look(ctx context.Context) (h head, ours bool, err error) {
	h, err = p.v.head(ctx, p.name)
	if errors.Is(err, storage.ErrNotExist) {
		return head{}, false, nil
	}
	return h, err == nil && h.token == p.token, err
}

// source is the stream of a Put.
type source struct {
	ctx    context.Context
	r      io.Reader
	ahead  [1]byte // read by more
	peeked bool
	ended  bool
}

// first reads the first part, or all of a shorter stream. Most objects are small, and do not need a part's buffer.
func (s *source) first(v *Volume) (part []byte, err error) {
	n := 0
	for _, size := range []int64{64 << 10, 1 << 20, v.o.PartSize} {
		next := v.buffer(size)
		n = copy(next, part[:n])
		k, err := s.fill(next[n:])
		n += k
		part = next
		if err != nil || n < len(part) {
			return part[:n], err
		}
		if int64(n) == v.o.PartSize {
			break
		}
	}
	return part, nil
}

// fill reads until p is full or the stream has ended.
func (s *source) fill(p []byte) (n int, err error) {
	if s.peeked && len(p) > 0 {
		p[0] = s.ahead[0]
		s.peeked, n = false, 1
	}
	for n < len(p) && !s.ended {
		k, err := s.read(p[n:])
		n += k
		if err == io.EOF {
			s.ended = true
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// more reports whether the stream goes on. A part is sent only then, or when the end is known.
func (s *source) more() (bool, error) {
	if s.peeked {
		return true, nil
	}
	n, err := s.fill(s.ahead[:])
	s.peeked = n == 1
	return s.peeked, err
}

// read is one Read: of all errors, only io.EOF itself is the end.
func (s *source) read(p []byte) (int, error) {
	if cause := ended(s.ctx); cause != nil {
		return 0, cause
	}
	n, err := s.r.Read(p)
	if n < 0 || n > len(p) {
		return 0, errors.New("a Reader returned an impossible count")
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("reading the source: %w", err)
	}
	return n, err
}

// buffer is size bytes of memory, at most a part's. A part's is to be given back with recycle.
func (v *Volume) buffer(size int64) []byte {
	if size < v.o.PartSize {
		return make([]byte, size)
	}
	return *v.buffers.Get().(*[]byte)
}

func (v *Volume) recycle(b []byte) {
	if int64(cap(b)) == v.o.PartSize {
		b = b[:cap(b)]
		v.buffers.Put(&b)
	}
}
