// Package crypto has the encryptors: None, AES256 (an envelope of our own
// around Tink's streaming AEAD, with a keyring) and Age; and keys.
//
// What belongs here is how a stream is encrypted and how a manifest is sealed.
// What a manifest says, and where objects live, does not.
package crypto

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
)

// Encryptor is an encrypting stage. It is immutable and safe for concurrent use.
type Encryptor interface {
	// Name is what the manifest calls the format, such as "aes256": 1 to 32 of [a-z0-9-].
	Name() string
	// Extension is what an object's name gets, such as ".aes", empty for None;
	// it matches (\.[a-z0-9]{1,10})?.
	Extension() string
	// KeyIDs names the keys that can read what Encrypt writes, for the manifest and for people. It
	// reveals nothing of the keys. It may be empty.
	KeyIDs() []string

	// Encrypt begins the encryption of one snapshot's stream to dst. What it writes is bound to
	// id where the format can.
	Encrypt(ctx context.Context, dst io.Writer, id Identity) (Encryption, error)

	// Open finds the key for reading one snapshot. Without one it is a [*KeyError], before any
	// data is read.
	Open(ctx context.Context, e Envelope) (Decryption, error)
}

// Identity is what a snapshot is called, and what its archive calls it.
type Identity struct {
	Name string    // the snapshot's name, such as "shop"
	ID   string    // its id, such as "20261122t175500123z-7f3a9c2e"
	Ext  string    // the plain stream's extension, such as ".sql"
	Time time.Time // when it was begun
}

// Encryption is one stream being encrypted. It is used by one goroutine.
type Encryption interface {
	// Write encrypts. Close ends the stream and never closes what is below; Close after a
	// failed Write only releases.
	io.WriteCloser
	// Header is the clear-text start of the stream that a reader needs to find its key, at most
	// [MaxHeader] bytes, for a copy in the manifest; nil if the format has none.
	Header() []byte
	// Seal protects a manifest: Unseal of the same body gives secret back, of any other body it
	// fails. secret stays confidential. The result is at most [MaxSeal] bytes. Seal may be
	// called after Close.
	Seal(body, secret []byte) (seal []byte, err error)
}

// LateHeader is an [Encryptor] that knows the first bytes of a stream only when all of it was written, such as
// 7z. Its Encryptions write placeholders first, and are [LateHead]s.
type LateHeader interface {
	Encryptor
	// HeadSize is how many bytes; between 1 and storage.MaxHead.
	HeadSize() int
}

// LateHead is an [Encryption] of a [LateHeader].
type LateHead interface {
	Encryption
	// Head returns the HeadSize bytes that replace the placeholders; only after Close.
	Head() ([]byte, error)
}

// Compressing is an [Encryptor] whose format compresses by itself, such as 7z; a Compressor beside it
// is a configuration error.
type Compressing interface {
	Encryptor
	// Params describes its settings, as compress.Compressor.Params does.
	Params() map[string]string
}

// Envelope is what is known of a stream before any of it is decrypted.
type Envelope struct {
	// Header is Encryption.Header from the manifest, or nil when there is no manifest and
	// the header is still to be read from the stream.
	Header []byte
	// Wraps are further headers made by Rewrap.
	Wraps [][]byte
	// Want is what the snapshot must be; a zero Name and ID are not compared.
	Want Identity
}

// Decryption reads one snapshot.
type Decryption interface {
	// Unseal checks that seal was made for body, and returns the secret.
	Unseal(body, seal []byte) (secret []byte, err error)
	// Decrypt returns the plain stream of src. Truncated input is io.ErrUnexpectedEOF, any other
	// change [ErrDamaged]; both are sticky, and nothing unauthenticated is released by formats that
	// authenticate. Close ends every goroutine and never closes src. ctx governs reading too.
	Decrypt(ctx context.Context, src Source) (io.ReadCloser, error)
}

// Source is a stored stream: read it in order or at random, not both at once.
type Source interface {
	io.Reader
	io.ReaderAt
	Size() int64
}

// Rewrapper is an [Encryptor] that can give a further key access to a stream without touching it.
type Rewrapper interface {
	// Rewrap returns a header for e with the active key, and that key's id.
	Rewrap(ctx context.Context, e Envelope) (keyID string, header []byte, err error)
}

// KeyHolder is an [Encryptor] that can say which keys it has for reading.
type KeyHolder interface {
	// HeldKeyIDs names them; none means that it only writes.
	HeldKeyIDs() []string
}

// Limits that readers of a manifest enforce.
const (
	MaxHeader = 8 << 10
	MaxSeal   = 64 << 10
)

// ErrDamaged: the stream, header or seal is not what was written (or was made with another key of
// the same id).
var ErrDamaged = errors.New("damaged or tampered with")

// KeyError says that no key at hand opens a stream, and which would.
type KeyError struct {
	Format string   // such as "aes256"
	Need   []string // the ids of keys that would do, as far as is known
	Have   []string // the ids of those at hand
}

func (e *KeyError) Error() string {
	need := "one that it does not name"
	if len(e.Need) > 0 {
		need = list(e.Need)
	}
	return "no key for this " + e.Format + " stream: needs " + need + ", have " + list(e.Have)
}

func list(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}
