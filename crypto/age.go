package crypto

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"github.com/databasement/backup/internal/sink"
)

// AgeOptions say who can read what [Age] writes, and what it can read itself.
type AgeOptions struct {
	// Recipients are who can read new streams. Without any, Age only reads.
	Recipients []age.Recipient
	// Identities are the keys for reading. Without any, Age only writes: a machine that makes backups
	// need not be able to read them.
	Identities []age.Identity
}

// Age encrypts streams as age files (https://age-encryption.org/v1), which the stock age opens. Get recipients and identities from
// [ParseRecipients] and [ParseIdentities], or both from [AgePassphrase].
//
// Encryption to public recipients (X25519, hybrid post-quantum, SSH) authenticates nobody: damage to a stream is
// noticed, but whoever knows the recipients can make a whole other stream, manifest and seal. A passphrase
// authenticates those who know it. The format does not bind a stream to its snapshot; the seal does.
//
// A seal is a second age file to the same recipients, of: 8 bytes "DBBKAGE" and the version 0x01, the 32 bytes
// of SHA-256 of the manifest's body, and the secret.
//
// Writing and reading take some 200 KiB of memory each; a passphrase takes 256 MiB for about a second.
func Age(o *AgeOptions) Encryptor {
	if o == nil {
		o = &AgeOptions{}
	}
	return &ageEncryptor{
		recipients: append([]age.Recipient(nil), o.Recipients...),
		identities: append([]age.Identity(nil), o.Identities...),
	}
}

// ageSealMagic begins the plain text of every age seal; its last byte is the format's version.
const ageSealMagic = "DBBKAGE\x01"

// ageNonceSize is what stands between an age file's header and its first chunk.
const ageNonceSize = 16

type ageEncryptor struct {
	recipients []age.Recipient
	identities []age.Identity
}

func (a *ageEncryptor) Name() string      { return "age" }
func (a *ageEncryptor) Extension() string { return ".age" }

