package crypto

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/databasement/backup/internal/sink"
)

// The body of an AES256 stream is the wire format of Tink's streaming AEAD AES256-GCM-HKDF-1MB
// (https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming), with HKDF-SHA256 and the
// envelope header as associated data.
const (
	segmentSize = 1 << 20 // of ciphertext; the first one shares it with the stream header
	saltSize    = KeySize
	prefixSize  = 7 // of the nonce, before segment number and last flag

	streamHeaderSize = 1 + saltSize + prefixSize

	nonceSize = 12
	tagSize   = 16
)

// segmentCipher knows the key and the next nonce of one body.
type segmentCipher struct {
	cipher.AEAD
	nonce [nonceSize]byte // prefix, big-endian segment number, 1 for the last segment
	done  bool            // all segment numbers were used
}

// newSegmentCipher derives a body's own key from the stream header.
func newSegmentCipher(key, streamHeader, aad []byte) (*segmentCipher, error) {
	salt, prefix := streamHeader[1:1+saltSize], streamHeader[1+saltSize:]
	k, err := hkdf.Key(sha256.New, key, salt, string(aad), KeySize)
	if err != nil {
		return nil, err
	}
	c := &segmentCipher{AEAD: newGCM(k)}
	copy(c.nonce[:], prefix)
	return c, nil
}

// errTooLong is for bodies beyond 4 PiB.
var errTooLong = errors.New("aes256: stream is longer than 2^32 segments of 1 MiB")

// advance moves on to the next segment's nonce.
func (c *segmentCipher) advance() {
	number := c.nonce[prefixSize : prefixSize+4]
	i := binary.BigEndian.Uint32(number)
	c.done = i == math.MaxUint32
	binary.BigEndian.PutUint32(number, i+1)
}

// segmentWriter encrypts a body. A full segment is written when more follows, since only then is it known
// not to be the last.
type segmentWriter struct {
	sink.Sink
	c     *segmentCipher
	start []byte // envelope and stream header, until they are written
	room  int    // for plain bytes in the current segment
	buf   []byte // the current segment's plain bytes, with capacity for the ciphertext
}

func newSegmentWriter(dst sink.Sink, key, header []byte) (*segmentWriter, error) {
	streamHeader := make([]byte, streamHeaderSize)
	streamHeader[0] = streamHeaderSize
	rand.Read(streamHeader[1:]) // never fails
	c, err := newSegmentCipher(key, streamHeader, header)
	if err != nil {
		return nil, err
	}
	return &segmentWriter{
		Sink:  dst,
		c:     c,
		start: append(bytes.Clone(header), streamHeader...),
		room:  segmentSize - streamHeaderSize - tagSize,
		buf:   make([]byte, 0, segmentSize),
	}, nil
}

func (w *segmentWriter) Write(p []byte) (n int, err error) {
	for n < len(p) && w.Err == nil {
		if len(w.buf) == w.room {
			w.flush(false)
			continue
		}
		m := copy(w.buf[len(w.buf):w.room], p[n:])
		w.buf = w.buf[:len(w.buf)+m]
		n += m
	}
	return n, w.Err
}

// Close writes the last segment, which may be empty, unless an error came before.
func (w *segmentWriter) Close() error {
	if w.Err == nil {
		w.flush(true)
	}
	err := w.Err
	if w.Err == nil {
		w.Err = errClosed
	}
	w.buf = nil
	return err
}

// flush encrypts the current segment in place and writes it; errors stay in w.Err.
func (w *segmentWriter) flush(last bool) {
	if w.c.done {
		w.Err = errTooLong
		return
	}
	if w.start != nil {
		w.Sink.Write(w.start)
		w.start = nil
	}
	if last {
		w.c.nonce[nonceSize-1] = 1
	}
	w.Sink.Write(w.c.Seal(w.buf[:0], w.c.nonce[:], w.buf, nil))
	w.c.advance()
	w.room = segmentSize - tagSize
	w.buf = w.buf[:0]
}

// segmentReader decrypts a body, one segment at a time and one byte ahead, which tells whether it is the last.
type segmentReader struct {
	src   *intake
	c     *segmentCipher
	size  int    // of the next segment, if it is not the last
	ahead int    // how many bytes of it were read already: 0 or 1
	next  byte   // that byte
	buf   []byte // a segment and a byte
	plain []byte // authenticated and not yet read; in buf
	err   error
}

// newSegmentReader reads the stream header; src is behind the envelope header.
func newSegmentReader(src *intake, key, header []byte) (*segmentReader, error) {
	streamHeader, err := readN(src, streamHeaderSize)
	if err != nil {
		return nil, err
	}
	if streamHeader[0] != streamHeaderSize {
		return nil, fmt.Errorf("stream header's length of %d bytes is not %d: %w", streamHeader[0], streamHeaderSize, ErrDamaged)
	}
	c, err := newSegmentCipher(key, streamHeader, header)
	if err != nil {
		return nil, err
	}
	return &segmentReader{src: src, c: c, size: segmentSize - streamHeaderSize, buf: make([]byte, segmentSize+1)}, nil
}

func (r *segmentReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.plain, r.err = r.segment()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

// Close releases the buffers.
func (r *segmentReader) Close() error {
	r.plain, r.buf, r.err = nil, nil, errClosed
	return nil
}

// segment returns the next segment's plain bytes, with io.EOF if it is the last.
func (r *segmentReader) segment() ([]byte, error) {
	r.buf[0] = r.next
	n, err := r.src.fill(r.buf[r.ahead : r.size+1])
	n += r.ahead
	if err == io.EOF {
		return r.last(r.buf[:n])
	}
	if err != nil {
		return nil, fmt.Errorf("aes256: reading the stored stream: %w", err)
	}
	r.next, r.ahead = r.buf[r.size], 1
	plain, err := r.c.Open(r.buf[:0], r.c.nonce[:], r.buf[:r.size], nil)
	if err != nil {
		return nil, fmt.Errorf("aes256: segment %d: %w", r.number(), ErrDamaged)
	}
	r.c.advance()
	if r.c.done {
		return nil, errTooLong
	}
	r.size = segmentSize
	return plain, nil
}

// last decrypts what lies before the end of the source. Where that is not a last segment, it
// tells a cut from a change as far as that is possible.
func (r *segmentReader) last(b []byte) ([]byte, error) {
	if len(b) < tagSize {
		return nil, fmt.Errorf("aes256: stream ends in segment %d: %w", r.number(), io.ErrUnexpectedEOF)
	}
	full := len(b) == r.size
	var saved []byte
	if full {
		saved = bytes.Clone(b) // a failed Open clears b
	}
	r.c.nonce[nonceSize-1] = 1
	plain, err := r.c.Open(b[:0], r.c.nonce[:], b, nil)
	if err == nil {
		return plain, io.EOF
	}
	r.c.nonce[nonceSize-1] = 0
	if !full {
		return nil, fmt.Errorf("aes256: stream ends early or was changed in segment %d: %w or %w", r.number(), io.ErrUnexpectedEOF, ErrDamaged)
	}
	if _, err := r.c.Open(saved[:0], r.c.nonce[:], saved, nil); err == nil {
		return nil, fmt.Errorf("aes256: stream ends after segment %d, which is not the last: %w", r.number(), io.ErrUnexpectedEOF)
	}
	return nil, fmt.Errorf("aes256: segment %d: %w", r.number(), ErrDamaged)
}

func (r *segmentReader) number() uint32 {
	return binary.BigEndian.Uint32(r.c.nonce[prefixSize:])
}
