package backup

// What is special to .7z archives in a Backup.

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
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// sevenZip runs stock 7-Zip in dir.
func sevenZip(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("7zz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package 7zip)", err)
	}
	cmd := exec.CommandContext(t.Context(), "7zz", args...)
	cmd.Dir = dir
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("7zz %v: %v: %s%s", args, err, &out, &msg)
	}
	return out.Bytes()
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// wantOpened fails unless OpenObject reads want.
func wantOpened(t *testing.T, b *Backup, object string, want []byte) {
	t.Helper()
	r, err := b.OpenObject(t.Context(), object)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s opens as %d bytes, want %d, %v", object, len(got), len(want), err)
	}
}

// On a disk, where stock 7-Zip finds what it can open: by the method, the length, and how the stream is cut.
func TestStockSevenZipOpensObjects(t *testing.T) {
	for _, m := range []sevenzip.Method{sevenzip.Deflate, sevenzip.LZMA2, sevenzip.Copy} {
		for _, segment := range []int64{0, 100_000} {
			t.Run(fmt.Sprintf("%s %d", m, segment), func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "volume")
				vol, err := localfs.Open(dir, nil)
				if err != nil {
					t.Fatal(err)
				}
				o := &sevenzip.Options{Method: m}
				if m == sevenzip.LZMA2 {
					o.Level = 1 // which takes less time
				}
				b, err := New(vol, &Options{Encryptor: archivesWith(testPassword, o), SegmentSize: segment})
				if err != nil {
					t.Fatal(err)
				}
				sizes := [][]byte{nil, []byte("x"), dump(5000), bytes.Repeat(dump(30_000), 100), noise(300_000)}
				if m == sevenzip.Deflate && segment == 0 {
					sizes = append(sizes, noise(9<<20)) // two chunks
				}
				for _, data := range sizes {
					s := create(t, b, "shop", data)
					wantRestored(t, b, s.Ref(), data)
					first := s.Details.Objects[0]
					if segmented := strings.HasSuffix(first, ".sql.7z.001"); segmented != (segment > 0) || !segmented && !strings.HasSuffix(first, ".sql.7z") {
						t.Fatalf("the first object is %q", first)
					}
					password := "-p" + testPassword.Reveal()
					sevenZip(t, dir, "t", password, first)
					if got := sevenZip(t, dir, "x", "-so", password, first, "shop.sql"); !bytes.Equal(got, data) {
						t.Fatalf("%d bytes came out of 7zz as %d", len(data), len(got))
					}
				}
			})
		}
	}
}

// Where the volume's limit cuts the stream, the first object has no number, which 7-Zip wants: the documented mv gives it one.
func TestStockSevenZipOpensWhatRolledOver(t *testing.T) {
	dir, data := filepath.Join(t.TempDir(), "volume"), noise(4000)
	vol, err := localfs.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBackup(t, limited{vol}, &Options{Encryptor: archives("")})
	s := create(t, b, "shop", data)
	if want := []string{s.Ref() + ".sql.7z", s.Ref() + ".sql.7z.002", s.Ref() + ".sql.7z.003"}; !slices.Equal(s.Details.Objects, want) {
		t.Fatalf("objects %q, want %q", s.Details.Objects, want)
	}
	wantRestored(t, b, s.Ref(), data)
	wantOpened(t, b, s.Details.Objects[0], data)
	first := filepath.Join(dir, filepath.FromSlash(s.Details.Objects[0]))
	if err := os.Rename(first, first+".001"); err != nil {
		t.Fatal(err)
	}
	sevenZip(t, dir, "t", "-p"+testPassword.Reveal(), first+".001")
	if got := sevenZip(t, dir, "x", "-so", "-p"+testPassword.Reveal(), first+".001"); !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came out of 7zz as %d", len(data), len(got))
	}
}

