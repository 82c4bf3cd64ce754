package s3fs

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/storage"
)

// complete makes the object appear. As long as no Complete can have been carried out, its failure is that of the upload.
func (u *upload) complete(ctx context.Context) (storage.Object, error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &u.v.bucket, Key: u.v.key(u.name), UploadId: &u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	}
	certain := true
	for n := 1; ; n++ {
		if cause := ended(ctx); cause != nil {
			return u.failed(ctx, certain, cause)
		}
		out, err := u.v.c.s3.CompleteMultipartUpload(ctx, in)
		if err == nil && unquote(out.ETag) != "" {
			return u.confirm(ctx, storage.Object{Name: u.name, Size: u.size, ETag: unquote(out.ETag), ModTime: u.serverTime(out.ResultMetadata)})
		}
		if err == nil {
			err = fmt.Errorf("%w: the answer to CompleteMultipartUpload lacks the ETag", errAnswer)
		}
		certain = certain && refused(err)
		if cause := ended(ctx); cause != nil {
			return u.failed(ctx, certain, cause)
		}
		if certain {
			if err := u.v.again(ctx, n, err); err != nil {
				return u.failed(ctx, certain, err)
			}
			continue
		}
		o, err := u.settle(ctx, n, err)
		if !errors.Is(err, errRepeat) {
			return o, err
		}
	}
}

// failed removes the parts if it is certain that no Complete was carried out, and will be.
func (u *upload) failed(ctx context.Context, certain bool, err error) (storage.Object, error) {
	if certain {
		err = notApplied(u.abort(ctx, err))
	}
	return storage.Object{}, err
}

// errRepeat is that Complete is to be sent again.
var errRepeat = errors.New("send it again")

// settleTime is how long a store that said that Complete has failed may take to carry it out all the same, before it is sent again.
const settleTime = 2 * time.Second

// settle finds out what became of a Complete without a clear answer. HEAD decides, because a second Complete harms the
// object on some stores: it is sent only if the store said itself that it had failed, and if the object is still clearly not
// there some time after that.
func (u *upload) settle(ctx context.Context, n int, unclear error) (storage.Object, error) {
	for ; ; n++ {
		h, ours, err := u.look(ctx)
		if ours {
			return u.accept(h)
		}
		if err == nil {
			err = u.v.again(ctx, n, unclear)
		}
		if err != nil {
			return storage.Object{}, fmt.Errorf("it is not known whether the store has completed the upload, and may do so later: %w", err)
		}
		if !failedForSure(unclear) {
			continue
		}
		if err := pause(ctx, settleTime); err != nil {
			return storage.Object{}, err
		}
		if h, ours, err = u.look(ctx); ours {
			return u.accept(h)
		}
		if err == nil {
			return storage.Object{}, errRepeat
		}
		return storage.Object{}, fmt.Errorf("the store said that it had failed to complete the upload, and what it has now is not known: %w", err)
	}
}

// failedForSure reports whether S3 itself said that it failed, rather than something between, or nothing.
func failedForSure(err error) bool {
	a := answerOf(err)
	switch a.code {
	case "SlowDown", "InternalError", "ServiceUnavailable", "ConditionalRequestConflict", "OperationAborted", "RequestTimeout":
		return true
	}
	return a.status == http.StatusTooManyRequests
}

// confirmations is how often an object is looked for that must be there.
const confirmations = 5

// confirm looks at an object that the store says it has.
func (u *upload) confirm(ctx context.Context, o storage.Object) (storage.Object, error) {
	h, err := u.v.head(ctx, u.name)
	for n := 1; n < confirmations && errors.Is(err, storage.ErrNotExist); n++ { // not every store shows at once what it has
		if err := u.v.backOff(ctx, n, nil); err != nil {
			return storage.Object{}, err
		}
		h, err = u.v.head(ctx, u.name)
	}
	if errors.Is(err, storage.ErrPermission) {
		return o, nil // who may not look believes the ETag
	}
	if err != nil {
		return storage.Object{}, fmt.Errorf("the store says that the upload is complete, but looking at it failed: %w", err)
	}
	if h.token != u.token && (h.token != "" || h.ETag != o.ETag) { // a store that keeps no metadata has the ETag
		return storage.Object{}, errors.New("the store says that the upload is complete, but has another object of that name")
	}
	return u.accept(h)
}

// accept compares what is there with what was sent.
func (u *upload) accept(h head) (storage.Object, error) {
	if h.Size != u.size {
		return storage.Object{}, fmt.Errorf("%d bytes were sent, and the store has %d", u.size, h.Size)
	}
	if u.v.o.Checksum == ChecksumSHA256 && h.sha256 != u.composite() {
		return storage.Object{}, fmt.Errorf("the store's checksum is %q, and %q is that of what was sent", h.sha256, u.composite())
	}
	return h.Object, nil
}

// composite is S3's checksum of an object in parts: the SHA-256 of those of the parts, and how many there are.
func (u *upload) composite() string {
	sum := sha256.Sum256(u.sums)
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(sum[:]), len(u.parts))
}
