package sevenzip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/crypto"
)

// sevenZip runs stock 7-Zip in dir.
func sevenZip(t testing.TB, dir string, args ...string) ([]byte, error) {
	t.Helper()
	if _, err := exec.LookPath("7zz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package 7zip)", err)
	}
	cmd := exec.CommandContext(t.Context(), "7zz", args...)
	cmd.Dir = dir
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("7zz %v: %w\n%s%s", args, err, &out, &msg)
	}
	return out.Bytes(), nil
}

func must7zz(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	out, err := sevenZip(t, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// password makes a Password of text.
func password(t testing.TB, text string) Password {
	t.Helper()
	p, err := ParsePassword(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testKey is a fixed key.
const testKey = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// dump is n bytes of compressible text, the same for the same n.
func dump(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+100)
	for len(b) < n {
		b = fmt.Appendf(b, "INSERT INTO orders VALUES (%d, 'Größe %d', %x);\n", len(b), r.IntN(100), r.Uint64())
	}
	return b[:n]
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

var testTime = time.Date(2026, 11, 23, 1, 2, 3, 456_789_100, time.UTC)

// memory is an io.WriteSeeker.
type memory struct {
	b  []byte
	at int
}

func (m *memory) Write(p []byte) (int, error) {
	n := copy(m.b[m.at:], p)
	m.b = append(m.b, p[n:]...)
	m.at += len(p)
	return len(p), nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += int64(m.at)
	case io.SeekEnd:
		offset += int64(len(m.b))
	}
	m.at = int(offset)
	return offset, nil
}

// archiveOf is an archive of plain, written in pieces.
func archiveOf(t testing.TB, plain []byte, p Password, o *Options) []byte {
	t.Helper()
	m := &memory{}
	w, err := NewWriter(m, FileHeader{Name: "shop.sql", Modified: testTime}, p, o)
	if err != nil {
		t.Fatal(err)
	}
	for b := plain; len(b) > 0; {
		n := min(len(b), 100_003)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.b
}

// extract is what the only file of an archive has, or the first error.
func extract(ctx context.Context, archive []byte, passwords ...Password) ([]byte, error) {
	r, err := NewReader(ctx, bytes.NewReader(archive), int64(len(archive)), passwords...)
	if err != nil {
		return nil, err
	}
	name, err := r.only()
	if err != nil {
		return nil, err
	}
	return extractFile(ctx, r, name)
}

func extractFile(ctx context.Context, r *Reader, name string) ([]byte, error) {
	c, err := r.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(c)
	return b, errors.Join(err, c.Close())
}

// wantSame compares without printing it all.
func wantSame(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: got %d bytes that are not the %d wanted", what, len(got), len(want))
	}
}

// wantKeyError wants the error of a missing password.
func wantKeyError(t testing.TB, err error) {
	t.Helper()
	if e := (*crypto.KeyError)(nil); !errors.As(err, &e) || e.Format != "7z" {
		t.Fatalf("got %v, not a KeyError", err)
	}
	for _, secret := range []string{"correct horse", "000102030405"} {
		if strings.Contains(err.Error(), secret) {
			t.Fatalf("the error shows a password: %v", err)
		}
	}
}

// save writes a file of the test's.
func save(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
