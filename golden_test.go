package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// Golden volumes in testdata/golden were written by an earlier version, and must stay readable for ever. go test -run Golden -update
// writes those of the table that are not there.
var update = flag.Bool("update", false, "write what is missing in testdata/golden")

const goldenDir = "testdata/golden"

// golden is one volume.
type golden struct {
	compressor compress.Compressor
	encryption string // the key in keys.txt that wrote it: none, aes256-old, aes256-new, age, 7z-key, 7z-password
	method     sevenzip.Method
	open       string // the key to read it with, if that is another one
	segment    int64  // Options.SegmentSize
	limit      int64  // of the volume
	plain      string // the file that was backed up; plain.sql if empty
	objects    int    // how many objects the volume has
}

var goldens = map[string]golden{
	"none-none":         {compressor: compress.None, encryption: "none", objects: 2},
	"gzip-none":         {compressor: compress.Gzip(nil), encryption: "none", objects: 2},
	"zstd-none":         {compressor: compress.Zstd(nil), encryption: "none", objects: 2},
	"xz-none":           {compressor: compress.XZ(nil), encryption: "none", objects: 2},
	"none-aes256":       {compressor: compress.None, encryption: "aes256-old", objects: 2},
	"zstd-aes256":       {compressor: compress.Zstd(nil), encryption: "aes256-old", objects: 2},
	"xz-aes256":         {compressor: compress.XZ(nil), encryption: "aes256-old", objects: 2},
	"gzip-age":          {compressor: compress.Gzip(nil), encryption: "age", objects: 2},
	"zstd-age":          {compressor: compress.Zstd(nil), encryption: "age", objects: 2},
	"empty-zstd-aes256": {compressor: compress.Zstd(nil), encryption: "aes256-old", plain: "empty", objects: 2},
	"empty-none-none":   {compressor: compress.None, encryption: "none", plain: "empty", objects: 2},
	// Neither limit is a multiple of the chunk size, so that chunks begin anew.
	"rollover-none-aes256": {compressor: compress.None, encryption: "aes256-old", limit: 4000, objects: 3 + 3 + 1},
	"numbered-none-none":   {compressor: compress.None, encryption: "none", segment: 2500, objects: 4 + 4 + 1},
	"numbered-one-age":     {compressor: compress.Zstd(nil), encryption: "age", segment: 1 << 20, objects: 2},
	"rekeyed-zstd-aes256":  {compressor: compress.Zstd(nil), encryption: "aes256-old", open: "aes256-new", objects: 3},

	"deflate-7z-key":          {compressor: compress.None, encryption: "7z-key", method: sevenzip.Deflate, objects: 2},
	"copy-7z-password":        {compressor: compress.None, encryption: "7z-password", method: sevenzip.Copy, objects: 2},
	"empty-deflate-7z-key":    {compressor: compress.None, encryption: "7z-key", method: sevenzip.Deflate, plain: "empty", objects: 2},
	"rollover-copy-7z-key":    {compressor: compress.None, encryption: "7z-key", method: sevenzip.Copy, limit: 4000, objects: 3 + 3 + 1},
	"numbered-deflate-7z-key": {compressor: compress.None, encryption: "7z-key", method: sevenzip.Deflate, segment: 1000, objects: 5 + 5 + 1},
}

// goldenChunk is small, so that a small volume has many chunks.
const goldenChunk = 1 << 10

// goldenKey makes an Encryptor of keys in keys.txt, which are public. The first one writes.
func goldenKey(t *testing.T, names ...string) crypto.Encryptor {
	t.Helper()
	texts := goldenKeys(t)
	switch names[0] {
	case "none":
		return crypto.None
	case "7z-key", "7z-password":
		return goldenArchives(t, names[0], "")
	case "age":
		identity, err := age.ParseX25519Identity(texts["age"])
		if err != nil {
			t.Fatal(err)
		}
		return crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{identity.Recipient()}, Identities: []age.Identity{identity}})
	}
	var keys []crypto.Key
	for _, name := range names {
		key, err := crypto.ParseKey(texts[name])
		if err != nil {
			t.Fatalf("%s in keys.txt: %v", name, err)
		}
		keys = append(keys, key)
	}
	return crypto.AES256(crypto.NewKeyring(keys[0], keys[1:]...))
}

// goldenArchives is goldenKey for .7z, which are written with a method.
func goldenArchives(t *testing.T, name string, m sevenzip.Method) crypto.Encryptor {
	t.Helper()
	p, err := sevenzip.ParsePassword(goldenKeys(t)[name])
	if err != nil {
		t.Fatalf("%s in keys.txt: %v", name, err)
	}
	return archivesWith(p, &sevenzip.Options{Method: m})
}

// goldenKeys is keys.txt by name.
func goldenKeys(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for line := range strings.Lines(string(goldenFile(t, "keys.txt"))) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		texts[name] = text
	}
	return texts
}

func goldenFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plainText is what was backed up.
func (g golden) plainText(t *testing.T) []byte {
	t.Helper()
	if g.plain == "empty" {
		return nil
	}
	return goldenFile(t, "plain.sql")
}

