package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

func TestRoundTrip(t *testing.T) {
	compressors := []compress.Compressor{compress.None, compress.Zstd(nil), compress.Gzip(nil), compress.XZ(&compress.XZOptions{Level: 1})}
	encryptors := []crypto.Encryptor{crypto.None, aes(testKey), readWrite(), lateFormat{aes(testKey)}, archives(sevenzip.Deflate)}
	for _, c := range compressors {
		for _, e := range encryptors {
			if compresses(e) && c != compress.None {
				continue
			}
			for _, segment := range []int64{0, 700, 1000, 2500} {
				t.Run(fmt.Sprintf("%s %s %d", c.Name(), e.Name(), segment), func(t *testing.T) {
					vol := storage.Memory()
					b := newBackup(t, vol, &Options{Compressor: c, Encryptor: e, SegmentSize: segment})
					for _, n := range []int{0, 1, 700, 701, 2000, 20_000} {
						data := dump(n)
						s := create(t, b, "shop", data)
						wantRestored(t, b, s.Ref(), data)
						wantRestored(t, b, "shop/latest", data)
						for _, stored := range []bool{true, false} {
							v, err := b.Verify(t.Context(), s.Ref(), &VerifyOptions{Stored: stored})
							if err != nil {
								t.Fatal(err)
							}
							if v.Details.PlainSize != int64(n) || v.StoredSize != s.StoredSize || v.Details.PlainSHA256 != s.Details.PlainSHA256 {
								t.Fatalf("Verify says %+v, Create said %+v", v, s)
							}
						}
					}
				})
			}
		}
	}
}

func TestDefaultChunks(t *testing.T) {
	data := bytes.Repeat(dump(1<<20), 20)
	for _, vol := range []storage.Volume{storage.Memory(), openDir(t)} {
		b, err := New(vol, &Options{Compressor: compress.None, Encryptor: aes(testKey)})
		if err != nil {
			t.Fatal(err)
		}
		s := create(t, b, "shop", data)
		wantRestored(t, b, s.Ref(), data)
	}
}

func openDir(t testing.TB) *localfs.Volume {
	t.Helper()
	vol, err := localfs.Open(filepath.Join(t.TempDir(), "volume"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return vol
}

func TestObjects(t *testing.T) {
	vol := storage.Memory()
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{Encryptor: aes(testKey)}, ".manifest.json .sql.zst.aes"},
		{Options{Encryptor: crypto.None, Compressor: compress.None}, ".manifest.json .sql"},
		{Options{Encryptor: crypto.None, Compressor: compress.None, SegmentSize: 1500}, ".manifest.json .sql.001 .sql.002 .sums-001.json .sums-002.json"},
		{Options{Encryptor: crypto.None, Compressor: compress.Gzip(nil), SegmentSize: 1 << 20}, ".manifest.json .sql.gz.001"},
	} {
		b := newBackup(t, vol, &test.opts)
		s := create(t, b, "shop", dump(2500))
		var got []string
		for _, o := range objects(t, vol) {
			if rest, ok := strings.CutPrefix(o, s.Ref()); ok {
				got = append(got, rest)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("objects %q, want %q", got, test.want)
		}
	}
}

// limited is a volume with a small largest object.
type limited struct{ storage.Volume }

func (l limited) Unwrap() storage.Volume { return l.Volume }
func (l limited) MaxObjectSize() int64   { return 1500 }

func TestRollOverAtTheVolumesLimit(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, limited{vol}, nil)
	data := dump(4000)
	s := create(t, b, "shop", data)
	wantRestored(t, b, s.Ref(), data)
	want := []string{s.Ref() + ".sql.aes", s.Ref() + ".sql.aes.002", s.Ref() + ".sql.aes.003"}
	if !slices.Equal(s.Details.Objects, want) {
		t.Fatalf("objects %q, want %q", s.Details.Objects, want)
	}
	var whole []byte
	for _, o := range s.Details.Objects {
		whole = append(whole, content(t, vol, o)...)
	}
	if int64(len(whole)) != s.StoredSize {
		t.Fatalf("the objects joined have %d bytes, the stored stream %d", len(whole), s.StoredSize)
	}
}

func TestTooManySegments(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Compressor: compress.None, Encryptor: crypto.None, SegmentSize: 1})
	if s := create(t, b, "shop", dump(999)); len(s.Details.Objects) != 999 {
		t.Fatalf("%d objects", len(s.Details.Objects))
	}
	before := len(objects(t, vol))
	_, err := b.Create(t.Context(), "shop", bytes.NewReader(dump(1000)), nil)
	if !errors.Is(err, storage.ErrTooLarge) {
		t.Fatal(err)
	}
	if n := len(objects(t, vol)); n != before {
		t.Fatalf("the failed backup left %d objects", n-before)
	}
}