// Between aes256 and 7z, both ways: the same stream, under the original's time, in the other format.
func TestCopyToAndFromArchives(t *testing.T) {
	data := dump(20_000)
	aesOnly := newBackup(t, storage.Memory(), &Options{Encryptor: aes(testKey)})
	archived := newBackup(t, storage.Memory(), &Options{Encryptor: archives(sevenzip.Deflate), SegmentSize: 2000})
	first := create(t, aesOnly, "shop", data)
	there, err := aesOnly.Copy(t.Context(), first.Ref(), archived, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRestored(t, archived, there.Ref(), data)
	back, err := archived.Copy(t.Context(), there.Ref(), aesOnly, &CopyOptions{Name: "shop/copy"})
	if err != nil {
		t.Fatal(err)
	}
	wantRestored(t, aesOnly, back.Ref(), data)
	for _, s := range []*Snapshot{there, back} {
		if !s.Time.Equal(first.Time) || s.Details.PlainSHA256 != first.Details.PlainSHA256 {
			t.Errorf("copied %+v, of %+v", s, first)
		}
	}
	d := there.Details
	if d.Encryption.Name != "7z" || d.Encryption.Params["method"] != "deflate" || d.Encryption.Params["level"] != "6" || d.Compression.Name != "none" ||
		!slices.Equal(d.Encryption.KeyIDs, []string{testKey.ID()}) {
		t.Errorf("the archive's stages are %+v, %+v", d.Compression, d.Encryption)
	}
}

// An archive has one password for ever.
func TestRekeyOfAnArchive(t *testing.T) {
	b := newBackup(t, storage.Memory(), &Options{Encryptor: archives("")})
	s := create(t, b, "shop", dump(100))
	for _, opts := range []*Options{
		{Encryptor: archives("")}, {Encryptor: aes(testKey), ReadWith: []crypto.Encryptor{archives("")}},
	} {
		_, err := newBackup(t, b.vol, opts).Rekey(t.Context(), s.Ref())
		if err == nil || !strings.Contains(err.Error(), "7z") || !strings.Contains(err.Error(), "Copy it instead") {
			t.Errorf("Rekey with %s: %v", opts.Encryptor.Name(), err)
		}
	}
	if n := len(objects(t, b.vol)); n != 2 {
		t.Errorf("%d objects", n)
	}
}

func TestArchivesCompressByThemselves(t *testing.T) {
	for _, c := range []compress.Compressor{compress.Zstd(nil), compress.Gzip(nil), compress.XZ(nil)} {
		_, err := New(storage.Memory(), &Options{Encryptor: archives(""), Compressor: c})
		if err == nil || !strings.Contains(err.Error(), "7z compresses by itself: leave Options.Compressor unset instead of "+c.Name()) {
			t.Errorf("%s beside 7z: %v", c.Name(), err)
		}
	}
}

// Without a storage.HeadPutter an archive takes a temporary file, which has to be allowed.
func TestArchivesWithoutLateHead(t *testing.T) {
	vol, dir, data := fiveMethods{storage.Memory()}, t.TempDir(), dump(30_000)
	_, err := newBackup(t, vol, &Options{Encryptor: archives("")}).Create(t.Context(), "shop", bytes.NewReader(data), nil)
	if err == nil || !strings.Contains(err.Error(), "7z") || !strings.Contains(err.Error(), "SpoolDir") {
		t.Fatalf("want a refusal that names SpoolDir, got %v", err)
	}
	if left := objects(t, vol); len(left) != 0 {
		t.Fatalf("the refused backup left %q", left)
	}
	for _, segment := range []int64{0, 3000} {
		b := newBackup(t, vol, &Options{Encryptor: archives(""), SpoolDir: dir, SegmentSize: segment})
		s := create(t, b, "shop", data)
		wantRestored(t, b, s.Ref(), data)
		wantOpened(t, b, s.Details.Objects[0], data)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("spooling left %v, %v", left, err)
	}
}

// password makes a Password that stands for no key.
func password(t *testing.T, text string) sevenzip.Password {
	t.Helper()
	p, err := sevenzip.NewPassword(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ofPassword is a Backup that writes archives of a password without trying it first: each seal takes 0.1 s, and 1 s with -race.
func ofPassword(t *testing.T, vol storage.Volume, p sevenzip.Password) *Backup {
	t.Helper()
	b := newBackup(t, vol, &Options{Encryptor: archivesWith(p, nil), SegmentSize: 1000})
	b.canaryOK = true
	return b
}

// A password that stands for no key: who has another one, or none, can list and look for damage, and is told what is missing for the rest.
func TestArchivesOfAPassword(t *testing.T) {
	t.Parallel()
	right, wrong := password(t, "correct horse"), password(t, "Tr0ub4dor&3")
	vol, data := storage.Memory(), dump(5000)
	s := create(t, ofPassword(t, vol, right), "shop", data)
	if len(s.Details.Encryption.KeyIDs) != 0 {
		t.Errorf("the manifest helps to guess the password: %q", s.Details.Encryption.KeyIDs)
	}
	both := archivesWith(testPassword, &sevenzip.Options{ReadWith: []sevenzip.Password{right}})
	wantRestored(t, newBackup(t, vol, &Options{Encryptor: aes(testKey), ReadWith: []crypto.Encryptor{both}}), s.Ref(), data)
	for _, e := range []crypto.Encryptor{archivesWith(wrong, nil), archives(""), aes(testKey), crypto.None} {
		b := newBackup(t, vol, &Options{Encryptor: e})
		err := b.Restore(t.Context(), s.Ref(), io.Discard)
		if e := (*crypto.KeyError)(nil); !errors.As(err, &e) || e.Format != "7z" || strings.Contains(err.Error(), "horse") {
			t.Errorf("Restore: %v", err)
		}
		if _, err := b.OpenObject(t.Context(), s.Details.Objects[0]); err == nil || !strings.Contains(err.Error(), "7z") {
			t.Errorf("OpenObject: %v", err)
		}
	}
	b := newBackup(t, vol, &Options{Encryptor: archives("")})
	wantListed(t, b, "shop", s.ID)
	if got, err := b.Stat(t.Context(), s.Ref()); err != nil || got.Details.Seal != SealUnknown || got.Details.PlainSHA256 != "" {
		t.Errorf("Stat: %+v, %v", got, err)
	}
	if _, err := b.Verify(t.Context(), s.Ref(), &VerifyOptions{Stored: true}); err != nil {
		t.Errorf("looking for damage takes no password: %v", err)
	}
	if _, err := b.Verify(t.Context(), s.Ref(), nil); !isKeyError(err) {
		t.Errorf("Verify: %v", err)
	}
}

// Prune counts what its password authenticates, and nothing else.
func TestPruneOfArchives(t *testing.T) {
	other := sevenzip.FromKey(otherKey)
	for _, p := range []sevenzip.Password{testPassword, password(t, "correct horse")} {
		synctest.Test(t, func(t *testing.T) {
			vol := storage.Memory()
			b, forger := ofPassword(t, vol, p), newBackup(t, vol, &Options{Encryptor: archivesWith(other, nil)})
			good := create(t, b, "shop", dump(20))
			time.Sleep(time.Hour)
			forged := create(t, forger, "shop", dump(30))
			if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err != nil {
				t.Fatal(err)
			}
			wantListed(t, b, "shop", good.ID, forged.ID)
		})
	}
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: archives("")})
	old, good := create(t, b, "shop", dump(10)), create(t, b, "shop", dump(20))
	wrong := newBackup(t, vol, &Options{Encryptor: archivesWith(other, nil)})
	if _, err := wrong.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err == nil || !strings.Contains(err.Error(), testKey.ID()) {
		t.Fatalf("with another key: %v", err)
	}
	if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err != nil {
		t.Fatal(err)
	}
	wantListed(t, b, "shop", good.ID)
	if err := b.Restore(t.Context(), old.Ref(), io.Discard); !errors.Is(err, ErrNotExist) {
		t.Fatalf("what was pruned: %v", err)
	}
}

// What Databasement makes, under a plain name: "7z a -t7z -mx=6 -mhe=on" with the hex of its key.
func TestOpenStockArchives(t *testing.T) {
	dir, data := t.TempDir(), dump(300_000)
	for name, content := range map[string][]byte{"dump.sql": data, "other.sql": dump(10)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	how := []string{"a", "-t7z", "-mx=6", "-mhe=on", "-p" + testPassword.Reveal()}
	sevenZip(t, dir, append(how, "dump.sql.7z", "dump.sql")...)
	sevenZip(t, dir, append(how, "two.7z", "dump.sql", "other.sql")...)
	sevenZip(t, dir, append(how, "-v50k", "cut.7z", "dump.sql")...)
	files, err := filepath.Glob(filepath.Join(dir, "*.7z*"))
	if err != nil {
		t.Fatal(err)
	}
	vol := storage.Memory()
	for _, f := range files {
		archive, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		put(t, vol, "backups/"+filepath.Base(f), archive)
	}
	old := password(t, "of last year")
	b := newBackup(t, vol, &Options{Encryptor: aes(testKey), ReadWith: []crypto.Encryptor{
		archivesWith(old, nil), archivesWith(testPassword, &sevenzip.Options{ReadWith: []sevenzip.Password{old}}),
	}})
	wantOpened(t, b, "backups/dump.sql.7z", data)
	wantOpened(t, b, "backups/cut.7z.001", data)
	if _, err := b.OpenObject(t.Context(), "backups/two.7z"); err == nil || !strings.Contains(err.Error(), `2 files`) ||
		!strings.Contains(err.Error(), `"dump.sql"`) || !strings.Contains(err.Error(), `"other.sql"`) {
		t.Errorf("two files: %v", err)
	}
	named := newBackup(t, vol, &Options{Encryptor: archivesWith(testPassword, &sevenzip.Options{File: "other.sql"})})
	wantOpened(t, named, "backups/two.7z", dump(10))
	for _, e := range []crypto.Encryptor{archivesWith(old, nil), archivesWith(sevenzip.FromKey(otherKey), nil)} {
		_, err := newBackup(t, vol, &Options{Encryptor: e}).OpenObject(t.Context(), "backups/dump.sql.7z")
		noKey := (*crypto.KeyError)(nil)
		if !errors.As(err, &noKey) || noKey.Format != "7z" || !strings.Contains(err.Error(), "needs another password") {
			t.Errorf("with another password: %v", err)
		}
	}
}

// The temporary file may fail too, and then nothing is stored.
func TestSpoolDirThatIsMissing(t *testing.T) {
	vol := fiveMethods{storage.Memory()}
	b := newBackup(t, vol, &Options{Encryptor: archives(""), SpoolDir: filepath.Join(t.TempDir(), "missing")})
	_, err := b.Create(t.Context(), "shop", bytes.NewReader(dump(600_000)), nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "spool") {
		t.Errorf("got %v", err)
	}
	if left := objects(t, vol); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

// Archives are made and read in blocks side by side. However that ends, it ends with the call: synctest finds a goroutine that is left.
func TestArchivesLeaveNothingRunning(t *testing.T) {
	data := bytes.Repeat(dump(30_000), 100) // three blocks
	enough := errors.New("enough")
	for _, m := range []sevenzip.Method{sevenzip.Deflate, sevenzip.LZMA2, sevenzip.Copy} {
		o := &sevenzip.Options{Method: m, Level: 1, Concurrency: 4}
		if m == sevenzip.Copy {
			o.Level = 0
		}
		synctest.Test(t, func(t *testing.T) {
			vol := storage.Memory()
			b := newBackup(t, vol, &Options{Encryptor: archivesWith(testPassword, o)})
			if _, err := b.Create(t.Context(), "shop", failing(data, 1<<20+1, enough), nil); !errors.Is(err, enough) {
				t.Errorf("%s: a source that fails: %v", m, err)
			}
			if left := objects(t, vol); len(left) != 0 {
				t.Errorf("%s: left %q", m, left)
			}
			s := create(t, b, "shop", data)
			if err := b.Restore(t.Context(), s.Ref(), failingWriter{enough}); !errors.Is(err, enough) {
				t.Errorf("%s: a writer that fails: %v", m, err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			err := b.RestoreFunc(ctx, s.Ref(), func(_ context.Context, r io.Reader) error {
				_, err := io.CopyN(io.Discard, r, 1000)
				cancel(enough)
				return err
			})
			if !errors.Is(err, enough) {
				t.Errorf("%s: cancelled while it is read: %v", m, err)
			}
			r, err := b.OpenObject(t.Context(), s.Details.Objects[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
				t.Errorf("%s: %v", m, err)
			}
			if err := r.Close(); err != nil {
				t.Errorf("%s: closed after the first bytes: %v", m, err)
			}
		})
	}
}
