package fakes3

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// algorithms are those of S3's checksums ("Checking object integrity", user guide).
var algorithms = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"CRC64NVME": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
}

const (
	composite = "COMPOSITE"
	whole     = "FULL_OBJECT"
)

// checksumType is what the checksum of an object in parts is made of, where the client does not choose.
func checksumType(algorithm string) string {
	if algorithm == "CRC64NVME" {
		return whole
	}
	return composite
}

// checksum is one of x-amz-checksum-*; the zero value is none.
type checksum struct {
	algorithm string
	value     string // base64, of a composite one with -N
	kind      string // composite or whole
}

// digest computes a checksum in base64.
func digest(algorithm string, data []byte) string {
	h := algorithms[algorithm]()
	h.Write(data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// combine is the checksum of an object in parts.
func combine(algorithm string, parts []Part, data []byte) checksum {
	if algorithm == "" {
		return checksum{}
	}
	if checksumType(algorithm) == whole {
		return checksum{algorithm, digest(algorithm, data), whole}
	}
	var sums []byte
	for _, p := range parts {
		sum, _ := base64.StdEncoding.DecodeString(p.checksum.value)
		sums = append(sums, sum...)
	}
	return checksum{algorithm, fmt.Sprintf("%s-%d", digest(algorithm, sums), len(parts)), composite}
}

// declared returns the checksum that a header or trailer declares of the body.
func declared(h http.Header) (checksum, error) {
	var found checksum
	for algorithm := range algorithms {
		value := h.Get("X-Amz-Checksum-" + algorithm)
		if value == "" {
			continue
		}
		if found.algorithm != "" {
			return checksum{}, fail("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		sum, err := base64.StdEncoding.DecodeString(value)
		if err != nil || len(sum) != algorithms[algorithm]().Size() {
			return checksum{}, fail("InvalidRequest", "Value for x-amz-checksum-%s header is invalid.", strings.ToLower(algorithm))
		}
		found = checksum{algorithm, value, whole}
	}
	return found, nil
}

// verify compares the checksum, if there is one, with the data.
func (c checksum) verify(data []byte) error {
	if c.algorithm != "" && digest(c.algorithm, data) != c.value {
		return fail("BadDigest", "The %s you specified did not match the calculated checksum.", c.algorithm)
	}
	return nil
}

// set enters the checksum into the header of an answer.
func (c checksum) set(h http.Header) {
	if c.algorithm != "" {
		h.Set("X-Amz-Checksum-"+c.algorithm, c.value)
		h.Set("X-Amz-Checksum-Type", c.kind)
	}
}

// checksums are those of S3's XML.
type checksums struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// of returns the field of an algorithm.
func (x *checksums) of(algorithm string) *string {
	switch algorithm {
	case "CRC32":
		return &x.ChecksumCRC32
	case "CRC32C":
		return &x.ChecksumCRC32C
	case "CRC64NVME":
		return &x.ChecksumCRC64NVME
	case "SHA1":
		return &x.ChecksumSHA1
	case "SHA256":
		return &x.ChecksumSHA256
	}
	return new(string)
}

func (c checksum) xml() checksums {
	var x checksums
	*x.of(c.algorithm) = c.value
	x.ChecksumType = c.kind
	return x
}
