package crypto

import (
	"bytes"
	"testing"
)

const (
	firstSegment = segmentSize - streamHeaderSize - tagSize // plain bytes
	nextSegment  = segmentSize - tagSize
)

func TestAES256RoundTrip(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	for _, size := range []int{
		0, 1, 15, 16, 4096,
		firstSegment - 1, firstSegment, firstSegment + 1,
		firstSegment + nextSegment - 1, firstSegment + nextSegment, firstSegment + nextSegment + 1,
		4*segmentSize + 77,
	} {
		plain := pattern(size)
		stored, enc := encrypt(t, e, testIdentity, plain)
		if !bytes.HasPrefix(stored, enc.Header()) {
			t.Fatalf("%d bytes: stream does not begin with Header()", size)
		}
		for what, env := range map[string]Envelope{
			"with a manifest": {Header: enc.Header(), Want: testIdentity},
			"bare":            {},
			"bare, wanted":    {Want: testIdentity},
		} {
			got, err := decrypt(t, e, env, sourceOf(stored))
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: got %d bytes, %v", size, what, len(got), err)
			}
		}
	}
}
