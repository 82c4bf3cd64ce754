package sevenzip

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/header"
)

// cbcBuffer is how much is encrypted or decrypted in one piece, in bytes.
const cbcBuffer = 64 << 10

// coderAES describes AES-256 in CBC mode with a key of k.
func coderAES(k kdf, iv []byte) header.Coder {
	p := []byte{k.power | 1<<6, aes.BlockSize - 1}
	if k.salt != "" {
		p[0] |= 1 << 7
		p[1] |= byte(len(k.salt)-1) << 4
	}
	return header.Coder{Method: header.AES, Inputs: 1, Properties: append(append(p, k.salt...), iv...)}
}

// parseAES is the reverse of coderAES; shorter initialization vectors end in zeros.
func parseAES(p []byte) (k kdf, iv []byte, err error) {
	if len(p) == 0 {
		return k, nil, fmt.Errorf("7z: AES without properties: %w", crypto.ErrDamaged)
	}
	k.power = p[0] & 0x3f
	if k.power > kdfMaxPower && k.power != kdfPlain {
		return k, nil, fmt.Errorf("7z: the key takes 2^%d rounds, at most 2^%d are done: %w", k.power, kdfMaxPower, crypto.ErrDamaged)
	}
	salt, size := int(p[0]>>7), int(p[0]>>6&1)
	if salt+size > 0 {
		if len(p) < 2 {
			return k, nil, fmt.Errorf("7z: AES properties of %d byte: %w", len(p), crypto.ErrDamaged)
		}
		salt, size = salt+int(p[1]>>4), size+int(p[1]&0xf)
		p = p[1:]
	}
	if p = p[1:]; len(p) != salt+size {
		return k, nil, fmt.Errorf("7z: AES properties say %d bytes of salt and vector, and have %d: %w", salt+size, len(p), crypto.ErrDamaged)
	}
	k.salt = string(p[:salt])
	iv = make([]byte, aes.BlockSize)
	copy(iv, p[salt:])
	return k, iv, nil
}

// cbcWriter encrypts what it is given. Close pads it with zeros to whole blocks.
type cbcWriter struct {
	dst  io.Writer
	mode cipher.BlockMode
	buf  []byte // less than all its capacity
	in   uint64 // bytes written
	out  uint64 // bytes written to dst
}

func newCBCWriter(dst io.Writer, block cipher.Block, iv []byte) *cbcWriter {
	return &cbcWriter{dst: dst, mode: cipher.NewCBCEncrypter(block, iv), buf: make([]byte, 0, cbcBuffer)}
}

func (w *cbcWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		k := min(len(p), cap(w.buf)-len(w.buf))
		w.buf = append(w.buf, p[:k]...)
		p, n = p[k:], n+k
		if len(w.buf) == cap(w.buf) {
			err = w.flush()
		}
	}
	w.in += uint64(n)
	return n, err
}

// Close ends the stream; it never closes dst.
func (w *cbcWriter) Close() error {
	if padding := -len(w.buf) & (aes.BlockSize - 1); padding > 0 {
		w.buf = append(w.buf, make([]byte, padding)...)
	}
	return w.flush()
}

// flush encrypts whole blocks.
func (w *cbcWriter) flush() error {
	w.mode.CryptBlocks(w.buf, w.buf)
	n, err := w.dst.Write(w.buf)
	w.out += uint64(n)
	if err == nil && n < len(w.buf) {
		err = io.ErrShortWrite
	}
	w.buf = w.buf[:0]
	return err
}

// cbcReader decrypts src, which must consist of whole blocks.
type cbcReader struct {
	src  io.Reader
	mode cipher.BlockMode
	buf  []byte
	rest []byte // decrypted, not yet read
	err  error
}

func newCBCReader(src io.Reader, block cipher.Block, iv []byte) *cbcReader {
	return &cbcReader{src: src, mode: cipher.NewCBCDecrypter(block, iv), buf: make([]byte, cbcBuffer)}
}

func (r *cbcReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// fill decrypts the next blocks into rest.
func (r *cbcReader) fill() {
	n := 0
	for n < len(r.buf) && r.err == nil {
		var m int
		m, r.err = r.src.Read(r.buf[n:])
		n += m
	}
	whole := n &^ (aes.BlockSize - 1)
	if r.err == io.EOF && n > whole {
		r.err = io.ErrUnexpectedEOF
	}
	r.rest = r.buf[:whole]
	r.mode.CryptBlocks(r.rest, r.rest)
}
