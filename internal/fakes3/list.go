package fakes3

import (
	"cmp"
	"encoding/base64"
	"encoding/xml"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// isoTime is how S3's XML has a time.
const isoTime = "2006-01-02T15:04:05.000Z"

func iso(t time.Time) string { return t.UTC().Format(isoTime) }

// compare orders uploads: by key, then by id.
func compare(key1, id1, key2, id2 string) int {
	return cmp.Or(strings.Compare(key1, key2), strings.Compare(id1, id2))
}

// page returns the entries of all after those that before is true for, at most as many as parameter and PageSize allow,
// and whether there are more.
func page[T any](c *call, all []T, parameter string, before func(T) bool) (entries []T, more bool, err error) {
	limit := cmp.Or(c.s.PageSize, 1000)
	if text := c.query.Get(parameter); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, false, fail("InvalidArgument", "Provided %s not an integer or within integer range", parameter)
		}
		limit = min(limit, n)
	}
	first := 0
	for first < len(all) && before(all[first]) {
		first++
	}
	entries = slices.Clone(all[first:min(first+limit, len(all))])
	return entries, limit > 0 && first+limit < len(all), nil
}

// spelling returns how the answer spells names.
func (c *call) spelling() (func(string) string, error) {
	switch c.query.Get("encoding-type") {
	case "":
		return func(name string) string { return name }, nil
	case "url":
		return func(name string) string { return strings.ReplaceAll(url.QueryEscape(name), "%2F", "/") }, nil
	}
	return nil, fail("InvalidArgument", "Invalid Encoding Method specified in Request")
}

type listedObject struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

type objectListing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	KeyCount, MaxKeys     int
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listedObject
}

func (c *call) listObjects() (reply, error) {
	if c.query.Get("list-type") != "2" {
		return reply{}, fail("NotImplemented", "this server has only version 2 of ListObjects")
	}
	spell, err := c.spelling()
	if err != nil {
		return reply{}, err
	}
	token := c.query.Get("continuation-token")
	after, err := parseToken(token)
	if err != nil {
		return reply{}, err
	}
	if token == "" {
		after = c.query.Get("start-after")
	}
	prefix := c.query.Get("prefix")
	before := func(o *Object) bool { return after != "" && o.Key <= after }
	objects, more, err := page(c, c.below(prefix), "max-keys", before)
	if err != nil {
		return reply{}, err
	}
	if c.s.Lie == EmptyFirst && token == "" && len(objects) > 0 {
		objects, more = nil, true
	}
	result := objectListing{
		Name: c.bucket.Name, Prefix: spell(prefix), MaxKeys: cmp.Or(c.s.PageSize, 1000), EncodingType: c.query.Get("encoding-type"),
		StartAfter: spell(c.query.Get("start-after")), ContinuationToken: token, IsTruncated: more,
	}
	if len(objects) > 0 {
		after = objects[len(objects)-1].Key
	}
	if more {
		result.NextContinuationToken = formatToken(after)
	}
	for _, o := range objects {
		result.Contents = append(result.Contents, listedObject{
			spell(o.Key), iso(o.Modified), quote(o.ETag), len(o.Data), cmp.Or(o.Header.Get(classHeader), "STANDARD"),
		})
	}
	c.bend(&result)
	result.KeyCount = len(result.Contents)
	return reply{}.xml(result), nil
}

// below returns the objects whose keys start with prefix.
func (c *call) below(prefix string) []*Object {
	return slices.DeleteFunc(c.bucket.Objects(), func(o *Object) bool { return !strings.HasPrefix(o.Key, prefix) })
}

// A token is opaque to clients, and so it does not look like a key.

func formatToken(after string) string { return "1" + base64.URLEncoding.EncodeToString([]byte(after)) }

func parseToken(token string) (after string, err error) {
	if token == "" {
		return "", nil
	}
	text, err := base64.URLEncoding.DecodeString(token[1:])
	if err != nil || token[0] != '1' {
		return "", fail("InvalidArgument", "The continuation token provided is incorrect")
	}
	return string(text), nil
}

// foreign is a key that Lie has in listings that it is not in.
const foreign = "~foreign/20060102T150405Z"

