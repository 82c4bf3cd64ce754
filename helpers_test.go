package backup

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/storage"
)

var testKey, otherKey = crypto.NewKey(), crypto.NewKey()

func aes(active crypto.Key, old ...crypto.Key) crypto.Encryptor {
	return crypto.AES256(crypto.NewKeyring(active, old...))
}

var testIdentity = func() *age.X25519Identity {
	i, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	return i
}()

// writeOnly encrypts to testIdentity without being able to read.
func writeOnly() crypto.Encryptor {
	return crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{testIdentity.Recipient()}})
}

func readWrite() crypto.Encryptor {
	return crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{testIdentity.Recipient()}, Identities: []age.Identity{testIdentity}})
}

// testPassword is shared, because it remembers its AES key, which takes 0.1 s to derive, and more with -race.
var testPassword = sevenzip.FromKey(testKey)

// archives makes .7z of testPassword.
func archives(m sevenzip.Method) crypto.Encryptor {
	return archivesWith(testPassword, &sevenzip.Options{Method: m})
}

func archivesWith(p sevenzip.Password, o *sevenzip.Options) crypto.Encryptor {
	e, err := sevenzip.New(p, o)
	if err != nil {
		panic(err)
	}
	return e
}

// compresses says of an encryptor that it takes no compressor beside it.
func compresses(e crypto.Encryptor) bool {
	_, ok := e.(crypto.Compressing)
	return ok
}

// newBackup makes a Backup with small chunks. nil options are AES256 with testKey, and no compression.
func newBackup(t testing.TB, vol storage.Volume, opts *Options) *Backup {
	t.Helper()
	if opts == nil {
		opts = &Options{Compressor: compress.None, Encryptor: aes(testKey)}
	}
	b, err := New(vol, opts)
	if err != nil {
		t.Fatal(err)
	}
	b.chunkSize = 1000
	return b
}

// dump is n bytes of reproducible, somewhat compressible text.
func dump(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO events VALUES (%d, '%x', 'käse');\n", i, r.Uint64())
	}
	return b.Bytes()[:n]
}

func create(t testing.TB, b *Backup, name string, data []byte) *Snapshot {
	t.Helper()
	s, err := b.Create(t.Context(), name, bytes.NewReader(data), &CreateOptions{Ext: ".sql"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantRestored(t testing.TB, b *Backup, ref string, want []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := b.Restore(t.Context(), ref, &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("%s restores to %d other bytes, want %d", ref, got.Len(), len(want))
	}
}

func wantListed(t testing.TB, b *Backup, name string, want ...string) {
	t.Helper()
	list, err := b.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s lists %v, want %v", name, got, want)
	}
}

func objects(t testing.TB, v storage.Volume) []string {
	t.Helper()
	all, err := storage.ListAll(context.WithoutCancel(t.Context()), v, "")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

func content(t testing.TB, v storage.Volume, name string) []byte {
	t.Helper()
	b, err := storage.ReadObject(t.Context(), v, name, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t testing.TB, v storage.Volume, name string, data []byte) {
	t.Helper()
	if _, err := v.Put(t.Context(), name, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
}

func manifestOf(s *Snapshot) string { return s.Ref() + ".manifest.json" }

func onlyManifests(name string) bool { return strings.HasSuffix(name, ".manifest.json") }

func onlyData(name string) bool { return !onlyManifests(name) && !strings.Contains(name, ".sums-") }

// lateFormat is an archive format whose first eight bytes are the length of what follows, as in 7z.
type lateFormat struct{ crypto.Encryptor }

func (lateFormat) Name() string      { return "late" }
func (lateFormat) Extension() string { return ".late" }
func (lateFormat) HeadSize() int     { return 8 }

func (f lateFormat) Encrypt(ctx context.Context, dst io.Writer, id crypto.Identity) (crypto.Encryption, error) {
	e, err := f.Encryptor.Encrypt(ctx, io.Discard, id) // for the seal
	if err != nil {
		return nil, err
	}
	_, err = dst.Write(make([]byte, 8))
	return &lateStream{Encryption: e, dst: dst}, err
}

func (f lateFormat) Open(ctx context.Context, e crypto.Envelope) (crypto.Decryption, error) {
	d, err := f.Encryptor.Open(ctx, e)
	return lateReader{d}, err
}

type lateStream struct {
	crypto.Encryption
	dst io.Writer
	n   uint64
}

func (s *lateStream) Write(p []byte) (int, error) {
	n, err := s.dst.Write(p)
	s.n += uint64(n)
	return n, err
}

func (s *lateStream) Head() ([]byte, error) { return binary.BigEndian.AppendUint64(nil, s.n), nil }

type lateReader struct{ crypto.Decryption }

func (lateReader) Decrypt(_ context.Context, src crypto.Source) (io.ReadCloser, error) {
	var head [8]byte
	if _, err := src.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint64(head[:]))
	if n != src.Size()-8 {
		return nil, fmt.Errorf("%w: head says %d bytes, there are %d", ErrDamaged, n, src.Size()-8)
	}
	return io.NopCloser(io.NewSectionReader(src, 8, n)), nil
}
