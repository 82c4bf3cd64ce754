package fakes3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/internal/fakes3"
)

func TestMultipart(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		s.SetKey("id", fakes3.Key{Secret: "secret"})
		big, c := strings.Repeat("x", 5<<20), connect(s)
		in := begin(t, c, "k", big, "end")
		begun := time.Now()
		time.Sleep(time.Hour)
		if left := b.Uploads(); len(left) != 1 || left[0].Key != "k" || len(left[0].Parts) != 2 || !left[0].Initiated.Equal(begun) {
			t.Errorf("%d uploads", len(left))
		}
		done, err := c.CompleteMultipartUpload(t.Context(), in)
		check(t, err)
		// md5(md5(part 1) ‖ md5(part 2))-2, computed with md5sum.
		if want := `"6d7c5fbffce55b2eb513ca823d7235b2-2"`; *done.ETag != want {
			t.Errorf("ETag %s, want %s", *done.ETag, want)
		}
		o := b.Object("k")
		if string(o.Data) != big+"end" || o.Parts != 2 || !o.Modified.Equal(begun) || len(b.Uploads()) != 0 {
			t.Errorf("%d bytes, %d parts, of %s, %d uploads left", len(o.Data), o.Parts, o.Modified, len(b.Uploads()))
		}
		_, err = c.CompleteMultipartUpload(t.Context(), in)
		if got := code(t, err); got != "NoSuchUpload" {
			t.Errorf("second Complete: %q", got)
		}
	})
}

// What Complete refuses leaves the upload as it was.
func TestComplete(t *testing.T) {
	type parts = []types.CompletedPart
	as := func(p parts) parts { return p }
	for what, test := range map[string]struct {
		parts  []string
		equal  bool // Server.EqualParts
		change func(parts) parts
		want   string
	}{
		"all":        {[]string{"aaaa", "bbbb", "c"}, false, as, ""},
		"some":       {[]string{"aaaa", "bbbb", "c"}, false, func(p parts) parts { return p[1:] }, ""},
		"order":      {[]string{"aaaa", "bbbb"}, false, func(p parts) parts { return parts{p[1], p[0]} }, "InvalidPartOrder"},
		"twice":      {[]string{"aaaa", "bbbb"}, false, func(p parts) parts { return parts{p[0], p[0]} }, "InvalidPartOrder"},
		"wrong ETag": {[]string{"aaaa", "bbbb"}, false, func(p parts) parts { p[0].ETag = p[1].ETag; return p }, "InvalidPart"},
		"absent":     {[]string{"aaaa", "bbbb"}, false, func(p parts) parts { p[1].PartNumber = aws.Int32(3); return p }, "InvalidPart"},
		"small":      {[]string{"aaa", "b"}, false, as, "EntityTooSmall"},
		"unequal":    {[]string{"aaaa", "bbbbb", "c"}, true, as, "InvalidPart"},
		"large last": {[]string{"aaaa", "bbbb", "ccccc"}, true, as, "InvalidPart"},
		"equal":      {[]string{"aaaa", "bbbb", "c"}, true, as, ""},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				s.MinPartSize, s.EqualParts = 4, test.equal
				c := connect(s)
				in := begin(t, c, "k", test.parts...)
				in.MultipartUpload.Parts = test.change(in.MultipartUpload.Parts)
				_, err := c.CompleteMultipartUpload(t.Context(), in)
				if got := code(t, err); got != test.want {
					t.Fatalf("got %q, want %q", got, test.want)
				}
				objects, uploads := 1, 0
				if test.want != "" {
					objects, uploads = 0, 1
				}
				if len(b.Objects()) != objects || len(b.Uploads()) != uploads {
					t.Errorf("%d objects, %d uploads", len(b.Objects()), len(b.Uploads()))
				}
			})
		})
	}
}

func TestMaxParts(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		s.MaxParts = 3
		c := connect(s)
		in := begin(t, c, "k", "1", "2", "3")
		_, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: name, Key: ptr("k"), UploadId: in.UploadId, PartNumber: aws.Int32(4)})
		if got := code(t, err); got != "InvalidArgument" {
			t.Error(got)
		}
	})
}

func TestPartChecksums(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		c := connect(s)
		u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: name, Key: ptr("k"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		})
		check(t, err)
		part := func(data string, sum *string) (*s3.UploadPartOutput, error) {
			return c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: name, Key: ptr("k"), UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte(data)), ChecksumSHA256: sum,
			})
		}
		raw := sha256.Sum256([]byte("x"))
		sum := ptr(base64.StdEncoding.EncodeToString(raw[:]))
		_, err = part("x", nil)
		if got := code(t, err); got != "InvalidRequest" {
			t.Errorf("without: %q", got)
		}
		_, err = part("y", sum)
		if got := code(t, err); got != "BadDigest" {
			t.Errorf("wrong: %q", got)
		}
		p, err := part("x", sum)
		check(t, err)
		if p.ChecksumSHA256 == nil || *p.ChecksumSHA256 != *sum {
			t.Errorf("not returned: %v", p.ChecksumSHA256)
		}
		complete := func(sum *string) (*s3.CompleteMultipartUploadOutput, error) {
			return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket: name, Key: ptr("k"), UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
					Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: p.ETag, ChecksumSHA256: sum}},
				},
			})
		}
		_, err = complete(nil)
		if got := code(t, err); got != "InvalidRequest" {
			t.Errorf("Complete without: %q", got)
		}
		_, err = complete(ptr("AAAA"))
		if got := code(t, err); got != "InvalidPart" {
			t.Errorf("Complete with another: %q", got)
		}
		done, err := complete(sum)
		check(t, err)
		twice := sha256.Sum256(raw[:])
		want := base64.StdEncoding.EncodeToString(twice[:]) + "-1"
		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: ptr("k"), ChecksumMode: types.ChecksumModeEnabled})
		check(t, err)
		if *done.ChecksumSHA256 != want || *head.ChecksumSHA256 != want || head.ChecksumType != types.ChecksumTypeComposite {
			t.Errorf("%s, %s (%s), want %s", *done.ChecksumSHA256, *head.ChecksumSHA256, head.ChecksumType, want)
		}
		head, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: name, Key: ptr("k")})
		check(t, err)
		if head.ChecksumSHA256 != nil {
			t.Error("not asked for")
		}
	})
}

