package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/storage"
)

// restorePrefix restores ref, and fails if anything but a beginning of want came out.
func restorePrefix(t *testing.T, b *Backup, ref string, want []byte) error {
	t.Helper()
	var got bytes.Buffer
	err := b.Restore(t.Context(), ref, &got)
	if !bytes.HasPrefix(want, got.Bytes()) {
		t.Fatalf("restoring gave %d bytes that were never backed up, and then %v", got.Len(), err)
	}
	if err == nil && got.Len() != len(want) {
		t.Fatalf("restoring gave %d bytes of %d without an error", got.Len(), len(want))
	}
	return err
}

// wantDamage fails unless ref can neither be restored nor verified, or only verified without a key where the change is one that
// takes a key to see.
func wantDamage(t *testing.T, b *Backup, ref string, data []byte, what string) {
	t.Helper()
	if err := restorePrefix(t, b, ref, data); err == nil {
		t.Fatalf("%s: restores", what)
	}
	if _, err := b.Verify(t.Context(), ref, nil); err == nil {
		t.Fatalf("%s: verifies", what)
	}
}

// eachShape runs f for every encryption and both shapes of a manifest, without waiting for the pauses between tries.
func eachShape(t *testing.T, f func(t *testing.T, vol *storage.MemoryVolume, b *Backup)) {
	for _, e := range []crypto.Encryptor{crypto.None, aes(testKey), readWrite(), archives(sevenzip.Deflate)} {
		for _, segment := range []int64{0, 700} { // one object, two or three
			t.Run(fmt.Sprintf("%s %d", e.Name(), segment), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					vol, c := storage.Memory(), compress.Gzip(nil)
					if compresses(e) {
						c = nil
					}
					f(t, vol, newBackup(t, vol, &Options{Compressor: c, Encryptor: e, SegmentSize: segment}))
				})
			})
		}
	}
}

// step thins out what is tried at every byte, unless BACKUP_LONG_TESTS is 1: it is odd, so that all bits have their turn.
func step(n int) int {
	if os.Getenv("BACKUP_LONG_TESTS") == "1" {
		return 1
	}
	return max(1, n/75) | 1
}

func TestOneBitAnywhere(t *testing.T) {
	eachShape(t, func(t *testing.T, vol *storage.MemoryVolume, b *Backup) {
		data := dump(4000)
		s := create(t, b, "shop", data)
		for _, object := range objects(t, vol) {
			good := content(t, vol, object)
			for i := 0; i < len(good); i += step(len(good)) {
				bad := bytes.Clone(good)
				bad[i] ^= 1 << (i % 8)
				put(t, vol, object, bad)
				wantDamage(t, b, s.Ref(), data, fmt.Sprintf("bit %d of byte %d of %s", i%8, i, object))
			}
			put(t, vol, object, good)
		}
		wantRestored(t, b, s.Ref(), data)
	})
}

func TestTruncatedAnywhere(t *testing.T) {
	eachShape(t, func(t *testing.T, vol *storage.MemoryVolume, b *Backup) {
		data := dump(4000)
		s := create(t, b, "shop", data)
		for _, object := range objects(t, vol) {
			good := content(t, vol, object)
			for i := 0; i < len(good); i += step(len(good)) {
				put(t, vol, object, good[:i])
				wantDamage(t, b, s.Ref(), data, fmt.Sprintf("%s cut at %d", object, i))
			}
			put(t, vol, object, append(bytes.Clone(good), '\n'))
			wantDamage(t, b, s.Ref(), data, object+" with a byte more")
			if err := vol.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			wantDamage(t, b, s.Ref(), data, object+" gone")
			put(t, vol, object, good)
		}
	})
}

func TestExchangedObjects(t *testing.T) {
	eachShape(t, func(t *testing.T, vol *storage.MemoryVolume, b *Backup) {
		data := [][]byte{dump(4000), bytes.ToUpper(dump(4000))}
		s := []*Snapshot{create(t, b, "shop", data[0]), create(t, b, "shop", data[1])}
		all := objects(t, vol)
		for _, a := range all {
			for _, c := range all {
				if a == c || !strings.HasPrefix(a, s[0].Ref()) {
					continue // one direction shows both
				}
				one, two := content(t, vol, a), content(t, vol, c)
				put(t, vol, a, two)
				wantDamage(t, b, s[0].Ref(), data[0], fmt.Sprintf("%s in the place of %s", c, a))
				put(t, vol, a, one)
			}
		}
		// All of the other snapshot, under this one's name.
		for _, object := range all {
			if rest, ok := strings.CutPrefix(object, s[1].Ref()); ok {
				put(t, vol, s[0].Ref()+rest, content(t, vol, object))
			}
		}
		wantDamage(t, b, s[0].Ref(), data[0], "another snapshot under its name")
	})
}

