package crypto

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"
)

// longTests makes the campaigns complete that are sampled otherwise: set BACKUP_LONG_TESTS=1.
var longTests = os.Getenv("BACKUP_LONG_TESTS") != ""

// TestSegmentsTruncated cuts a stream of two segments, and one of two full segments: around every boundary
// after each byte, elsewhere after each (with BACKUP_LONG_TESTS, some minutes) or some.
func TestSegmentsTruncated(t *testing.T) {
	step := 299_993
	if longTests {
		step = 1
	}
	e := AES256(NewKeyring(testKey(1)))
	for _, size := range []int{firstSegment + 100, firstSegment + nextSegment} {
		plain := pattern(size)
		stored, enc := encrypt(t, e, testIdentity, plain)
		boundary := len(enc.Header()) + segmentSize
		for n := 0; n < len(stored); n++ {
			near := n < 300 || n > len(stored)-18 || n > boundary-18 && n < boundary+18
			if !near && n%step != 0 {
				continue
			}
			got, err := decrypt(t, e, Envelope{Header: enc.Header()}, sourceOf(stored[:n]))
			wantErr(t, "cut stream", err, io.ErrUnexpectedEOF)
			if len(got) != 0 && (n <= boundary || len(got) != firstSegment || !bytes.Equal(got, plain[:firstSegment])) {
				t.Fatalf("cut after %d: released %d bytes", n, len(got))
			}
			if n == boundary && errors.Is(err, ErrDamaged) {
				t.Errorf("a cut between segments is called damage: %v", err)
			}
		}
	}
}

// TestSegmentsRearranged drops, swaps, repeats and appends whole segments.
func TestSegmentsRearranged(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	plain := pattern(firstSegment + 2*nextSegment + 50)
	stored, enc := encrypt(t, e, testIdentity, plain)
	other, otherEnc := encrypt(t, e, testIdentity, plain)
	start := len(enc.Header()) + streamHeaderSize
	cut := func(stream []byte, header int) (s [5][]byte) {
		body := stream[header:]
		s[0] = stream[:header+streamHeaderSize]
		s[1] = body[streamHeaderSize:segmentSize]
		s[2], s[3], s[4] = body[segmentSize:2*segmentSize], body[2*segmentSize:3*segmentSize], body[3*segmentSize:]
		return s
	}
	a, b := cut(stored, len(enc.Header())), cut(other, len(otherEnc.Header()))
	for _, tt := range []struct {
		what     string
		segments [][]byte
		released int // whole segments that are genuine and in their place
		err      error
	}{
		{"as it was", a[:], 4, nil},
		{"first dropped", [][]byte{a[0], a[2], a[3], a[4]}, 0, ErrDamaged},
		{"second dropped", [][]byte{a[0], a[1], a[3], a[4]}, 1, ErrDamaged},
		{"third dropped", [][]byte{a[0], a[1], a[2], a[4]}, 2, ErrDamaged},
		{"last dropped", [][]byte{a[0], a[1], a[2], a[3]}, 2, io.ErrUnexpectedEOF},
		{"all dropped", [][]byte{a[0]}, 0, io.ErrUnexpectedEOF},
		{"only the last", [][]byte{a[0], a[4]}, 0, ErrDamaged},
		{"swapped", [][]byte{a[0], a[1], a[3], a[2], a[4]}, 1, ErrDamaged},
		{"repeated", [][]byte{a[0], a[1], a[2], a[2], a[3], a[4]}, 2, ErrDamaged},
		{"last repeated", [][]byte{a[0], a[1], a[2], a[3], a[4], a[4]}, 3, ErrDamaged},
		{"full one appended", [][]byte{a[0], a[1], a[2], a[3], a[4], a[3]}, 3, ErrDamaged},
		{"last one early", [][]byte{a[0], a[1], a[4], a[2], a[3]}, 1, ErrDamaged},
		{"zeros inserted", [][]byte{a[0], a[1], make([]byte, segmentSize), a[2], a[3], a[4]}, 1, ErrDamaged},
		{"one of another stream", [][]byte{a[0], a[1], b[2], a[3], a[4]}, 1, ErrDamaged},
		{"stream header of another", [][]byte{a[0][:len(enc.Header())], b[0][len(otherEnc.Header()):], a[1], a[2], a[3], a[4]}, 0, ErrDamaged},
		{"rest of another stream", [][]byte{a[0], a[1], b[2], b[3], b[4]}, 1, ErrDamaged},
	} {
		got, err := decrypt(t, e, Envelope{Header: enc.Header()}, sourceOf(bytes.Join(tt.segments, nil)))
		if tt.err == nil && err != nil {
			t.Errorf("%s: %v", tt.what, err)
		} else if tt.err != nil {
			wantErr(t, tt.what, err, tt.err)
		}
		want := min([]int{0, firstSegment, firstSegment + nextSegment, firstSegment + 2*nextSegment, len(plain)}[tt.released], len(plain))
		if len(got) != want || !bytes.Equal(got, plain[:want]) {
			t.Errorf("%s: released %d bytes, want %d", tt.what, len(got), want)
		}
	}
	if start+len(a[1])+len(a[2])+len(a[3])+len(a[4]) != len(stored) {
		t.Error("the test did not cut the stream at its segments")
	}
}

// TestSegmentsNoAllocation: buffers are reused, whatever the length of the stream.
func TestSegmentsNoAllocation(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	enc, err := e.Encrypt(t.Context(), io.Discard, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	p := pattern(segmentSize)
	if n := testing.AllocsPerRun(20, func() { enc.Write(p) }); n > 0 {
		t.Errorf("Write allocates %v times a segment", n)
	}
	stored, enc := encrypt(t, e, testIdentity, pattern(30*segmentSize))
	d, err := e.Open(t.Context(), Envelope{Header: enc.Header()})
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Decrypt(t.Context(), sourceOf(stored))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { io.ReadFull(r, p) }); n > 0 {
		t.Errorf("Read allocates %v times a segment", n)
	}
}

// TestSegmentNumbersEnd: after 2^32 segments there is no nonce left, and none is used twice.
func TestSegmentNumbersEnd(t *testing.T) {
	e := AES256(NewKeyring(testKey(1)))
	enc, err := e.Encrypt(t.Context(), io.Discard, testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	w := enc.(*aesEncryption).segmentWriter
	for i := range 4 {
		w.c.nonce[prefixSize+i] = math.MaxUint8
	}
	if _, err := enc.Write(make([]byte, firstSegment)); err != nil {
		t.Fatalf("the last number cannot be used: %v", err)
	}
	_, err = enc.Write(make([]byte, segmentSize+1))
	wantErr(t, "Write", err, errTooLong)
	wantErr(t, "Close", enc.Close(), errTooLong)
}
