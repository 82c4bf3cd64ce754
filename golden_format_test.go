package backup_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/compress"
)

// TestFormatExample reads a golden snapshot the way docs/FORMAT.md says, with nothing of this library but the
// decompressor, and compares each value on the way with the page's worked example.
func TestFormatExample(t *testing.T) {
	doc := read(t, "docs/FORMAT.md")
	shows := func(what string, value []byte) {
		t.Helper()
		if text := hex.EncodeToString(value); !bytes.Contains(doc, []byte(text)) {
			t.Errorf("docs/FORMAT.md does not show the %s: %s", what, text)
		}
	}
	manifest, stored := formatObjects(t)
	lines := bytes.Split(manifest, []byte("\n"))
	var line1 struct {
		Encryption struct{ Header []byte }
	}
	var line2 struct{ Seal []byte }
	if json.Unmarshal(lines[0], &line1) != nil || json.Unmarshal(lines[1], &line2) != nil || len(lines) != 3 || len(lines[2]) != 0 {
		t.Fatalf("not two lines of JSON: %q", manifest)
	}
	header := line1.Encryption.Header
	if !bytes.HasPrefix(stored, header) {
		t.Fatal("the stream does not begin with the manifest's header")
	}
	shows("header", header)

	key := formatKey(t)
	shows("key", key)
	shows("key id", expand(t, key, nil, "key id")[:8])
	wrapKey := expand(t, key, nil, "wrap")
	shows("wrap key", wrapKey)
	wrapped := header[len(header)-60:]
	aad := bytes.Join([][]byte{header[:8], header[10 : len(header)-62]}, nil)
	shows("additional data of the wrap", aad)
	dataKey := open(t, wrapKey, wrapped[:12], wrapped[12:], aad)
	shows("data key", dataKey)

	body := stored[len(header):]
	shows("stream header", body[:40])
	bodyKey := expand(t, dataKey, nil, "body")
	shows("body key", bodyKey)
	streamKey := expand(t, bodyKey, body[1:33], string(header))
	shows("stream key", streamKey)
	nonce := append(bytes.Clone(body[33:40]), 0, 0, 0, 0, 1)
	shows("nonce", nonce)
	compressed := open(t, streamKey, nonce, body[40:], nil)
	shows("first bytes of the zstd stream", compressed[:8])

	plain, err := compress.Zstd(nil).Decompress(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	got, err := io.ReadAll(plain)
	if err != nil || !bytes.Equal(got, read(t, "testdata/golden/plain.sql")) {
		t.Fatalf("not the plain text: %v", err)
	}

	manifestKey := expand(t, dataKey, nil, "manifest")
	shows("manifest key", manifestKey)
	secret := open(t, manifestKey, line2.Seal[:12], line2.Seal[12:], lines[0])
	shows("plain digest", secret)
	if sum := sha256.Sum256(got); !bytes.Equal(secret, sum[:]) {
		t.Errorf("the seal holds %x, the plain text has %x", secret, sum)
	}
	if n := binary.BigEndian.Uint16(header[8:10]); int(n) != len(header) {
		t.Errorf("the header says %d bytes, and has %d", n, len(header))
	}
}

// formatObjects are the manifest and the stored stream of the worked example.
func formatObjects(t *testing.T) (manifest, stored []byte) {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/zstd-aes256/shop/eu/*")
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, file := range files {
		data := read(t, file)
		if strings.HasSuffix(file, ".manifest.json") {
			manifest = data
		} else {
			stored = data
		}
	}
	return manifest, stored
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func formatKey(t *testing.T) []byte {
	t.Helper()
	_, after, _ := strings.Cut(string(read(t, "testdata/golden/keys.txt")), "aes256-old base64:")
	text, _, _ := strings.Cut(after, "\n")
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func expand(t *testing.T, key, salt []byte, info string) []byte {
	t.Helper()
	out, err := hkdf.Key(sha256.New, key, salt, info, 32)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t *testing.T, key, nonce, sealed, aad []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, nonce, sealed, aad)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
