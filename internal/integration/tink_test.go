package integration

import (
	"bytes"
	"context"
	"crypto/hkdf"
	crand "crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
	tink "github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// The body of an AES256 stream is Tink's AES256-GCM-HKDF with 1 MiB segments: these tests have Tink
// read ours and us read Tink's, by what the documentation of crypto.AES256 says and nothing else.

const (
	segment       = 1 << 20
	streamHeader  = 40
	tag           = 16
	firstSegment  = segment - streamHeader - tag
	secondSegment = segment - tag
)

// spy is a KeyWrapper that shows the data key, with wrapped keys of random length, so that the associated
// data differs in every stream.
type spy struct {
	dataKey, wrapped []byte
}

func (s *spy) KeyID() string { return "spy-1" }

func (s *spy) WrapKey(_ context.Context, dataKey, _ []byte) ([]byte, error) {
	s.dataKey = bytes.Clone(dataKey)
	s.wrapped = make([]byte, 1+rand.IntN(crypto.MaxWrapped))
	crand.Read(s.wrapped)
	return s.wrapped, nil
}

func (s *spy) UnwrapKey(_ context.Context, _ string, wrapped, _ []byte) ([]byte, error) {
	if !bytes.Equal(wrapped, s.wrapped) {
		return nil, crypto.ErrDamaged
	}
	return s.dataKey, nil
}

// tinkFor is Tink's streaming AEAD with the body key of the spied stream.
func tinkFor(t *testing.T, s *spy) *tink.AESGCMHKDF {
	t.Helper()
	key, err := hkdf.Key(sha256.New, s.dataKey, nil, "body", 32)
	if err != nil {
		t.Fatal(err)
	}
	a, err := tink.NewAESGCMHKDF(key, "SHA256", 32, segment, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sizes are plain lengths around every boundary of the first segments, and some at random.
func sizes() []int {
	s := []int{0, 1, 15, 16, 17, 1000}
	for _, edge := range []int{firstSegment, firstSegment + secondSegment, firstSegment + 2*secondSegment, segment, 2 * segment} {
		s = append(s, edge-tag, edge-1, edge, edge+1, edge+tag)
	}
	for range 5 {
		s = append(s, rand.IntN(4*segment))
	}
	return s
}

func randomIdentity() crypto.Identity {
	return crypto.Identity{Name: strings.Repeat("n", rand.IntN(256)), ID: fmt.Sprint(rand.Uint64())}
}

func TestTinkReadsOurs(t *testing.T) {
	for _, size := range sizes() {
		var s spy
		var stored bytes.Buffer
		enc, err := crypto.AES256(&s).Encrypt(t.Context(), &stored, randomIdentity())
		if err != nil {
			t.Fatal(err)
		}
		plain := make([]byte, size)
		crand.Read(plain)
		if _, err := enc.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := enc.Close(); err != nil {
			t.Fatal(err)
		}
		header := stored.Next(len(enc.Header()))
		if !bytes.Equal(header, enc.Header()) {
			t.Fatal("stream does not begin with its header")
		}
		r, err := tinkFor(t, &s).NewDecryptingReader(&stored, header)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: Tink reads %d, %v", size, len(got), err)
		}
	}
}

func TestWeReadTinks(t *testing.T) {
	for _, size := range sizes() {
		var s spy
		e := crypto.AES256(&s)
		id := randomIdentity()
		enc, err := e.Encrypt(t.Context(), io.Discard, id)
		if err != nil {
			t.Fatal(err)
		}
		header := enc.Header()
		stored := bytes.NewBuffer(bytes.Clone(header))
		plain := make([]byte, size)
		crand.Read(plain)
		w, err := tinkFor(t, &s).NewEncryptingWriter(stored, header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, env := range []crypto.Envelope{{}, {Header: header, Want: id}} {
			got, err := read(t, e, env, stored.Bytes())
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes: we read %d, %v", size, len(got), err)
			}
		}
		stored.Bytes()[stored.Len()-1] ^= 1
		if _, err := read(t, e, crypto.Envelope{}, stored.Bytes()); err == nil {
			t.Errorf("%d bytes: a changed stream of Tink's is read", size)
		}
	}
}

func read(t *testing.T, e crypto.Encryptor, env crypto.Envelope, stored []byte) ([]byte, error) {
	t.Helper()
	d, err := e.Open(t.Context(), env)
	if err != nil {
		return nil, err
	}
	r, err := d.Decrypt(t.Context(), bytes.NewReader(stored))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
