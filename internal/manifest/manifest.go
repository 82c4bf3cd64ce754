// Package manifest is the format of the object that commits a snapshot, and of the sums
// objects beside it, as docs/FORMAT.md specifies them. It parses hostile input:
// what Parse and ParseSums return is bounded and consistent, though only the seal says who wrote it.
package manifest

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
)

const (
	// Format is the number that this package writes, and the newest that it reads.
	Format = 1
	// MaxSize bounds a manifest and a sums object, in bytes.
	MaxSize = 1 << 20
	// ChunkSize is the unit of verified reading, in bytes of the stored stream.
	ChunkSize = 8 << 20
	// MaxChunks is how many chunks a segment has at most, which keeps a manifest, and a sums
	// object, under MaxSize.
	MaxChunks = 9000
	// MaxText bounds the source, the original name, a label's key and its value, in bytes.
	MaxText = 1024
	// MaxLabels bounds the number of labels.
	MaxLabels = 64
	// MaxKeyIDs bounds the key ids of a stage.
	MaxKeyIDs = 64
	// MaxTexts bounds all of these texts together, in bytes. JSON may need six for one.
	MaxTexts = 32 << 10
)

// ErrDamaged: the object is not what was written.
var ErrDamaged = crypto.ErrDamaged

// ErrNewer: a format number that this package does not know.
var ErrNewer = errors.New("written by a newer version of this library: upgrade to read it")

// Digest is a SHA-256; hex in JSON.
type Digest [sha256.Size]byte

func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("digest of %d characters, want %d", len(b), hex.EncodedLen(len(d)))
	}
	if bytes.ContainsAny(b, "ABCDEF") {
		return errors.New("digest in capital letters")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// Time is RFC 3339 in UTC, in the one spelling that Go writes.
type Time time.Time

func (t Time) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, time.RFC3339Nano), nil
}

func (t *Time) UnmarshalText(b []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return err
	}
	*t = Time(parsed)
	if again, _ := t.MarshalText(); !bytes.Equal(again, b) {
		return fmt.Errorf("time %q is not RFC 3339 in UTC, without zeros at its end", b)
	}
	return nil
}

// Manifest is line 1.
type Manifest struct {
	Format       int               `json:"format"`
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	OriginalName string            `json:"original_name,omitempty"`
	CopiedFrom   string            `json:"copied_from,omitempty"`
	Ext          string            `json:"ext,omitempty"`
	Source       string            `json:"source,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Begun        Time              `json:"begun"`
	Ended        Time              `json:"ended"`
	Compression  Stage             `json:"compression"`
	Encryption   Stage             `json:"encryption"`
	PlainSize    int64             `json:"plain_size"`
	StoredSize   int64             `json:"stored_size"`
	ChunkSize    int64             `json:"chunk_size"`
	Numbered     bool              `json:"numbered,omitempty"` // the first segment has a number too
	Segments     segments          `json:"segments"`
}

// segments are counted while they are parsed, so that hostile ones take no memory.
type segments []Segment

func (s *segments) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("segments are not an array")
	}
	for *s = nil; d.More(); {
		if len(*s) == layout.MaxSegments {
			return fmt.Errorf("more than %d segments", layout.MaxSegments)
		}
		*s = append(*s, Segment{})
		if err := d.Decode(&(*s)[len(*s)-1]); err != nil {
			return err
		}
	}
	return nil
}

// Stage is a compressor or an encryptor.
type Stage struct {
	Name   string            `json:"name"`
	Ext    string            `json:"ext,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	KeyIDs []string          `json:"key_ids,omitempty"`
	Header []byte            `json:"header,omitempty"` // copy of the encryption header, base64
}

// Segment is one object's worth of the stored stream.
type Segment struct {
	Object string   `json:"object"` // base name
	Size   int64    `json:"size"`
	Digest Digest   `json:"digest"`           // SHA-256 of the chunk digests
	Chunks []Digest `json:"chunks,omitempty"` // only when there is one segment
}

// Sums is the content of a sums object: the chunk digests of one of several segments.
type Sums struct {
	Format  int      `json:"format"`
	ID      string   `json:"id"`
	Segment int      `json:"segment"` // from 1
	Chunks  []Digest `json:"chunks"`
}

// DigestOf is a segment's digest.
func DigestOf(chunks []Digest) Digest {
	h := sha256.New()
	for i := range chunks {
		h.Write(chunks[i][:])
	}
	return Digest(h.Sum(nil))
}

// clearSeal is line 2 of a snapshot without encryption.
type clearSeal struct {
	PlainSHA256    Digest `json:"plain_sha256"`
	ManifestSHA256 Digest `json:"manifest_sha256"`
}

// cryptSeal is line 2 of an encrypted one: what Encryption.Seal made of line 1 and the plain stream's SHA-256.
type cryptSeal struct {
	Seal []byte `json:"seal"`
}