// fiveMethods hides every capability of a volume.
type fiveMethods struct{ storage.Volume }

func TestLateHeadWithoutTheCapability(t *testing.T) {
	vol := fiveMethods{storage.Memory()}
	b := newBackup(t, vol, &Options{Encryptor: lateFormat{aes(testKey)}})
	_, err := b.Create(t.Context(), "shop", strings.NewReader("x"), nil)
	if err == nil || !strings.Contains(err.Error(), "SpoolDir") {
		t.Fatalf("want a refusal that names SpoolDir, got %v", err)
	}
	dir := t.TempDir()
	b = newBackup(t, vol, &Options{Encryptor: lateFormat{aes(testKey)}, SpoolDir: dir, SegmentSize: 3000})
	data := dump(30_000)
	wantRestored(t, b, create(t, b, "shop", data).Ref(), data)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("spooling left %v", left)
	}
}

func TestReadersOfAllKinds(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	data := dump(5000)
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(data)), "half": iotest.HalfReader(bytes.NewReader(data)),
		"EOF with data": iotest.DataErrReader(bytes.NewReader(data)),
	} {
		s, err := b.Create(t.Context(), "shop", r, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantRestored(t, b, s.Ref(), data)
		err = b.RestoreFunc(t.Context(), s.Ref(), func(_ context.Context, r io.Reader) error {
			return iotest.TestReader(r, data)
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestCreateFuncWritesOfAllKinds(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	s, err := b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, w io.Writer) error {
		for i := range 3000 {
			fmt.Fprintf(w, "%d\n", i)
		}
		_, err := io.Copy(w, strings.NewReader("the end"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&want, "%d\n", i)
	}
	want.WriteString("the end")
	wantRestored(t, b, s.Ref(), want.Bytes())
}

func TestProducerMustNotWriteAfterItsEnd(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	var kept io.Writer
	if _, err := b.CreateFunc(t.Context(), "shop", nil, func(_ context.Context, w io.Writer) error {
		kept = w
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Write([]byte("late")); err == nil {
		t.Fatal("a late write succeeds")
	}
}

func TestRestoreFuncVerifiesWhatIsLeftUnread(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Compressor: compress.None, Encryptor: crypto.None})
	s := create(t, b, "shop", dump(50_000))
	readLittle := func(_ context.Context, r io.Reader) error {
		_, err := io.ReadFull(r, make([]byte, 10))
		return err
	}
	if err := b.RestoreFunc(t.Context(), s.Ref(), readLittle); err != nil {
		t.Fatal(err)
	}
	data := content(t, vol, s.Details.Objects[0])
	data[len(data)-1] ^= 1
	put(t, vol, s.Details.Objects[0], data)
	if err := b.RestoreFunc(t.Context(), s.Ref(), readLittle); !errors.Is(err, ErrDamaged) {
		t.Fatalf("damage behind what was read: %v", err)
	}
}

func TestRestoreFile(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, nil)
	s := create(t, b, "shop", dump(5000))
	path := filepath.Join(t.TempDir(), "shop.sql")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	object := s.Details.Objects[0]
	good := content(t, vol, object)
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	put(t, vol, object, bad)
	if err := b.RestoreFile(t.Context(), s.Ref(), path); !errors.Is(err, ErrDamaged) {
		t.Fatalf("restoring a damaged snapshot: %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Fatalf("a failed restore changed the file to %q", got)
	}
	put(t, vol, object, good)
	if err := b.RestoreFile(t.Context(), s.Ref(), path); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, dump(5000)) {
		t.Fatal("the file is not what was backed up")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Fatalf("temporary files are left: %v", left)
	}
}

func TestCopy(t *testing.T) {
	from := newBackup(t, storage.Memory(), &Options{Encryptor: aes(testKey)})
	to := newBackup(t, openDir(t), &Options{Encryptor: readWrite(), Compressor: compress.Gzip(nil), SegmentSize: 2000})
	data := dump(20_000)
	original, err := from.Create(t.Context(), "shop", bytes.NewReader(data), &CreateOptions{
		Ext: ".sql", Source: "db1", OriginalName: "Shop", Labels: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	copied, err := from.Copy(t.Context(), "shop/latest", to, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRestored(t, to, copied.Ref(), data)
	c, o := copied.Details, original.Details
	if !copied.Time.Equal(original.Time) || copied.ID == original.ID || c.CopiedFrom != original.Ref() ||
		c.Source != o.Source || c.Ext != o.Ext || c.OriginalName != o.OriginalName || c.Labels["a"] != "b" || c.PlainSHA256 != o.PlainSHA256 {
		t.Fatalf("copied %+v %+v\noriginal %+v %+v", copied, c, original, o)
	}
	renamed, err := from.Copy(t.Context(), original.Ref(), from, &CopyOptions{Name: "shop/copy"})
	if err != nil || renamed.Name != "shop/copy" {
		t.Fatal(renamed, err)
	}
	wantListed(t, from, "shop", original.ID)
}

func TestCopyOfDamageCopiesNothing(t *testing.T) {
	vol, other := storage.Memory(), storage.Memory()
	from, to := newBackup(t, vol, nil), newBackup(t, other, nil)
	s := create(t, from, "shop", dump(5000))
	data := content(t, vol, s.Details.Objects[0])
	data[len(data)-1] ^= 1
	put(t, vol, s.Details.Objects[0], data)
	if _, err := from.Copy(t.Context(), s.Ref(), to, nil); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	if left := objects(t, other); len(left) != 0 {
		t.Fatalf("left %v", left)
	}
}

func TestRekey(t *testing.T) {
	vol := storage.Memory()
	old := newBackup(t, vol, &Options{Encryptor: aes(otherKey)})
	data := dump(5000)
	s := create(t, old, "shop", data)
	both := newBackup(t, vol, &Options{Encryptor: aes(testKey, otherKey)})
	now := newBackup(t, vol, &Options{Encryptor: aes(testKey)})
	keyError := (*crypto.KeyError)(nil)
	if err := now.Restore(t.Context(), s.Ref(), io.Discard); !errors.As(err, &keyError) || !slices.Contains(keyError.Need, otherKey.ID()) {
		t.Fatalf("want an error that names key %s, got %v", otherKey.ID(), err)
	}
	for range 2 { // the second time it is there already
		id, err := both.Rekey(t.Context(), s.Ref())
		if err != nil || id != testKey.ID() {
			t.Fatal(id, err)
		}
	}
	wantRestored(t, now, s.Ref(), data)
	wantRestored(t, old, s.Ref(), data)
	third := crypto.NewKey()
	if _, err := newBackup(t, vol, &Options{Encryptor: aes(third, testKey)}).Rekey(t.Context(), s.Ref()); err != nil {
		t.Fatalf("from the key of an earlier Rekey: %v", err)
	}
	wantRestored(t, newBackup(t, vol, &Options{Encryptor: aes(third)}), s.Ref(), data)
	if err := now.Delete(t.Context(), s.Ref()); err != nil {
		t.Fatal(err)
	}
	if left := objects(t, vol); len(left) != 0 {
		t.Fatalf("Delete left %v", left)
	}
	plain := newBackup(t, vol, &Options{Encryptor: crypto.None})
	if _, err := both.Rekey(t.Context(), create(t, plain, "shop", data).Ref()); err == nil {
		t.Fatal("Rekey of a snapshot in the clear succeeds")
	}
}

// Whoever can write to the volume can put junk beside the wraps, but not keep the good one from being found.
func TestRekeyAmongJunk(t *testing.T) {
	vol := storage.Memory()
	data := dump(3000)
	s := create(t, newBackup(t, vol, &Options{Encryptor: aes(otherKey)}), "shop", data)
	if _, err := newBackup(t, vol, &Options{Encryptor: aes(testKey, otherKey)}).Rekey(t.Context(), s.Ref()); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, vol, fmt.Sprintf("%s.wrap-0%02d", s.Ref(), i), []byte("junk"))
	}
	put(t, vol, s.Ref()+".wrap-0", make([]byte, 1<<20))
	put(t, vol, s.Ref()+".wrap-_x", nil)
	wantRestored(t, newBackup(t, vol, &Options{Encryptor: aes(testKey)}), s.Ref(), data)
}

func TestReadWith(t *testing.T) {
	vol := storage.Memory()
	data := dump(3000)
	a := create(t, newBackup(t, vol, &Options{Encryptor: readWrite()}), "shop", data)
	n := create(t, newBackup(t, vol, &Options{Encryptor: crypto.None}), "shop", data)
	o := create(t, newBackup(t, vol, &Options{Encryptor: aes(otherKey)}), "shop", data)
	b := newBackup(t, vol, &Options{Encryptor: aes(testKey), ReadWith: []crypto.Encryptor{readWrite(), aes(otherKey)}})
	wantRestored(t, b, a.Ref(), data)
	wantRestored(t, b, o.Ref(), data)
	if err := b.Restore(t.Context(), n.Ref(), io.Discard); !errors.Is(err, ErrUnsealed) {
		t.Fatalf("a snapshot in the clear: %v", err)
	}
	if _, err := b.Verify(t.Context(), n.Ref(), &VerifyOptions{Stored: true}); err != nil {
		t.Fatalf("looking for damage in it takes no key: %v", err)
	}
	b.opts.AllowUnsealed = true
	wantRestored(t, b, n.Ref(), data)
	keyError := (*crypto.KeyError)(nil)
	plain := newBackup(t, vol, &Options{Encryptor: crypto.None})
	if err := plain.Restore(t.Context(), a.Ref(), io.Discard); !errors.As(err, &keyError) || keyError.Format != "age" {
		t.Fatalf("without any key: %v", err)
	}
}

func TestWriteOnlyKeys(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: writeOnly()})
	data := dump(3000)
	s := create(t, b, "shop", data)
	keyError := (*crypto.KeyError)(nil)
	if err := b.Restore(t.Context(), s.Ref(), io.Discard); !errors.As(err, &keyError) {
		t.Fatal(err)
	}
	got, err := b.Stat(t.Context(), s.Ref())
	if err != nil || got.Details.Seal != SealUnknown || got.Details.PlainSHA256 != "" || got.Details.PlainSize != 3000 {
		t.Fatalf("%+v %v", got.Details, err)
	}
	wantRestored(t, newBackup(t, vol, &Options{Encryptor: readWrite()}), s.Ref(), data)
}

func TestStat(t *testing.T) {
	b := newBackup(t, storage.Memory(), &Options{Encryptor: aes(testKey)})
	s := create(t, b, "shop", dump(3000))
	got, err := b.Stat(t.Context(), "shop/latest")
	if err != nil {
		t.Fatal(err)
	}
	d := got.Details
	if got.Ref() != s.Ref() || d.Seal != SealVerified || d.Ext != ".sql" || d.Compression.Name != "zstd" || d.Encryption.Name != "aes256" ||
		!slices.Equal(d.Encryption.KeyIDs, []string{testKey.ID()}) || d.PlainSHA256 != s.Details.PlainSHA256 || time.Since(d.Begun) > time.Minute || d.Ended.Before(d.Begun) {
		t.Fatalf("%+v", d)
	}
}

func TestOpenObject(t *testing.T) {
	data := dump(20_000)
	for _, e := range []crypto.Encryptor{crypto.None, aes(testKey), readWrite(), archives(sevenzip.Deflate)} {
		for _, c := range compress.All() {
			if compresses(e) && c.Name() != compress.None.Name() {
				continue
			}
			for _, segment := range []int64{0, 500} {
				vol := storage.Memory()
				b := newBackup(t, vol, &Options{Encryptor: e, Compressor: c, SegmentSize: segment})
				s := create(t, b, "shop", data)
				if err := vol.Delete(t.Context(), manifestOf(s)); err != nil {
					t.Fatal(err)
				}
				reader := newBackup(t, vol, &Options{Encryptor: aes(otherKey), ReadWith: []crypto.Encryptor{aes(testKey), readWrite(), archives("")}})
				r, err := reader.OpenObject(t.Context(), s.Details.Objects[0])
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err := errors.Join(err, r.Close()); err != nil {
					t.Fatalf("%s: %v", s.Details.Objects[0], err)
				}
				if !bytes.Equal(got, data) {
					t.Fatalf("%s: other bytes", s.Details.Objects[0])
				}
			}
		}
	}
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: crypto.None})
	put(t, vol, "x.sql.aes", nil)
	if _, err := b.OpenObject(t.Context(), "x.sql.aes"); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Fatal(err)
	}
	if _, err := b.OpenObject(t.Context(), "missing.sql"); !errors.Is(err, ErrNotExist) {
		t.Fatal(err)
	}
	put(t, vol, "y.sql", nil)
	put(t, vol, "y.sql.003", nil)
	if _, err := b.OpenObject(t.Context(), "y.sql"); err == nil || !strings.Contains(err.Error(), "y.sql.002") {
		t.Fatalf("a missing segment: %v", err)
	}
}
