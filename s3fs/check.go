package s3fs

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/databasement/backup/storage"
)

// Check implements storage.Checker: uploads in parts, what happens to what they leave, versions, conditional
// requests and the store's encryption.
func (v *Volume) Check(ctx context.Context) []storage.CheckItem {
	return []storage.CheckItem{
		v.checkVersions(ctx),
		v.checkUpload(ctx),
		v.checkSweep(ctx),
		v.checkConditional(ctx),
	}
}

// checkVersions looks at the answer to a Put of its own: asking for the bucket's settings takes a fifth permission.
func (v *Volume) checkVersions(ctx context.Context) storage.CheckItem {
	item := storage.CheckItem{Name: "versions and encryption of the bucket"}
	p := &putting{v: v, name: probeDir + newToken(), token: newToken()}
	var out *s3.PutObjectOutput
	in, sum := p.object(nil), payloadOf(nil)
	in.ContentMD5 = &sum.md5
	item.Err = v.request(ctx, func(ctx context.Context) (err error) {
		out, err = v.c.s3.PutObject(sum.signing(ctx), in)
		return err
	})
	if item.Err != nil {
		return item
	}
	item.Note = "no versions: what is deleted is gone"
	if version := aws.ToString(out.VersionId); version != "" && version != "null" {
		item.Note = "versions are kept: what is deleted stays, and is paid for, until a lifecycle rule for noncurrent versions removes it"
	}
	encryption := string(out.ServerSideEncryption)
	if encryption == "" {
		encryption = "none that the store tells"
	}
	item.Note += "; the store's own encryption: " + encryption
	if item.Err = v.Delete(ctx, p.name); errors.Is(item.Err, storage.ErrPermission) {
		item.Err = nil // which is told apart
	}
	if v.o.SSE != SSENone && string(out.ServerSideEncryption) != string(v.o.SSE) {
		item.Err = fmt.Errorf("the store was asked to encrypt with %s, and says that it did with %q: it may ignore that", v.o.SSE, out.ServerSideEncryption)
	}
	return item
}

// checkUpload begins an upload and aborts it. That it may not abort is no error: backups work without.
func (v *Volume) checkUpload(ctx context.Context) storage.CheckItem {
	item := storage.CheckItem{Name: "upload in parts"}
	u := &upload{putting: &putting{v: v, name: probeDir + newToken(), token: newToken()}, ctx: ctx}
	if item.Err = u.create(); item.Err != nil {
		return item
	}
	item.Err = u.part(1, []byte("x"))
	if left := (*leftParts)(nil); errors.As(u.abort(ctx, nil), &left) {
		item.Note = fmt.Sprintf("what failed uploads leave cannot be removed: allow s3:AbortMultipartUpload, or set a lifecycle rule "+
			"with AbortIncompleteMultipartUpload (%v)", left.abort)
		return item
	}
	item.Note = "what failed uploads leave can be removed"
	return item
}

func (v *Volume) checkSweep(ctx context.Context) storage.CheckItem {
	item := storage.CheckItem{Name: "unfinished uploads"}
	_, err := v.unfinished(ctx)
	switch {
	case err == nil:
		item.Note = "can be listed, so Sweep removes those that died"
	case errors.Is(err, storage.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		item.Note = fmt.Sprintf("cannot be listed: allow s3:ListBucketMultipartUploads, or set a lifecycle rule with AbortIncompleteMultipartUpload (%v)", err)
	default:
		item.Err = v.error("list uploads", "", err)
	}
	return item
}

func (v *Volume) checkConditional(ctx context.Context) storage.CheckItem {
	item := storage.CheckItem{Name: "conditional requests"}
	err := v.probe.run(ctx, v)
	switch {
	case err == nil:
		item.Note = "work, so PutIfAbsent does"
	case errors.Is(err, errors.ErrUnsupported):
		item.Note = fmt.Sprintf("do not work, so PutIfAbsent is refused; backups do not need it (%v)", err)
	default:
		item.Err = err
	}
	return item
}

// Policy is the package's Policy for this volume.
func (v *Volume) Policy(role Role) string { return Policy(v.bucket, v.o.Prefix, role) }