// Encode makes the object. seal is nil for a snapshot without encryption.
func (m *Manifest) Encode(plain Digest, seal func(body, secret []byte) ([]byte, error)) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var line2 any = clearSeal{plain, sha256.Sum256(body)}
	if seal != nil {
		sealed, err := seal(body, plain[:])
		if err != nil {
			return nil, fmt.Errorf("sealing the manifest: %w", err)
		}
		line2 = cryptSeal{sealed}
	}
	second, err := json.Marshal(line2)
	if err != nil {
		return nil, err
	}
	object := bytes.Join([][]byte{body, second, nil}, []byte("\n"))
	if len(object) > MaxSize {
		return nil, fmt.Errorf("manifest of %d bytes, at most %d are allowed", len(object), MaxSize)
	}
	if _, err := Parse(object); err != nil { // never write what cannot be read
		return nil, fmt.Errorf("manifest does not parse: %w", err)
	}
	return object, nil
}

// Sealed is a parsed manifest with what proves it.
type Sealed struct {
	*Manifest
	body []byte
	line []byte
}

// Parse reads the object. What it returns is consistent, but not yet authentic.
func Parse(object []byte) (*Sealed, error) {
	if len(object) > MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrDamaged, MaxSize)
	}
	body, line, ok := bytes.Cut(object, []byte("\n"))
	line, terminated := bytes.CutSuffix(line, []byte("\n"))
	if err := checkFormat(body); err != nil {
		return nil, err
	}
	if !ok || !terminated || bytes.IndexByte(line, '\n') >= 0 {
		return nil, fmt.Errorf("%w: not two lines", ErrDamaged)
	}
	if err := checkSpelling(body); err != nil {
		return nil, fmt.Errorf("%w: line 1: %w", ErrDamaged, err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, fmt.Errorf("%w: line 1 is not a manifest: %w", ErrDamaged, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return &Sealed{m, body, line}, nil
}

// Encrypted reports whether the snapshot, by its own word, is.
func (m *Manifest) Encrypted() bool { return m.Encryption.Name != crypto.None.Name() }

// Unseal checks the seal and returns the SHA-256 of the plain stream. d is nil for a
// snapshot without encryption.
func (s *Sealed) Unseal(d crypto.Decryption) (Digest, error) {
	if d == nil {
		return s.unsealClear()
	}
	var seal cryptSeal
	if err := unmarshalExactly(s.line, &seal); err != nil || len(seal.Seal) == 0 || len(seal.Seal) > crypto.MaxSeal {
		return Digest{}, fmt.Errorf("%w: the manifest's seal is missing or malformed", ErrDamaged)
	}
	secret, err := d.Unseal(s.body, seal.Seal)
	if err != nil {
		return Digest{}, fmt.Errorf("the manifest's seal: %w", err)
	}
	if len(secret) != sha256.Size {
		return Digest{}, fmt.Errorf("%w: the manifest's seal holds %d bytes", ErrDamaged, len(secret))
	}
	return Digest(secret), nil
}

func (s *Sealed) unsealClear() (Digest, error) {
	var seal clearSeal
	if err := unmarshalExactly(s.line, &seal); err != nil {
		return Digest{}, fmt.Errorf("%w: line 2 of the manifest: %w", ErrDamaged, err)
	}
	if sum := sha256.Sum256(s.body); subtle.ConstantTimeCompare(sum[:], seal.ManifestSHA256[:]) != 1 {
		return Digest{}, fmt.Errorf("%w: the manifest does not match its digest", ErrDamaged)
	}
	return seal.PlainSHA256, nil
}

// EncodeSums makes a sums object.
func EncodeSums(id string, segment int, chunks []Digest) ([]byte, error) {
	return json.Marshal(Sums{Format, id, segment, chunks})
}

// ParseSums reads the sums of segment i, from 1, and compares them with the manifest's digest.
func (m *Manifest) ParseSums(object []byte, i int) ([]Digest, error) {
	var s Sums
	if len(object) > MaxSize {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrDamaged, MaxSize)
	}
	if err := unmarshalExactly(object, &s); err != nil {
		return nil, fmt.Errorf("%w: not a sums object: %w", ErrDamaged, err)
	}
	seg := m.Segments[i-1]
	if s.Format != Format || s.ID != m.ID || s.Segment != i || int64(len(s.Chunks)) != chunksIn(seg.Size, m.ChunkSize) ||
		DigestOf(s.Chunks) != seg.Digest {
		return nil, fmt.Errorf("%w: these are not the sums of segment %d of %s", ErrDamaged, i, m.ID)
	}
	return s.Chunks, nil
}

// unmarshalExactly accepts only the bytes that Marshal makes, where no digest or seal covers them: JSON has many spellings.
func unmarshalExactly(data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	if again, err := json.Marshal(v); err != nil || !bytes.Equal(again, data) {
		return errors.New("not in its one spelling")
	}
	return nil
}

// Exts is everything behind the id in the object's name.
func (m *Manifest) Exts() string { return m.Ext + m.Compression.Ext + m.Encryption.Ext }

// Object is the whole name of segment i, from 1.
func (m *Manifest) Object(i int) string {
	return layout.Segment(layout.Data(m.Name, m.ID, m.Exts()), i, m.Numbered)
}