// A part that was on its way when its upload was aborted stays, as AWS documents.
func TestAbortWithPartUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		c := connect(s)
		in := begin(t, c, "k", "1")
		s.Faults = func(r fakes3.Request) fakes3.Fault {
			if r.Op == "UploadPart" {
				return fakes3.Fault{At: fakes3.Received, Pause: time.Second}
			}
			return fakes3.Fault{}
		}
		ended := make(chan error)
		go func() {
			_, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: name, Key: ptr("k"), UploadId: in.UploadId, PartNumber: aws.Int32(2)})
			ended <- err
		}()
		time.Sleep(time.Millisecond)
		abort := &s3.AbortMultipartUploadInput{Bucket: name, Key: ptr("k"), UploadId: in.UploadId}
		_, err := c.AbortMultipartUpload(t.Context(), abort)
		check(t, err)
		if n := len(b.Uploads()); n != 0 {
			t.Errorf("%d uploads", n)
		}
		check(t, <-ended)
		if left := b.Uploads(); len(left) != 1 || len(left[0].Parts) != 1 || left[0].Parts[0].Number != 2 {
			t.Errorf("left: %v", left)
		}
		_, err = c.AbortMultipartUpload(t.Context(), abort)
		check(t, err)
		_, err = c.AbortMultipartUpload(t.Context(), abort)
		if got := code(t, err); got != "NoSuchUpload" || len(b.Uploads()) != 0 {
			t.Errorf("third Abort: %q", got)
		}
	})
}

// minio/minio#17858, seaweedfs/seaweedfs#10663.
func TestFragile(t *testing.T) {
	for _, fragile := range []bool{false, true} {
		bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
			s.Fragile = fragile
			c := connect(s)
			in := begin(t, c, "k", "1")
			_, err := c.CompleteMultipartUpload(t.Context(), in)
			check(t, err)
			_, err = c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: name, Key: ptr("k"), UploadId: in.UploadId})
			if got := code(t, err); got != "NoSuchUpload" || (b.Object("k") == nil) != fragile {
				t.Errorf("fragile %v: %q, there: %v", fragile, got, b.Object("k") != nil)
			}
		})
	}
}

// A conditional Complete that is refused leaves object and upload.
func TestConditionalComplete(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		c := connect(s)
		in := begin(t, c, "k", "1")
		in.IfNoneMatch = ptr("*")
		b.Put("k", []byte("older"), nil)
		_, err := c.CompleteMultipartUpload(t.Context(), in)
		if data, _ := b.Bytes("k"); code(t, err) != "PreconditionFailed" || string(data) != "older" || len(b.Uploads()) != 1 {
			t.Errorf("%v, %q, %d uploads", err, data, len(b.Uploads()))
		}
	})
}

// The SDK's own checksums, of every algorithm, for an object in parts.
func TestAlgorithms(t *testing.T) {
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
			c := connect(s)
			u, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: name, Key: ptr("k"), ChecksumAlgorithm: algorithm})
			check(t, err)
			p, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: name, Key: ptr("k"), UploadId: u.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x"), ChecksumAlgorithm: algorithm,
			})
			check(t, err)
			_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
				Bucket: name, Key: ptr("k"), UploadId: u.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{
					PartNumber: aws.Int32(1), ETag: p.ETag, ChecksumCRC32: p.ChecksumCRC32, ChecksumCRC32C: p.ChecksumCRC32C,
					ChecksumCRC64NVME: p.ChecksumCRC64NVME, ChecksumSHA1: p.ChecksumSHA1, ChecksumSHA256: p.ChecksumSHA256,
				}}},
			})
			check(t, err)
			_, h, _ := do(t, s, "HEAD", host+"k", "", "x-amz-checksum-mode", "ENABLED")
			value, parts := h.Get("X-Amz-Checksum-"+string(algorithm)), strings.HasSuffix(h.Get("X-Amz-Checksum-"+string(algorithm)), "-1")
			if data, _ := b.Bytes("k"); value == "" || parts != (algorithm != "CRC64NVME") || string(data) != "x" {
				t.Errorf("%s: %q, %v", algorithm, value, h)
			}
		})
	}
}
