package fakes3

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func (c *call) createUpload() (reply, error) {
	header, err := c.attributes()
	if err != nil {
		return reply{}, err
	}
	algorithm := strings.ToUpper(c.r.Header.Get("X-Amz-Checksum-Algorithm"))
	if _, ok := algorithms[algorithm]; !ok && algorithm != "" {
		return reply{}, fail("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types")
	}
	u := &Upload{Key: c.key, Initiated: c.s.now(), Header: header, algorithm: algorithm}
	c.s.mu.Lock()
	u.ID = c.s.id()
	c.bucket.uploads[u.ID] = u
	c.s.mu.Unlock()
	h := written(&Object{Header: header})
	if algorithm != "" {
		h.Set("X-Amz-Checksum-Algorithm", algorithm)
		h.Set("X-Amz-Checksum-Type", checksumType(algorithm))
	}
	return reply{header: h}.xml(struct {
		XMLName     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket, Key string
		UploadID    string `xml:"UploadId"`
	}{Bucket: c.bucket.Name, Key: c.key, UploadID: u.ID}), nil
}

// upload returns the unfinished upload that the request names. The lock is held.
func (c *call) upload() (*Upload, error) {
	u := c.bucket.uploads[c.query.Get("uploadId")]
	if u == nil || u.Key != c.key {
		return nil, fail("NoSuchUpload", "The specified upload does not exist; it may have been aborted or completed.")
	}
	return u, nil
}

// findUpload is what UploadPart checks before it reads the body.
func (c *call) findUpload() error {
	largest := cmp.Or(c.s.MaxParts, 10_000)
	if n := c.logged.Part; n < 1 || n > largest {
		return fail("InvalidArgument", "Part number must be an integer between 1 and %d, inclusive", largest)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var err error
	c.open, err = c.upload()
	return err
}

// uploadPart stores a part. If the upload was aborted while the part was on its way, the part stays, and with it the
// upload: "if any part uploads are currently in progress, those part uploads might or might not succeed"
// (AbortMultipartUpload, API reference).
func (c *call) uploadPart() (reply, error) {
	u := c.open
	if c.sum.algorithm != u.algorithm {
		return reply{}, fail("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
			cmp.Or(strings.ToLower(u.algorithm), "null"), cmp.Or(strings.ToLower(c.sum.algorithm), "null"))
	}
	p := Part{Number: c.logged.Part, Data: c.body, ETag: etag(c.body, u.Header), Modified: c.s.now(), checksum: c.sum}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if u.completed {
		_, err := c.upload()
		return reply{}, err
	}
	if c.bucket.uploads[u.ID] == nil {
		u.Parts = nil
		c.bucket.uploads[u.ID] = u
		delete(c.bucket.ended, u.ID)
	}
	i, found := slices.BinarySearchFunc(u.Parts, p.Number, func(p Part, n int) int { return p.Number - n })
	if found {
		u.Parts[i] = p
	} else {
		u.Parts = slices.Insert(u.Parts, i, p)
	}
	h := written(&Object{Header: u.Header})
	h.Set("ETag", quote(p.ETag))
	p.checksum.set(h)
	return reply{status: http.StatusOK, header: h}, nil
}

// completion is the body of CompleteMultipartUpload.
type completion struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber int
		ETag       string
		checksums
	} `xml:"Part"`
}

func (c *call) completeUpload() (reply, error) {
	var asked completion
	if err := xml.Unmarshal(c.body, &asked); err != nil || len(asked.Parts) == 0 || len(asked.Parts) > 10_000 {
		return reply{}, fail("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	c.s.mu.Lock()
	u, err := c.upload()
	if err != nil {
		c.destroy()
		c.s.mu.Unlock()
		return reply{}, err
	}
	parts, err := c.s.choose(u, asked)
	c.s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	o := assemble(u, parts)
	if err := c.publish(o, func() { u.completed = true; c.end(u) }); err != nil {
		return reply{}, err
	}
	result := struct {
		XMLName                     xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Location, Bucket, Key, ETag string
		checksums
	}{Location: "http://" + c.r.Host + c.r.URL.EscapedPath(), Bucket: c.bucket.Name, Key: c.key, checksums: o.checksum.xml()}
	if !c.fault.NoETag {
		result.ETag = quote(o.ETag)
	}
	return reply{header: written(o)}.xml(result), nil
}

// choose returns the parts that are asked for, if they make an object.
func (s *Server) choose(u *Upload, asked completion) ([]Part, error) {
	parts := make([]Part, 0, len(asked.Parts))
	for i, a := range asked.Parts {
		if i > 0 && a.PartNumber <= asked.Parts[i-1].PartNumber {
			return nil, fail("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		n, found := slices.BinarySearchFunc(u.Parts, a.PartNumber, func(p Part, n int) int { return p.Number - n })
		if !found || u.Parts[n].ETag != unquote(a.ETag) {
			return nil, fail("InvalidPart", "One or more of the specified parts could not be found: part %d", a.PartNumber)
		}
		p := u.Parts[n]
		declared := *a.of(u.algorithm)
		switch {
		case u.algorithm != "" && declared == "" && checksumType(u.algorithm) == composite:
			return nil, fail("InvalidRequest", "The upload was created using a %s checksum, which was missing for part %d in the request.",
				strings.ToLower(u.algorithm), a.PartNumber)
		case declared != "" && declared != p.checksum.value:
			return nil, fail("InvalidPart", "One or more of the specified parts could not be found: the checksum of part %d", a.PartNumber)
		}
		parts = append(parts, p)
	}
	return parts, s.checkSizes(parts)
}

func (s *Server) checkSizes(parts []Part) error {
	least := int(cmp.Or(s.MinPartSize, 5<<20))
	for i, p := range parts {
		last := i == len(parts)-1
		if !last && len(p.Data) < least {
			return fail("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size: part %d", p.Number)
		}
		if first := len(parts[0].Data); s.EqualParts && (len(p.Data) > first || !last && len(p.Data) < first) {
			return fail("InvalidPart", "All non-trailing parts must have the same length.")
		}
	}
	return nil
}

// assemble makes the object. Its ETag is the MD5 of the parts' MD5s, with their number.
func assemble(u *Upload, parts []Part) *Object {
	var data [][]byte
	var sums []byte
	for _, p := range parts {
		partSum, _ := hex.DecodeString(p.ETag)
		data, sums = append(data, p.Data), append(sums, partSum...)
	}
	sum := md5.Sum(sums)
	o := &Object{
		Key: u.Key, Data: bytes.Join(data, nil), ETag: fmt.Sprintf("%x-%d", sum, len(parts)),
		Modified: u.Initiated, Header: u.Header, Parts: len(parts),
	}
	o.checksum = combine(u.algorithm, parts, o.Data)
	return o
}

// end takes the upload out of the unfinished ones. The lock is held.
func (c *call) end(u *Upload) {
	delete(c.bucket.uploads, u.ID)
	c.bucket.ended[u.ID] = u
}

// destroy is Server.Fragile. The lock is held.
func (c *call) destroy() {
	u := c.bucket.ended[c.query.Get("uploadId")]
	if c.s.Fragile && u != nil && u.completed && u.Key == c.key {
		c.bucket.remove(u.Key)
	}
}

func (c *call) abortUpload() (reply, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	u, err := c.upload()
	if err != nil {
		c.destroy()
		return reply{}, err
	}
	c.end(u)
	return reply{status: http.StatusNoContent}, nil
}
