package s3fs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/storage"
)

// upload is a multipart upload in progress. One goroutine reads the source; each part on its way has one of its own.
type upload struct {
	*putting
	ctx    context.Context // ends with the first error
	cancel context.CancelCauseFunc
	id     string
	slots  chan struct{} // of parts on their way
	free   chan []byte
	bought int // buffers so far
	wg     sync.WaitGroup
	cut    atomic.Bool // a part was cut off, which the store may not have noticed yet

	mu    sync.Mutex
	parts []types.CompletedPart
	sums  []byte // SHA-256 of the parts, one after the other
	size  int64
}

// upload stores a stream of more than one part, of which first was read.
func (p *putting) upload(ctx context.Context, src *source, first []byte) (storage.Object, error) {
	u := &upload{putting: p, slots: make(chan struct{}, p.v.o.Concurrency), free: make(chan []byte, p.v.o.Concurrency+2)}
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	defer u.cancel(nil)
	src.ctx = u.ctx
	if err := u.create(); err != nil {
		return storage.Object{}, notApplied(err)
	}
	err := u.sendAll(src, first)
	if err != nil {
		u.cancel(err)
	}
	u.wg.Wait() // every attempt has ended, so none can meet what follows
	if cause := ended(u.ctx); cause != nil {
		err = cause
	}
	u.recycleFree()
	if err != nil {
		return storage.Object{}, notApplied(u.abort(ctx, err))
	}
	return u.complete(ctx)
}

func (u *upload) create() error {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &u.v.bucket, Key: u.v.key(u.name), ContentType: aws.String(contentType), Metadata: u.metadata(),
	}
	u.v.o.fill(u.name, attributes{&in.StorageClass, &in.ServerSideEncryption, &in.SSEKMSKeyId, &in.ObjectLockMode, &in.ObjectLockRetainUntilDate, &in.Tagging}, time.Now())
	if u.v.o.Checksum == ChecksumSHA256 {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite
	}
	return u.v.request(u.ctx, func(ctx context.Context) error {
		out, err := u.v.c.s3.CreateMultipartUpload(ctx, in)
		if err != nil {
			return err
		}
		if u.id = aws.ToString(out.UploadId); u.id == "" {
			return fmt.Errorf("%w: the answer to CreateMultipartUpload lacks the upload's id", errAnswer)
		}
		return nil
	})
}

// sendAll reads the source to its end. All parts but the last have one size, because R2 wants that.
func (u *upload) sendAll(src *source, first []byte) error {
	part := first
	for number := 1; ; number++ {
		more, err := src.more()
		if err != nil {
			return err
		}
		late := number == 1 && u.headSize > 0
		if !late {
			if err := u.send(number, part); err != nil {
				return err
			}
		}
		if !more {
			break
		}
		if number == u.v.o.MaxParts {
			return fmt.Errorf("%w: more than %d parts of %d bytes", storage.ErrTooLarge, u.v.o.MaxParts, u.v.o.PartSize)
		}
		if part, err = u.take(); err != nil {
			return err
		}
		n, err := src.fill(part)
		if err != nil {
			u.free <- part
			return err
		}
		part = part[:n]
	}
	if u.headSize == 0 {
		return nil
	}
	u.wg.Wait()
	u.recycleFree() // the head may come long after, when further segments need the memory
	if err := u.fillHead(u.ctx, first); err != nil {
		return err
	}
	return u.send(1, first)
}

// take returns a free buffer. There are as many as parts on their way, and one; and one for the part with the late head.
func (u *upload) take() ([]byte, error) {
	select {
	case b := <-u.free:
		return b, nil
	default:
	}
	most := u.v.o.Concurrency
	if u.headSize > 0 {
		most++
	}
	if u.bought < most { // beside the first part
		u.bought++
		return u.v.buffer(u.v.o.PartSize), nil
	}
	select {
	case b := <-u.free:
		return b, nil
	case <-u.ctx.Done():
		return nil, context.Cause(u.ctx)
	}
}

// recycleFree gives the free buffers back to the volume.
func (u *upload) recycleFree() {
	for {
		select {
		case b := <-u.free:
			u.v.recycle(b)
		default:
			return
		}
	}
}

// send uploads a part beside others, and gives its buffer back.
func (u *upload) send(number int, data []byte) error {
	select {
	case u.slots <- struct{}{}:
	case <-u.ctx.Done():
		u.free <- data[:cap(data)]
		return context.Cause(u.ctx)
	}
	u.wg.Go(func() {
		defer func() {
			<-u.slots
			u.free <- data[:cap(data)]
		}()
		if err := u.part(number, data); err != nil {
			if ended(u.ctx) != nil {
				u.cut.Store(true)
			}
			u.cancel(fmt.Errorf("part %d: %w", number, err))
		}
	})
	return nil
}

func (u *upload) part(number int, data []byte) error {
	sum := payloadOf(data)
	in := &s3.UploadPartInput{
		Bucket: &u.v.bucket, Key: u.v.key(u.name), UploadId: &u.id, PartNumber: aws.Int32(int32(number)),
		ContentLength: aws.Int64(int64(len(data))), ContentMD5: &sum.md5,
	}
	done := types.CompletedPart{PartNumber: in.PartNumber}
	if u.v.o.Checksum == ChecksumSHA256 {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum.sha256[:]))
		done.ChecksumSHA256 = in.ChecksumSHA256
	}
	err := u.v.request(u.ctx, func(ctx context.Context) error {
		in.Body = bytes.NewReader(data)
		out, err := u.v.c.s3.UploadPart(sum.signing(ctx), in)
		if err != nil {
			return err
		}
		if done.ETag = out.ETag; unquote(out.ETag) == "" {
			return fmt.Errorf("%w: the answer to UploadPart lacks the ETag", errAnswer)
		}
		return nil
	})
	if err != nil {
		return err
	}
	u.add(number, done, sum.sha256[:], len(data))
	return nil
}

func (u *upload) add(number int, done types.CompletedPart, sum []byte, size int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.parts) < number {
		u.parts = append(u.parts, types.CompletedPart{})
		u.sums = append(u.sums, make([]byte, sha256.Size)...)
	}
	u.parts[number-1] = done
	copy(u.sums[(number-1)*sha256.Size:], sum)
	u.size += int64(size)
}

// abort removes the parts, also when ctx has ended, and returns why the upload failed. It is never called once
// Complete may have been carried out: some stores then destroy the object.
func (u *upload) abort(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	err := u.abortOnce(ctx)
	if err == nil && u.cut.Load() { // a part that the store was still writing brings the upload back
		if err = pause(ctx, firstPause); err == nil {
			err = u.abortOnce(ctx)
		}
	}
	if err == nil {
		return cause
	}
	return &leftParts{cause, err}
}

func (u *upload) abortOnce(ctx context.Context) error {
	err := u.v.request(ctx, func(ctx context.Context) error {
		_, err := u.v.c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.v.bucket, Key: u.v.key(u.name), UploadId: &u.id})
		return err
	})
	if answerOf(err).code == "NoSuchUpload" {
		return nil
	}
	return err
}

// abortTime bounds what goes on after a Put has failed.
const abortTime = 30 * time.Second

// leftParts is a failure after which parts stay that nobody sees and somebody pays for.
type leftParts struct {
	error
	abort error
}

func (e *leftParts) Error() string {
	return fmt.Sprintf("%v; and the parts that it left could not be removed, which Sweep or a lifecycle rule "+
		"(AbortIncompleteMultipartUpload) does later: %v", e.error, e.abort)
}

func (e *leftParts) Unwrap() error { return e.error }