// KeyIDs are the hex of the first 8 bytes of SHA-256 of each recipient's text, where it has one.
func (a *ageEncryptor) KeyIDs() []string {
	var ids []string
	for _, r := range a.recipients {
		if id := recipientID(r); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// HeldKeyIDs implements [KeyHolder].
func (a *ageEncryptor) HeldKeyIDs() []string {
	var ids []string
	for _, i := range a.identities {
		ids = append(ids, identityID(i))
	}
	return ids
}

func (a *ageEncryptor) Encrypt(ctx context.Context, dst io.Writer, _ Identity) (Encryption, error) {
	if len(a.recipients) == 0 {
		return nil, errors.New("age: no recipients to encrypt to: set AgeOptions.Recipients")
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	late := &lateWriter{Sink: sink.Sink{Ctx: ctx, Dst: dst}}
	w, err := age.Encrypt(late, a.recipients...)
	if err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	header := bytes.Clone(late.start[:len(late.start)-ageNonceSize])
	if len(header) > MaxHeader {
		header = nil
	}
	late.begun = true
	return &ageEncryption{a: a, late: late, w: w, header: header}, nil
}

// lateWriter keeps what is written before begun, and writes it with what comes first after.
type lateWriter struct {
	sink.Sink
	start []byte
	begun bool
}

func (l *lateWriter) Write(p []byte) (int, error) {
	if !l.begun {
		l.start = append(l.start, p...)
		return len(p), nil
	}
	if l.start != nil {
		l.Sink.Write(l.start)
		l.start = nil
	}
	return l.Sink.Write(p)
}

type ageEncryption struct {
	a      *ageEncryptor
	late   *lateWriter
	w      io.WriteCloser
	header []byte
	closed bool
}

// Write checks ctx by itself, because age writes below only once in 64 KiB.
func (e *ageEncryption) Write(p []byte) (int, error) {
	if e.closed {
		return 0, errClosed
	}
	if err := e.late.Failed(); err != nil {
		return 0, err
	}
	n, err := e.w.Write(p)
	if e.late.Err != nil {
		err = e.late.Err
	}
	return n, err
}

func (e *ageEncryption) Close() error {
	if e.closed {
		return e.late.Err
	}
	e.closed = true
	if err := e.late.Failed(); err != nil {
		return err
	}
	if err := e.w.Close(); err != nil && e.late.Err == nil {
		e.late.Err = fmt.Errorf("age: %w", err)
	}
	return e.late.Err
}

func (e *ageEncryption) Header() []byte { return bytes.Clone(e.header) }

func (e *ageEncryption) Seal(body, secret []byte) ([]byte, error) {
	sum := sha256.Sum256(body)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, e.a.recipients...)
	if err != nil {
		return nil, fmt.Errorf("age: sealing: %w", err)
	}
	for _, part := range [][]byte{[]byte(ageSealMagic), sum[:], secret} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("age: sealing: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("age: sealing: %w", err)
	}
	if out.Len() > MaxSeal {
		return nil, fmt.Errorf("age: seal of %d bytes is longer than %d", out.Len(), MaxSeal)
	}
	return out.Bytes(), nil
}

// Open tries the identities on the header, if there is one: age can tell only by trying.
func (a *ageEncryptor) Open(ctx context.Context, e Envelope) (Decryption, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	if len(a.identities) == 0 && len(e.Header) == 0 {
		return nil, &KeyError{Format: a.Name(), Need: []string{"an age identity"}}
	}
	d := &ageDecryption{a: a, header: e.Header, identities: a.identities}
	if len(e.Header) == 0 {
		return d, nil
	}
	if len(e.Header) > MaxHeader {
		return nil, fmt.Errorf("age: header of %d bytes is longer than %d: %w", len(e.Header), MaxHeader, ErrDamaged)
	}
	fileKey, err := age.DecryptHeader(e.Header, a.reading()...)
	if err != nil {
		return nil, a.explain("header", err)
	}
	d.identities = []age.Identity{age.NewInjectedFileKeyIdentity(fileKey)}
	return d, nil
}

// reading is the identities, never none: age has no KeyError for none.
func (a *ageEncryptor) reading() []age.Identity {
	if len(a.identities) == 0 {
		return []age.Identity{noIdentity{}}
	}
	return a.identities
}

type noIdentity struct{}

func (noIdentity) Unwrap([]*age.Stanza) ([]byte, error) { return nil, age.ErrIncorrectIdentity }

// explain turns an error of age into one of this package: a missing key, or damage to what.
func (a *ageEncryptor) explain(what string, err error) error {
	var noMatch *age.NoIdentityMatchError
	if errors.As(err, &noMatch) {
		k := &KeyError{Format: a.Name()}
		for _, typ := range noMatch.StanzaTypes {
			k.Need = append(k.Need, "an identity for "+fmt.Sprintf("%.32q", typ))
		}
		for _, i := range a.identities {
			k.Have = append(k.Have, identityID(i))
		}
		return k
	}
	return fmt.Errorf("age: %s: %w (%.200s)", what, ErrDamaged, err.Error())
}

type ageDecryption struct {
	a          *ageEncryptor
	header     []byte
	identities []age.Identity // for the stream; the seal has another file key
}

func (d *ageDecryption) Unseal(body, seal []byte) ([]byte, error) {
	if len(seal) > MaxSeal {
		return nil, fmt.Errorf("age: seal of %d bytes is longer than %d: %w", len(seal), MaxSeal, ErrDamaged)
	}
	r, err := age.Decrypt(bytes.NewReader(seal), d.a.reading()...)
	if err != nil {
		return nil, d.a.explain("seal", err)
	}
	plain, err := io.ReadAll(r) // at most MaxSeal
	if err != nil {
		return nil, d.a.explain("seal", err)
	}
	sum := sha256.Sum256(body)
	want := append([]byte(ageSealMagic), sum[:]...)
	if len(plain) < len(want) || subtle.ConstantTimeCompare(plain[:len(want)], want) != 1 {
		return nil, fmt.Errorf("age: seal is of another manifest: %w", ErrDamaged)
	}
	return plain[len(want):], nil
}

func (d *ageDecryption) Decrypt(ctx context.Context, src Source) (io.ReadCloser, error) {
	r := &ageReader{a: d.a, src: &intake{ctx: ctx, src: src}}
	start, err := readN(r.src, len(d.header))
	if err != nil {
		return nil, fmt.Errorf("age: %w", err)
	}
	if !bytes.Equal(start, d.header) {
		return nil, fmt.Errorf("age: stream's header is not the manifest's: %w", ErrDamaged)
	}
	identities := d.identities
	if len(identities) == 0 {
		identities = d.a.reading()
	}
	r.plain, err = age.Decrypt(io.MultiReader(bytes.NewReader(start), r.src), identities...)
	if err != nil {
		return nil, r.explain(err)
	}
	return r, nil
}

// ageReader gives age's errors the meaning that [Decryption] asks for.
type ageReader struct {
	a     *ageEncryptor
	src   *intake
	plain io.Reader
	err   error
}

func (r *ageReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if err := context.Cause(r.src.ctx); err != nil {
		r.err = fmt.Errorf("age: %w", err)
		return 0, r.err
	}
	n, err := r.plain.Read(p)
	if err != nil {
		r.err = r.explain(err)
	}
	return n, r.err
}

// Close releases the buffers.
func (r *ageReader) Close() error {
	r.plain, r.err = nil, errClosed
	return nil
}

// explain finds out what an error means. At the end of the source, a cut cannot always be told from a change.
func (r *ageReader) explain(err error) error {
	switch failed := r.src.failed(); {
	case failed != nil:
		return fmt.Errorf("age: reading the stored stream: %w", failed)
	case err == io.EOF:
		return io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("age: stream ends early: %w", io.ErrUnexpectedEOF)
	}
	err = r.a.explain("stream", err)
	if r.src.err == io.EOF && errors.Is(err, ErrDamaged) {
		return fmt.Errorf("age: stream ends early, or was changed: %w: %w", io.ErrUnexpectedEOF, err)
	}
	return err
}
