package crypto

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/databasement/backup/internal/sink"
)

// AES256 encrypts and authenticates streams of up to 4 PiB with AES-256-GCM, each under a random data key of its own, which
// keys wraps. Who has none of the keys can neither read nor change anything unnoticed, but can delete
// a stream, or put an older one of the same identity in its place. It is a [Rewrapper].
//
// A stream is header and body. The header, all integers big-endian:
//
//	8  magic: "DBBKAES" and the format's version, 0x01
//	2  length of the whole header, up to 8192
//	1  length of the key id, then the key id: [a-z0-9][a-z0-9._-]{0,63}
//	1  length of the snapshot's name, then the name
//	1  length of the snapshot's id, then the id
//	2  length of the wrapped data key, 1 to 4096, then that
//
// The data key, 32 bytes, is wrapped by the [KeyWrapper]; what it is bound to (the additional authenticated data) is
// the header up to the wrapped key's length, without the 2 bytes of the header's own length. [Keyring]
// says how it wraps.
//
// The body is the wire format of Tink's streaming AEAD AES256-GCM-HKDF with SHA-256, derived keys of 32 bytes and
// ciphertext segments of 1 MiB. Its key is HKDF-SHA256 of the data key with no salt and the info "body";
// its associated data is the whole header.
//
// A seal is a random nonce of 12 bytes, then the secret in AES-256-GCM with the body of the manifest as
// additional authenticated data, under HKDF-SHA256 of the data key with no salt and the info "manifest".
//
// Writing and reading take 1 MiB of memory each. A header is at most 4685 bytes.
func AES256(keys KeyWrapper) Encryptor {
	if keys == nil {
		keys = NewKeyring(Key{})
	}
	return &aes256{keys}
}

type aes256 struct {
	keys KeyWrapper
}

func (a *aes256) Name() string      { return "aes256" }
func (a *aes256) Extension() string { return ".aes" }

// KeyIDs is the id of the active key: the others only read.
func (a *aes256) KeyIDs() []string {
	if id := a.keys.KeyID(); id != "" {
		return []string{id}
	}
	return nil
}

// held lists the keys at hand.
// HeldKeyIDs implements [KeyHolder].
func (a *aes256) HeldKeyIDs() []string { return a.held() }

func (a *aes256) held() []string {
	if l, ok := a.keys.(interface{ KeyIDs() []string }); ok {
		return l.KeyIDs()
	}
	return a.KeyIDs()
}

func (a *aes256) Encrypt(ctx context.Context, dst io.Writer, id Identity) (Encryption, error) {
	dataKey := make([]byte, KeySize)
	rand.Read(dataKey) // never fails
	header, err := a.wrap(ctx, dataKey, id.Name, id.ID)
	if err != nil {
		return nil, err
	}
	w, err := newSegmentWriter(sink.Sink{Ctx: ctx, Dst: dst}, derive(dataKey, "body"), header)
	if err != nil {
		return nil, fmt.Errorf("aes256: %w", err)
	}
	return &aesEncryption{w, header, manifestCipher(dataKey)}, nil
}

// wrap makes a header with the data key under the active key.
func (a *aes256) wrap(ctx context.Context, dataKey []byte, name, id string) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("aes256: wrapping the data key: %w", err)
	}
	h := header{keyID: a.keys.KeyID(), name: name, id: id, wrapped: []byte{0}}
	if h.keyID != "" { // a keyring without an active key explains itself
		if err := h.check(); err != nil {
			return nil, fmt.Errorf("aes256: %w", err)
		}
	}
	var err error
	if h.wrapped, err = a.keys.WrapKey(ctx, dataKey, h.wrapAAD()); err != nil {
		return nil, fmt.Errorf("aes256: wrapping the data key: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("aes256: %w", err)
	}
	return h.marshal(), nil
}