// bend makes a listing lie.
func (c *call) bend(l *objectListing) {
	switch c.s.Lie {
	case RepeatToken:
		if l.NextContinuationToken != "" && l.ContinuationToken != "" {
			l.NextContinuationToken = l.ContinuationToken
		}
	case DropToken:
		l.NextContinuationToken = ""
	case Disorder:
		slices.Reverse(l.Contents)
	case Foreign:
		l.Contents = append(l.Contents, listedObject{foreign, iso(c.s.now()), quote(etag(nil, nil)), 0, "STANDARD"})
	}
}

type listedUpload struct {
	Key                     string
	UploadID                string `xml:"UploadId"`
	Initiated, StorageClass string
}

type uploadListing struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket, Prefix     string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
}

func (c *call) listUploads() (reply, error) {
	spell, err := c.spelling()
	if err != nil {
		return reply{}, err
	}
	prefix, key, id := c.query.Get("prefix"), c.query.Get("key-marker"), c.query.Get("upload-id-marker")
	before := func(u Upload) bool {
		if id == "" { // without it, whole keys are passed over
			return key != "" && u.Key <= key
		}
		return key != "" && compare(u.Key, u.ID, key, id) <= 0
	}
	all := slices.DeleteFunc(c.bucket.Uploads(), func(u Upload) bool { return !strings.HasPrefix(u.Key, prefix) })
	uploads, more, err := page(c, all, "max-uploads", before)
	if err != nil {
		return reply{}, err
	}
	result := uploadListing{
		Bucket: c.bucket.Name, Prefix: spell(prefix), KeyMarker: spell(key), UploadIDMarker: id,
		EncodingType: c.query.Get("encoding-type"), MaxUploads: cmp.Or(c.s.PageSize, 1000), IsTruncated: more,
	}
	if more {
		last := uploads[len(uploads)-1]
		result.NextKeyMarker, result.NextUploadIDMarker = spell(last.Key), last.ID
	}
	for _, u := range uploads {
		result.Upload = append(result.Upload, listedUpload{spell(u.Key), u.ID, iso(u.Initiated), cmp.Or(u.Header.Get(classHeader), "STANDARD")})
	}
	c.bendUploads(&result)
	return reply{}.xml(result), nil
}

func (c *call) bendUploads(l *uploadListing) {
	switch c.s.Lie {
	case RepeatToken:
		if l.IsTruncated && l.KeyMarker != "" {
			l.NextKeyMarker, l.NextUploadIDMarker = l.KeyMarker, l.UploadIDMarker
		}
	case DropToken:
		l.NextKeyMarker, l.NextUploadIDMarker = "", ""
	case Disorder:
		slices.Reverse(l.Upload)
	case Foreign:
		l.Upload = append(l.Upload, listedUpload{foreign, "foreign", iso(time.Unix(0, 0)), "STANDARD"})
	}
}

type listedPart struct {
	PartNumber         int
	LastModified, ETag string
	Size               int
}

func (c *call) listParts() (reply, error) {
	c.s.mu.Lock()
	u, err := c.upload()
	var all []Part
	if err == nil {
		all = slices.Clone(u.Parts)
	}
	c.s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	marker, err := strconv.Atoi(cmp.Or(c.query.Get("part-number-marker"), "0"))
	if err != nil || marker < 0 {
		return reply{}, fail("InvalidArgument", "Argument part-number-marker must be an integer between 0 and 2147483647")
	}
	parts, more, err := page(c, all, "max-parts", func(p Part) bool { return p.Number <= marker })
	if err != nil {
		return reply{}, err
	}
	result := struct {
		XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
		Bucket, Key          string
		UploadID             string `xml:"UploadId"`
		PartNumberMarker     int
		NextPartNumberMarker int `xml:",omitempty"`
		IsTruncated          bool
		Part                 []listedPart
	}{Bucket: c.bucket.Name, Key: c.key, UploadID: u.ID, PartNumberMarker: marker, IsTruncated: more}
	for _, p := range parts {
		result.Part = append(result.Part, listedPart{p.Number, iso(p.Modified), quote(p.ETag), len(p.Data)})
		result.NextPartNumberMarker = p.Number
	}
	return reply{}.xml(result), nil
}
