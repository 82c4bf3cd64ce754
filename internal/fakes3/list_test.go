package fakes3_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/databasement/backup/internal/fakes3"
)

// pages lists up to 10 pages, as names joined by spaces, and how the last ended.
func pages(t *testing.T, c *s3.Client, in s3.ListObjectsV2Input) (keys [][]string, end string) {
	t.Helper()
	in.Bucket, in.EncodingType = name, types.EncodingTypeUrl
	for range 10 {
		out, err := c.ListObjectsV2(t.Context(), &in)
		check(t, err)
		var page []string
		for _, o := range out.Contents {
			key, err := url.QueryUnescape(*o.Key)
			check(t, err)
			page = append(page, key)
		}
		keys = append(keys, page)
		switch {
		case !*out.IsTruncated:
			return keys, "end"
		case out.NextContinuationToken == nil:
			return keys, "no token"
		case in.ContinuationToken != nil && *in.ContinuationToken == *out.NextContinuationToken:
			return keys, "same token"
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	return keys, "more"
}

func TestList(t *testing.T) {
	type in = s3.ListObjectsV2Input
	for what, test := range map[string]struct {
		in   in
		size int
		lie  fakes3.Lie
		want [][]string
		end  string
	}{
		"all":      {in{}, 0, 0, [][]string{{"a", "a b/1", "a b/2", "a b/3", "a+%", "ä\n"}}, "end"},
		"pages":    {in{}, 4, 0, [][]string{{"a", "a b/1", "a b/2", "a b/3"}, {"a+%", "ä\n"}}, "end"},
		"exact":    {in{}, 3, 0, [][]string{{"a", "a b/1", "a b/2"}, {"a b/3", "a+%", "ä\n"}}, "end"},
		"prefix":   {in{Prefix: ptr("a b/")}, 2, 0, [][]string{{"a b/1", "a b/2"}, {"a b/3"}}, "end"},
		"after":    {in{StartAfter: ptr("a b/2")}, 2, 0, [][]string{{"a b/3", "a+%"}, {"ä\n"}}, "end"},
		"max keys": {in{Prefix: ptr("a b/"), MaxKeys: aws.Int32(1)}, 2, 0, [][]string{{"a b/1"}, {"a b/2"}, {"a b/3"}}, "end"},
		"none":     {in{Prefix: ptr("b")}, 2, 0, [][]string{nil}, "end"},
		"repeat":   {in{Prefix: ptr("a b/")}, 1, fakes3.RepeatToken, [][]string{{"a b/1"}, {"a b/2"}}, "same token"},
		"drop":     {in{Prefix: ptr("a b/")}, 2, fakes3.DropToken, [][]string{{"a b/1", "a b/2"}}, "no token"},
		"disorder": {in{Prefix: ptr("a b/")}, 2, fakes3.Disorder, [][]string{{"a b/2", "a b/1"}, {"a b/3"}}, "end"},
		"foreign":  {in{Prefix: ptr("a b/")}, 3, fakes3.Foreign, [][]string{{"a b/1", "a b/2", "a b/3", "~foreign/20060102T150405Z"}}, "end"},
		"empty":    {in{Prefix: ptr("a b/")}, 3, fakes3.EmptyFirst, [][]string{nil, {"a b/1", "a b/2", "a b/3"}}, "end"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
				for _, key := range []string{"ä\n", "a b/2", "a", "a b/3", "a+%", "a b/1"} {
					b.Put(key, []byte(key), nil)
				}
				s.PageSize, s.Lie = test.size, test.lie
				got, end := pages(t, connect(s), test.in)
				if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", test.want) || end != test.end {
					t.Errorf("%q, %s, want %q, %s", got, end, test.want, test.end)
				}
			})
		})
	}
}

func TestListed(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, b *fakes3.Bucket) {
		b.Put("k", []byte("hello"), nil)
		out, err := connect(s).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: name})
		check(t, err)
		o := out.Contents[0]
		if *o.Size != 5 || *o.ETag != `"5d41402abc4b2a76b9719d911017c592"` || !o.LastModified.Equal(bubbleStart) || o.StorageClass != "STANDARD" {
			t.Errorf("%d bytes, %s, %s, %s", *o.Size, *o.ETag, o.LastModified, o.StorageClass)
		}
	})
}

func TestListUploads(t *testing.T) {
	for what, test := range map[string]struct {
		prefix string
		lie    fakes3.Lie
		want   []string
		end    string
	}{
		"all":      {"", 0, []string{"a", "b/1", "b/1", "b/1", "b/2"}, "end"},
		"prefix":   {"b/", 0, []string{"b/1", "b/1", "b/1", "b/2"}, "end"},
		"repeat":   {"", fakes3.RepeatToken, []string{"a", "b/1", "b/1", "b/1"}, "same marker"},
		"drop":     {"", fakes3.DropToken, []string{"a", "b/1"}, "no marker"},
		"disorder": {"b", fakes3.Disorder, []string{"b/1", "b/1", "b/2", "b/1"}, "end"},
		"foreign":  {"b/2", fakes3.Foreign, []string{"b/2", "~foreign/20060102T150405Z"}, "end"},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
				c := connect(s)
				for _, key := range []string{"b/1", "a", "b/2", "b/1", "b/1"} {
					begin(t, c, key, "x")
				}
				s.PageSize, s.Lie = 2, test.lie
				got, end := uploadPages(t, c, test.prefix)
				if !slices.Equal(got, test.want) || end != test.end {
					t.Errorf("%q, %s, want %q, %s", got, end, test.want, test.end)
				}
			})
		})
	}
}

// uploadPages aborts each upload that it finds, so that markers are those of uploads that are gone.
func uploadPages(t *testing.T, c *s3.Client, prefix string) (keys []string, end string) {
	t.Helper()
	in := &s3.ListMultipartUploadsInput{Bucket: name, Prefix: &prefix}
	for range 10 {
		out, err := c.ListMultipartUploads(t.Context(), in)
		check(t, err)
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
			if *u.UploadId != "foreign" {
				_, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: name, Key: u.Key, UploadId: u.UploadId})
				check(t, err)
			}
		}
		switch {
		case !*out.IsTruncated:
			return keys, "end"
		case out.NextKeyMarker == nil:
			return keys, "no marker"
		case in.KeyMarker != nil && *in.KeyMarker == *out.NextKeyMarker && *in.UploadIdMarker == *out.NextUploadIdMarker:
			return keys, "same marker"
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
	return keys, "more"
}

func TestListParts(t *testing.T) {
	bubble(t, func(t *testing.T, s *fakes3.Server, _ *fakes3.Bucket) {
		s.PageSize = 2
		c := connect(s)
		up := begin(t, c, "k", "1", "22", "333")
		var sizes []int64
		for p := s3.NewListPartsPaginator(c, &s3.ListPartsInput{Bucket: name, Key: ptr("k"), UploadId: up.UploadId}); p.HasMorePages(); {
			out, err := p.NextPage(t.Context())
			check(t, err)
			for _, part := range out.Parts {
				sizes = append(sizes, *part.Size)
			}
		}
		if !slices.Equal(sizes, []int64{1, 2, 3}) {
			t.Error(sizes)
		}
	})
}