// goldenVolume loads a volume. Its files must be as many as its entry says.
func goldenVolume(t *testing.T, name string) storage.Volume {
	t.Helper()
	vol, dir, n := storage.Memory(), filepath.Join(goldenDir, name), 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		object, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		_, err = vol.Put(t.Context(), filepath.ToSlash(object), bytes.NewReader(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := goldens[name].objects; n != want {
		t.Fatalf("%s has %d files, not %d", dir, n, want)
	}
	return vol
}

func TestGolden(t *testing.T) {
	if *update {
		updateGoldens(t)
	}
	for name, g := range goldens {
		t.Run(name, func(t *testing.T) {
			vol, want := goldenVolume(t, name), g.plainText(t)
			opts := &Options{Encryptor: goldenKey(t, g.encryption)}
			if g.open != "" {
				opts.Encryptor = goldenKey(t, g.open)
			}
			b, err := New(vol, opts)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := b.Restore(t.Context(), "shop/eu/latest", &got); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%d bytes were restored that differ from the %d bytes of the plain text", got.Len(), len(want))
			}
			s, err := b.Verify(t.Context(), "shop/eu/latest", &VerifyOptions{Stored: true})
			if err != nil {
				t.Fatal(err)
			}
			g.wantDetails(t, s, want)
			wantOpened(t, b, s.Details.Objects[0], want)
		})
	}
}

// wantDetails compares what a golden manifest says with what was backed up.
func (g golden) wantDetails(t *testing.T, s *Snapshot, plain []byte) {
	t.Helper()
	seal := SealVerified
	if g.encryption == "none" {
		seal = SealNone
	}
	d := s.Details
	if d.Seal != seal || d.PlainSize != int64(len(plain)) || d.PlainSHA256 != fmt.Sprintf("%x", sha256.Sum256(plain)) {
		t.Errorf("seal %q, %d bytes, SHA-256 %s", d.Seal, d.PlainSize, d.PlainSHA256)
	}
	labels := map[string]string{"host": "db1", "note": "<ü> & \"quotes\""}
	if d.Ext != ".sql" || d.OriginalName != "Shop (EU)" || d.Source != "postgres shop at db1" || !maps.Equal(d.Labels, labels) {
		t.Errorf("texts: %+v", d)
	}
	if d.Compression.Name != g.compressor.Name() || !strings.HasPrefix(g.encryption, d.Encryption.Name) || d.Encryption.Params["method"] != string(g.method) {
		t.Errorf("stages: %+v, %+v", d.Compression, d.Encryption)
	}
	if want := time.Date(2026, 11, 22, 17, 55, 0, 123e6, time.UTC); !s.Time.Equal(want) || !d.Begun.Equal(want) {
		t.Errorf("made at %s, begun %s", s.Time, d.Begun)
	}
}

// Every volume in the directory must be in the table, or nobody would notice that it is not read.
func TestGoldenTable(t *testing.T) {
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := goldens[e.Name()]; e.IsDir() && !ok {
			t.Errorf("%s/%s is in no table", goldenDir, e.Name())
		}
	}
}

// The wrap is what gives the new key access, and the old key needs none.
func TestGoldenRekeyed(t *testing.T) {
	vol := goldenVolume(t, "rekeyed-zstd-aes256")
	objects, err := storage.ListAll(t.Context(), vol, "")
	if err != nil {
		t.Fatal(err)
	}
	wrap := slices.IndexFunc(objects, func(o storage.Object) bool {
		_, _, kind, _ := layout.Parse(o.Name)
		return kind == layout.KindWrap
	})
	if wrap < 0 {
		t.Fatal("there is no wrap")
	}
	if err := vol.Delete(t.Context(), objects[wrap].Name); err != nil {
		t.Fatal(err)
	}
	for key, works := range map[string]bool{"aes256-old": true, "aes256-new": false} {
		b, err := New(vol, &Options{Encryptor: goldenKey(t, key)})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Restore(t.Context(), "shop/eu/latest", &bytes.Buffer{}); (err == nil) != works || err != nil && !isKeyError(err) {
			t.Errorf("without the wrap, %s: %v", key, err)
		}
	}
}

// updateGoldens writes every volume that is not there.
func updateGoldens(t *testing.T) {
	for name, g := range goldens {
		if _, err := os.Stat(filepath.Join(goldenDir, name)); err == nil {
			continue
		}
		vol, e := &storage.MemoryVolume{Limit: g.limit}, goldenKey(t, g.encryption)
		if g.method != "" {
			e = goldenArchives(t, g.encryption, g.method)
		}
		b, err := New(vol, &Options{Compressor: g.compressor, Encryptor: e, SegmentSize: g.segment})
		if err != nil {
			t.Fatal(err)
		}
		b.chunkSize = goldenChunk
		b.now = func() time.Time { return time.Date(2026, 11, 22, 17, 55, 0, 123e6, time.UTC) }
		s, err := b.Create(t.Context(), "shop/eu", bytes.NewReader(g.plainText(t)), &CreateOptions{
			Ext: ".sql", OriginalName: "Shop (EU)", Source: "postgres shop at db1",
			Labels: map[string]string{"host": "db1", "note": "<ü> & \"quotes\""},
		})
		if err != nil {
			t.Fatal(err)
		}
		if g.open != "" {
			rekeyGolden(t, vol, s.Ref(), g)
		}
		if err := writeVolume(t.Context(), vol, filepath.Join(goldenDir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func rekeyGolden(t *testing.T, vol storage.Volume, ref string, g golden) {
	t.Helper()
	b, err := New(vol, &Options{Encryptor: goldenKey(t, g.open, g.encryption)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Rekey(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
}

// writeVolume makes dir, of the objects of vol.
func writeVolume(ctx context.Context, vol storage.Volume, dir string) error {
	objects, err := storage.ListAll(ctx, vol, "")
	if err != nil {
		return err
	}
	for _, o := range objects {
		data, err := storage.ReadObject(ctx, vol, o.Name, 1<<20)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, filepath.FromSlash(o.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