// forge writes an unencrypted snapshot in the place of s, as somebody without the key can.
func forge(t *testing.T, vol storage.Volume, s *Snapshot, plain []byte) {
	t.Helper()
	fake := newBackup(t, storage.Memory(), &Options{Compressor: compress.None, Encryptor: crypto.None})
	f := create(t, fake, s.Name, plain)
	m, err := manifest.Parse(content(t, fake.vol, manifestOf(f)))
	if err != nil {
		t.Fatal(err)
	}
	m.ID = s.ID
	m.Segments[0].Object = s.ID + ".sql"
	object, err := m.Encode(sha256.Sum256(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, vol, s.Ref()+".sql", plain)
	put(t, vol, manifestOf(s), object)
}

func TestForgedManifests(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, nil)
	data := dump(3000)
	s := create(t, b, "shop", data)
	good := content(t, vol, manifestOf(s))
	line1, line2, _ := bytes.Cut(good, []byte("\n"))

	t.Run("unencrypted in its place", func(t *testing.T) {
		forge(t, vol, s, []byte("forged"))
		if err := b.Restore(t.Context(), s.Ref(), io.Discard); !errors.Is(err, ErrUnsealed) {
			t.Fatal(err)
		}
	})
	sum := sha256.Sum256(line1)
	clear := `{"plain_sha256":"` + strings.Repeat("0", 64) + `","manifest_sha256":"` + hex.EncodeToString(sum[:]) + `"}`
	edit := func(old, new string) []byte {
		if !bytes.Contains(line1, []byte(old)) {
			t.Fatalf("%s is not in %s", old, line1)
		}
		return bytes.Join([][]byte{bytes.Replace(line1, []byte(old), []byte(new), 1), line2}, []byte("\n"))
	}
	for what, object := range map[string][]byte{
		"no seal":             line1,
		"no seal, two lines":  append(bytes.Clone(line1), "\n\n"...),
		"empty seal":          append(bytes.Clone(line1), "\n{\"seal\":\"\"}\n"...),
		"clear seal":          append(bytes.Clone(line1), "\n"+clear+"\n"...),
		"three lines":         append(bytes.Clone(good), "{}\n"...),
		"empty":               {},
		"not JSON":            []byte("<html>503</html>\n{}\n"),
		"huge":                bytes.Repeat([]byte("x"), 3<<20),
		"huge JSON":           append(append(bytes.Clone(line1), bytes.Repeat([]byte(" "), 2<<20)...), "\n"...),
		"a path":              edit(`"object":"`, `"object":"../../`),
		"another name":        edit(`"name":"shop"`, `"name":"../.."`),
		"another plain size":  edit(`"plain_size":3000`, `"plain_size":2999`),
		"negative plain size": edit(`"plain_size":3000`, `"plain_size":-1`),
		"chunk size 0":        edit(`"chunk_size":1000`, `"chunk_size":0`),
		"huge chunk size":     edit(`"chunk_size":1000`, `"chunk_size":1000000000000`),
		"without segments":    edit(`"segments":[`, `"segments":[],"x":[`),
		"other compression":   edit(`"compression":{"name":"none"`, `"compression":{"name":"gzip"`),
		"deep JSON":           append(bytes.Repeat([]byte("["), 100_000), '\n'),
	} {
		t.Run(what, func(t *testing.T) {
			put(t, vol, manifestOf(s), object)
			err := restorePrefix(t, b, s.Ref(), data)
			if !errors.Is(err, ErrDamaged) || len(err.Error()) > 1000 {
				t.Fatalf("want a short ErrDamaged, got %v", err)
			}
		})
	}
	t.Run("newer format", func(t *testing.T) {
		put(t, vol, manifestOf(s), edit(`"format":1`, `"format":2`))
		if err := b.Restore(t.Context(), s.Ref(), io.Discard); !errors.Is(err, ErrNewerFormat) {
			t.Fatal(err)
		}
	})
	put(t, vol, manifestOf(s), good)
	wantRestored(t, b, s.Ref(), data)
}

func TestDecompressionBomb(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: crypto.None, Compressor: compress.Zstd(nil)})
	s, err := b.Create(t.Context(), "shop", io.LimitReader(zeros{}, 256<<20), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(content(t, vol, manifestOf(s)))
	if err != nil {
		t.Fatal(err)
	}
	m.PlainSize = 1000
	object, err := m.Encode(sha256.Sum256(make([]byte, 1000)), nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, vol, manifestOf(s), object)
	var got bytes.Buffer
	if err := b.Restore(t.Context(), s.Ref(), &got); !errors.Is(err, ErrDamaged) || got.Len() > 1000 {
		t.Fatalf("%d bytes came out, then %v", got.Len(), err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// corrupting is a compressor that changes a byte before it compresses, as bad memory would (restic/restic#4529).
type corrupting struct{ compress.Compressor }

func (c corrupting) Compress(dst io.Writer) (io.WriteCloser, error) {
	w, err := c.Compressor.Compress(dst)
	return &corruptingWriter{w, 0}, err
}

type corruptingWriter struct {
	io.WriteCloser
	n int
}

func (w *corruptingWriter) Write(p []byte) (int, error) {
	if w.n++; w.n == 1 {
		p = bytes.Clone(p)
		p[len(p)/2] ^= 4
	}
	return w.WriteCloser.Write(p)
}

func TestCorruptingCompressor(t *testing.T) {
	b := newBackup(t, storage.Memory(), &Options{Encryptor: aes(testKey), Compressor: corrupting{compress.Zstd(nil)}})
	s := create(t, b, "shop", dump(3000))
	if _, err := b.Verify(t.Context(), s.Ref(), &VerifyOptions{Stored: true}); err != nil {
		t.Fatalf("what is stored is what was written: %v", err)
	}
	if _, err := b.Verify(t.Context(), s.Ref(), nil); !errors.Is(err, ErrDamaged) {
		t.Fatalf("Verify: %v", err)
	}
	if err := b.Restore(t.Context(), s.Ref(), io.Discard); !errors.Is(err, ErrDamaged) {
		t.Fatalf("Restore: %v", err)
	}
}