// Open checks identities, then unwraps the data key from the first header whose key is at hand.
func (a *aes256) Open(ctx context.Context, e Envelope) (Decryption, error) {
	d := &aesDecryption{a: a, e: e}
	if len(e.Header) == 0 {
		return d, nil
	}
	var err error
	d.dataKey, err = a.unwrap(ctx, e)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Rewrap implements [Rewrapper].
func (a *aes256) Rewrap(ctx context.Context, e Envelope) (keyID string, raw []byte, err error) {
	if len(e.Header) == 0 {
		return "", nil, errNoHeader
	}
	dataKey, err := a.unwrap(ctx, e)
	if err != nil {
		return "", nil, err
	}
	h, err := parseHeader(e.Header)
	if err != nil {
		return "", nil, fmt.Errorf("aes256: %w", err)
	}
	raw, err = a.wrap(ctx, dataKey, h.name, h.id)
	return a.keys.KeyID(), raw, err
}

// unwrap finds the data key of e, whose Header is given. One wrapped key that is damaged is no reason not to
// try the others, only the error if none of them will do.
func (a *aes256) unwrap(ctx context.Context, e Envelope) ([]byte, error) {
	primary, err := parseHeader(e.Header)
	if err != nil {
		return nil, fmt.Errorf("aes256: %w", err)
	}
	if w := e.Want; (w.Name != "" || w.ID != "") && (w.Name != primary.name || w.ID != primary.id) {
		return nil, fmt.Errorf("aes256: stream is of snapshot %q %q, not of %q %q: %w", primary.name, primary.id, w.Name, w.ID, ErrDamaged)
	}
	missing := &KeyError{Format: a.Name(), Have: a.held()}
	var first error
	for _, h := range append([]header{primary}, wrapsOf(primary, e.Wraps)...) {
		dataKey, err := a.try(ctx, h)
		if err == nil {
			return dataKey, nil
		}
		missing.Need = append(missing.Need, h.keyID)
		if !errors.Is(err, ErrKeyNotFound) && first == nil {
			first = fmt.Errorf("aes256: %w", err)
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, missing
}

// wrapsOf parses those further headers that are of the same snapshot as primary. Others are passed over: whoever
// can write to the volume could put one there to stop a restore.
func wrapsOf(primary header, raw [][]byte) []header {
	var wraps []header
	for _, b := range raw {
		if h, err := parseHeader(b); err == nil && h.name == primary.name && h.id == primary.id {
			wraps = append(wraps, h)
		}
	}
	return wraps
}

// try unwraps the data key from one header.
func (a *aes256) try(ctx context.Context, h header) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	dataKey, err := a.keys.UnwrapKey(ctx, h.keyID, h.wrapped, h.wrapAAD())
	if err == nil && len(dataKey) != KeySize {
		return nil, fmt.Errorf("data key is %d bytes long, not %d: %w", len(dataKey), KeySize, ErrDamaged)
	}
	return dataKey, err
}

// manifestCipher is what seals the manifest of the snapshot that has this data key.
func manifestCipher(dataKey []byte) cipher.AEAD { return newGCM(derive(dataKey, "manifest")) }

type aesEncryption struct {
	*segmentWriter
	header   []byte
	manifest cipher.AEAD
}

func (e *aesEncryption) Header() []byte { return bytes.Clone(e.header) }

func (e *aesEncryption) Seal(body, secret []byte) ([]byte, error) {
	if n := nonceSize + len(secret) + tagSize; n > MaxSeal {
		return nil, fmt.Errorf("aes256: seal of %d bytes is longer than %d", n, MaxSeal)
	}
	return sealGCM(e.manifest, secret, body), nil
}

type aesDecryption struct {
	a       *aes256
	e       Envelope
	dataKey []byte // nil if the header is still to be read from the stream
}

func (d *aesDecryption) Unseal(body, seal []byte) ([]byte, error) {
	if d.dataKey == nil {
		return nil, errNoHeader
	}
	if len(seal) > MaxSeal {
		return nil, fmt.Errorf("aes256: seal of %d bytes is longer than %d: %w", len(seal), MaxSeal, ErrDamaged)
	}
	secret, err := openGCM(manifestCipher(d.dataKey), seal, body)
	if err != nil {
		return nil, fmt.Errorf("aes256: seal does not fit: %w", err)
	}
	return secret, nil
}

func (d *aesDecryption) Decrypt(ctx context.Context, src Source) (io.ReadCloser, error) {
	s := &intake{ctx: ctx, src: src}
	header, dataKey, err := d.begin(s)
	if err != nil {
		return nil, err
	}
	r, err := newSegmentReader(s, derive(dataKey, "body"), header)
	if err != nil {
		return nil, fmt.Errorf("aes256: %w", err)
	}
	return r, nil
}

// begin reads the stream's header, which is the manifest's or else says what the data key is.
func (d *aesDecryption) begin(s *intake) (header, dataKey []byte, err error) {
	e := d.e
	if d.dataKey != nil {
		header, err = readN(s, len(e.Header))
	} else {
		header, err = readHeader(s)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("aes256: %w", err)
	}
	if d.dataKey == nil {
		e.Header = header
		dataKey, err = d.a.unwrap(s.ctx, e)
		return header, dataKey, err
	}
	if !bytes.Equal(header, e.Header) {
		return nil, nil, fmt.Errorf("aes256: stream's header is not the manifest's: %w", ErrDamaged)
	}
	return header, d.dataKey, nil
}
