package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/crypto"
)

const testID = "20261122t175500123z-7f3a9c2e"

// chunksOf is n different digests.
func chunksOf(n int) []Digest {
	all := make([]Digest, n)
	for i := range all {
		all[i] = sha256.Sum256([]byte{byte(i), byte(i >> 8)})
	}
	return all
}

// single is a manifest of one segment, with every field set.
func single() *Manifest {
	chunks := chunksOf(3)
	return &Manifest{
		Format: Format, ID: testID, Name: "shop/eu", OriginalName: "Shop (EU)", CopiedFrom: "shop/" + testID, Ext: ".sql",
		Source: "postgres shop at db1", Labels: map[string]string{"host": "db1", "ümlaut": "<&>\u2028"},
		Begun: Time(time.Date(2026, 11, 22, 17, 55, 0, 123e6, time.UTC)), Ended: Time(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)),
		Compression: Stage{Name: "zstd", Ext: ".zst", Params: map[string]string{"level": "3"}},
		Encryption:  Stage{Name: "none"},
		PlainSize:   40 << 20, StoredSize: 17 << 20, ChunkSize: ChunkSize,
		Segments: []Segment{{Object: testID + ".sql.zst", Size: 17 << 20, Digest: DigestOf(chunks), Chunks: chunks}},
	}
}

// several is a manifest of two segments, whose chunk digests are elsewhere.
func several() *Manifest {
	m := single()
	m.Numbered, m.StoredSize = true, 24<<20
	m.Segments = []Segment{
		{Object: testID + ".sql.zst.001", Size: 17 << 20, Digest: DigestOf(chunksOf(3))},
		{Object: testID + ".sql.zst.002", Size: 7 << 20, Digest: DigestOf(chunksOf(1))},
	}
	return m
}

// object encodes m without any check, as whoever can write to a volume may.
func object(t testing.TB, m *Manifest) []byte {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(clearSeal{Digest{1}, sha256.Sum256(body)})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Join([][]byte{body, line, nil}, []byte("\n"))
}

// aes is an encryption and what opens it, for a snapshot of single's name.
func aes(t *testing.T) (crypto.Encryption, crypto.Decryption) {
	t.Helper()
	e := crypto.AES256(crypto.NewKeyring(crypto.NewKey()))
	encryption, err := e.Encrypt(t.Context(), io.Discard, crypto.Identity{Name: "shop/eu", ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	key, err := e.Open(t.Context(), crypto.Envelope{Header: encryption.Header()})
	if err != nil {
		t.Fatal(err)
	}
	return encryption, key
}

func TestRoundTrip(t *testing.T) {
	encryption, key := aes(t)
	encrypted := single()
	encrypted.Encryption = Stage{Name: "aes256", Ext: ".aes", KeyIDs: []string{"0a1b"}, Header: encryption.Header()}
	encrypted.Segments[0].Object += ".aes"
	empty := single()
	empty.PlainSize, empty.StoredSize, empty.Compression = 0, 0, Stage{Name: "none"}
	empty.Segments = []Segment{{Object: testID + ".sql", Digest: DigestOf(nil)}}
	for name, test := range map[string]struct {
		m    *Manifest
		seal func(body, secret []byte) ([]byte, error)
		key  crypto.Decryption
	}{
		"clear":     {m: single()},
		"several":   {m: several()},
		"empty":     {m: empty},
		"encrypted": {encrypted, encryption.Seal, key},
	} {
		t.Run(name, func(t *testing.T) {
			plain := Digest{1, 2, 3}
			data, err := test.m.Encode(plain, test.seal)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Manifest, test.m) {
				t.Errorf("got  %+v\nwant %+v", got.Manifest, test.m)
			}
			if d, err := got.Unseal(test.key); err != nil || d != plain {
				t.Errorf("Unseal: %x, %v", d, err)
			}
			if bytes.Count(data, []byte("\n")) != 2 || data[len(data)-1] != '\n' {
				t.Errorf("not two lines: %q", data)
			}
		})
	}
}

// The largest manifests that a backup can come to must fit.
func TestLargest(t *testing.T) {
	labels := map[string]string{}
	for i := range MaxTexts/MaxText - 3 { // two more texts, and the keys
		labels[string(rune('0'+i))] = strings.Repeat("<", MaxText) // six bytes each as JSON
	}
	one := single()
	one.Name, one.Labels = strings.Repeat("n", 200), labels
	one.OriginalName, one.Source = strings.Repeat("o", MaxText), strings.Repeat("s", MaxText)
	one.Encryption = Stage{Name: "aes256", Ext: ".aes", Header: bytes.Repeat([]byte{0xff}, crypto.MaxHeader)}
	one.StoredSize = MaxChunks * ChunkSize
	many := *one
	chunks := chunksOf(MaxChunks)
	digest := DigestOf(chunks)
	one.Segments = []Segment{{Object: testID + ".sql.zst.aes", Size: one.StoredSize, Digest: digest, Chunks: chunks}}
	many.Segments, many.StoredSize = nil, 999*one.StoredSize
	for i := range 999 {
		s := Segment{Size: one.StoredSize, Digest: digest}
		s.Object = strings.TrimPrefix(many.Object(i+1), many.Name+"/")
		many.Segments = append(many.Segments, s)
	}
	for name, m := range map[string]*Manifest{"one": one, "many": &many} {
		data, err := m.Encode(Digest{}, func(_, _ []byte) ([]byte, error) { return make([]byte, crypto.MaxSeal), nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d bytes", name, len(data))
	}
	sums, err := EncodeSums(testID, 999, chunks)
	if err != nil || len(sums) > MaxSize {
		t.Errorf("sums of %d bytes, %v", len(sums), err)
	}
}

// Encode writes nothing that Parse refuses, and nothing if the seal fails.
func TestEncodeRefuses(t *testing.T) {
	bad := single()
	bad.StoredSize++
	if data, err := bad.Encode(Digest{}, nil); err == nil || data != nil {
		t.Errorf("an inconsistent manifest was encoded: %v", err)
	}
	broken := errors.New("broken")
	data, err := single().Encode(Digest{}, func(_, _ []byte) ([]byte, error) { return nil, broken })
	if data != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, want the seal's error", err)
	}
	huge := func(_, _ []byte) ([]byte, error) { return make([]byte, MaxSize), nil }
	if data, err := single().Encode(Digest{}, huge); err == nil || data != nil {
		t.Error("a manifest over MaxSize was encoded")
	}
}

// A reader ignores fields that it does not know, so that they can be added without a new format.
func TestUnknownFields(t *testing.T) {
	data := bytes.Replace(object(t, single()), []byte(`{"format":1,`), []byte(`{"format":1,"new":{"a":[1]},`), 1)
	m, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(m.Manifest, single()) {
		t.Error("an unknown field changed the others")
	}
	if _, err := m.Unseal(nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("the field was added after sealing, and Unseal returned %v", err)
	}
}
