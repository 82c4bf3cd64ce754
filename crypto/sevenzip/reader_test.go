package sevenzip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// stockArchive is what 7-Zip makes of files, by name, in dir, with the arguments.
func stockArchive(t testing.TB, files map[string][]byte, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, "in", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		save(t, filepath.Dir(path), filepath.Base(path), data)
	}
	must7zz(t, filepath.Join(dir, "in"), append([]string{"a", "-t7z", "../a.7z", "."}, args...)...)
	b, err := os.ReadFile(filepath.Join(dir, "a.7z"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Every method of 7-Zip, with and without a password and an encrypted header.
func TestStockArchives(t *testing.T) {
	plain := append(dump(1<<20), noise(100_000)...)
	p, wrong := password(t, "correct horse: Größe €, 𝄞"), password(t, "wrong") // shared, for the time that deriving takes
	for _, m := range []string{
		"-mx=6", "-mx=1", "-m0=LZMA2:d=1m:c=1m", "-m0=LZMA2:d=64k", "-m0=LZMA", "-m0=LZMA:lc=0:lp=2:pb=0", "-m0=Deflate", "-m0=BZip2",
		"-m0=PPMd", "-m0=PPMd:o=32:mem=16m", "-m0=Copy", "-m0=BCJ -m1=LZMA2", "-m0=Delta:4 -m1=LZMA", "-m0=ARM64 -m1=LZMA2",
		"-m0=BCJ2 -m1=LZMA -m2=LZMA -m3=LZMA -mb0:1 -mb0s1:2 -mb0s2:3",
	} {
		for _, how := range []string{"", "-p", "-p -mhe=on"} {
			t.Run(strings.TrimSpace(m+" "+how), func(t *testing.T) {
				t.Parallel()
				args := strings.Fields(m + strings.ReplaceAll(" "+how, "-p", "-p"+strings.ReplaceAll(p.Reveal(), " ", "\x00")))
				for i := range args {
					args[i] = strings.ReplaceAll(args[i], "\x00", " ")
				}
				long := plain
				if strings.Contains(m, "PPMd") { // a minute under the race detector
					long = plain[:50_000]
				}
				for _, data := range [][]byte{nil, []byte("x"), long} {
					archive := stockArchive(t, map[string][]byte{"shop.sql": data}, args...)
					got, err := extract(t.Context(), archive, wrong, p)
					if err != nil {
						t.Fatalf("%d bytes: %v", len(data), err)
					}
					wantSame(t, "the file", got, data)
				}
			})
		}
	}
}

// What Databasement runs, with its key.
func TestDatabasementArchive(t *testing.T) {
	p := password(t, testKey)
	archive := stockArchive(t, map[string][]byte{"shop.sql": dump(1 << 20)}, "-mx=6", "-mhe=on", "-p000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	got, err := extract(t.Context(), archive, p)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "the file", got, dump(1<<20))
}

func TestSeveralFiles(t *testing.T) {
	files := map[string][]byte{"a.sql": dump(300_000), "b.sql": dump(1000), "eu/c.sql": noise(70_000), "empty": nil, "eu/größe": []byte("x")}
	for _, how := range []string{"", "-ms=off", "-m0=Copy", "-mhe=on -pa", "-pa -ms=off", "-mhc=off"} {
		t.Run(how, func(t *testing.T) {
			archive := stockArchive(t, files, strings.Fields(how)...)
			p := password(t, "a")
			if _, err := extract(t.Context(), archive, p); err == nil || !strings.Contains(err.Error(), "5 files") || !strings.Contains(err.Error(), `"eu/größe"`) {
				t.Errorf("no file was named: %v", err)
			}
			r, err := NewReader(t.Context(), bytes.NewReader(archive), int64(len(archive)), p)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range r.Files() {
				if f.Directory {
					if f.Name != "eu" {
						t.Errorf("a directory %q", f.Name)
					}
					continue
				}
				names = append(names, f.Name)
				if f.Size != int64(len(files[f.Name])) || f.Modified.IsZero() {
					t.Errorf("%+v, its size is %d", f, len(files[f.Name]))
				}
				got, err := extractFile(t.Context(), r, f.Name)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, f.Name, got, files[f.Name])
			}
			if slices.Sort(names); len(names) != len(files) {
				t.Errorf("its files are %q", names)
			}
			for _, name := range []string{"eu", "c.sql", ""} {
				if _, err := r.Open(t.Context(), name); err == nil || !strings.Contains(err.Error(), `"a.sql"`) {
					t.Errorf("opening %q: %v", name, err)
				}
			}
		})
	}
}

// A wrong password is told from damage, before any of the contents is read where the header is encrypted.
func TestWrongPassword(t *testing.T) {
	right, wrong := password(t, "correct horse"), []Password{password(t, "wrong"), password(t, testKey)}
	plain := dump(100_000)
	for name, archive := range map[string][]byte{
		"ours":           archiveOf(t, plain, right, nil),
		"ours, empty":    archiveOf(t, nil, right, nil),
		"ours, of a key": archiveOf(t, plain, FromKey(crypto.NewKey()), &Options{Method: Copy}),
		"7-Zip's":        stockArchive(t, map[string][]byte{"a": plain}, "-mhe=on", "-pcorrect horse"),
	} {
		for _, passwords := range [][]Password{nil, wrong} {
			_, err := NewReader(t.Context(), bytes.NewReader(archive), int64(len(archive)), passwords...)
			wantKeyError(t, err)
			if err := err.Error(); strings.HasPrefix(name, "ours") && strings.Contains(err, "damaged") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, m := range []string{"LZMA2", "LZMA", "Deflate", "BZip2"} {
		archive := stockArchive(t, map[string][]byte{"a": plain}, "-m0="+m, "-pcorrect horse")
		for _, passwords := range [][]Password{nil, wrong} {
			_, err := extract(t.Context(), archive, passwords...)
			wantKeyError(t, err)
		}
	}
}

// Where our header was damaged, that is said, not that the password is wrong.
func TestDamagedHeader(t *testing.T) {
	p := password(t, testKey)
	archive := archiveOf(t, dump(10_000), p, nil)
	headers := 32 + int(binary.LittleEndian.Uint64(archive[12:])) - 96 // within the encrypted one
	for i := headers; i < len(archive); i++ {
		bad := bytes.Clone(archive)
		bad[i] ^= 1
		_, err := extract(t.Context(), bad, p)
		if !errors.Is(err, crypto.ErrDamaged) {
			t.Fatalf("byte %d of %d: %v", i, len(archive), err)
		}
	}
}

// Cut anywhere, it is an error, and so is every changed bit: never wrong bytes. Copy is left out of the bits that
// CRC-32 alone notices, since it notices them all.
func TestDamaged(t *testing.T) {
	p := password(t, testKey)
	plain := dump(1500)
	archives := map[string][]byte{"7-Zip's": stockArchive(t, map[string][]byte{"a": plain}, "-mhe=on", "-p"+p.Reveal()),
		"7-Zip's, not encrypted": stockArchive(t, map[string][]byte{"a": plain})}
	for _, m := range []Method{Deflate, LZMA2, Copy} {
		archives[string(m)] = archiveOf(t, plain, p, &Options{Method: m})
	}
	for name, archive := range archives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range archive {
				got, err := extract(t.Context(), archive[:n], p)
				if err == nil || !bytes.HasPrefix(plain, got) && !errors.Is(err, crypto.ErrDamaged) {
					t.Fatalf("%d of %d bytes: %d bytes, %v", n, len(archive), len(got), err)
				}
			}
			for i := range 8 * len(archive) {
				bad := bytes.Clone(archive)
				bad[i/8] ^= 1 << (i % 8)
				if got, err := extract(t.Context(), bad, p); err == nil && !bytes.Equal(got, plain) {
					t.Fatalf("bit %d of byte %d of %d: wrong bytes and no error", i%8, i/8, len(archive))
				} else if err == nil && !harmless(archive, i/8) {
					t.Fatalf("bit %d of byte %d of %d: no error", i%8, i/8, len(archive))
				}
			}
			for _, after := range []string{"\x00", "x", string(archive)} {
				if _, err := extract(t.Context(), append(bytes.Clone(archive), after...), p); !errors.Is(err, crypto.ErrDamaged) {
					t.Fatalf("%d bytes after the end: %v", len(after), err)
				}
			}
		})
	}
}

// harmless says of a byte that nothing in an archive depends on it: the minor version, and the padding of the contents.
func harmless(archive []byte, i int) bool { return i == 7 || i < 32+(1500+16)&^15 && i >= 32 }

// An error of the source is that error, not damage or a wrong password.
func TestSourceFails(t *testing.T) {
	p, cause := password(t, testKey), errors.New("connection reset")
	for _, o := range []Options{{}, {Method: LZMA2, Level: 1}, {Method: Copy}} {
		archive := archiveOf(t, noise(2<<20), p, &o)
		for _, at := range []int{0, 31, 32, 1000, 1 << 20, len(archive) - 300, len(archive) - 100, len(archive) - 1} {
			r, err := NewReader(t.Context(), breaks{bytes.NewReader(archive), int64(at), cause}, int64(len(archive)), password(t, "wrong"), p)
			if err == nil {
				_, err = extractFile(t.Context(), r, "shop.sql")
			}
			if e := (*crypto.KeyError)(nil); !errors.Is(err, cause) || errors.Is(err, crypto.ErrDamaged) || errors.As(err, &e) {
				t.Errorf("%s, byte %d: %v", o, at, err)
			}
		}
	}
}

// breaks cannot read one byte.
type breaks struct {
	r   io.ReaderAt
	at  int64
	err error
}

func (b breaks) ReadAt(p []byte, off int64) (int, error) {
	if off <= b.at && b.at < off+int64(len(p)) {
		n, _ := b.r.ReadAt(p[:b.at-off], off)
		return n, b.err
	}
	return b.r.ReadAt(p, off)
}

func TestReaderMindsContext(t *testing.T) {
	p := password(t, testKey)
	archive := archiveOf(t, noise(1<<20), p, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := NewReader(ctx, bytes.NewReader(archive), int64(len(archive)), p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Open(ctx, "shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("enough")
	cancel(cause)
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

func TestNoArchive(t *testing.T) {
	for name, b := range map[string][]byte{"nothing": nil, "short": []byte("7z\xbc\xaf\x27\x1c"), "text": dump(1000), "zip": append([]byte("PK\x03\x04"), dump(1000)...)} {
		if _, err := NewReader(t.Context(), bytes.NewReader(b), int64(len(b))); err == nil {
			t.Errorf("%s is an archive", name)
		}
	}
}

// Whatever an archive says, reading it ends, in bounded memory, and gives nothing that its CRC does not fit.
func FuzzReader(f *testing.F) {
	p := password(f, "a")
	for _, o := range []Options{{}, {Method: LZMA2, Level: 1}, {Method: Copy}} {
		f.Add(archiveOf(f, dump(500), p, &o))
	}
	for _, how := range []string{"-mhe=on -pa", "-m0=PPMd:mem=64k", "-m0=BZip2 -mhc=off", "-m0=LZMA -mhc=off", "-m0=Copy -mhc=off -pa"} {
		f.Add(stockArchive(f, map[string][]byte{"a": dump(500), "b": noise(20)}, strings.Fields(how)...))
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		repair(archive)
		r, err := NewReader(t.Context(), bytes.NewReader(archive), int64(len(archive)), p)
		if err != nil {
			return
		}
		for _, file := range r.Files() {
			c, err := r.Open(t.Context(), file.Name)
			if err != nil {
				continue
			}
			n, err := io.Copy(io.Discard, io.LimitReader(c, 16<<20))
			if err == nil && n < 16<<20 && n != file.Size {
				t.Errorf("%q has %d bytes, not %d", file.Name, n, file.Size)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
