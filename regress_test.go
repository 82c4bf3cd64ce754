package backup

// What reviews and users found, each shown by a test.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// Without knowing any key somebody puts a snapshot there; a Backup that writes with one Encryptor and reads with another
// must not count it.
func TestPruneForgedForOtherKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		b := newBackup(t, vol, &Options{Encryptor: writeOnly(), ReadWith: []crypto.Encryptor{readWrite()}})
		good := create(t, b, "shop", dump(100))
		time.Sleep(time.Hour)
		stranger, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		forger := crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{stranger.Recipient()}})
		forged := create(t, newBackup(t, vol, &Options{Encryptor: forger}), "shop", dump(100))
		if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err != nil {
			t.Fatal(err)
		}
		wantListed(t, b, "shop", good.ID, forged.ID)
	})
}

func TestPruneCountsOnlyWhatIsThere(t *testing.T) {
	for what, opts := range map[string]Options{"one object": plain(0), "segments": plain(1000)} {
		for _, lose := range []string{".sql.aes", ".sums-001.json"} {
			synctest.Test(t, func(t *testing.T) {
				vol := storage.Memory()
				b := newBackup(t, vol, &opts)
				good := create(t, b, "shop", dump(3000))
				time.Sleep(time.Hour)
				broken := create(t, b, "shop", dump(3000))
				lost := 0
				for _, o := range objects(t, vol) {
					if strings.HasPrefix(o, broken.Ref()+lose) {
						lost++
						if err := vol.Delete(t.Context(), o); err != nil {
							t.Fatal(err)
						}
					}
				}
				plan, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1})
				if err != nil {
					t.Fatal(err)
				}
				if removed := len(plan.Removals()); (lost > 0) != (removed == 0) {
					t.Fatalf("%s without %s: %d removed", what, lose, removed)
				}
				if lost > 0 {
					wantRestored(t, b, good.Ref(), dump(3000))
				}
			})
		}
	}
}

func TestPruneWithTheWrongKeySaysSo(t *testing.T) {
	vol := storage.Memory()
	create(t, newBackup(t, vol, nil), "shop", dump(10))
	wrong := newBackup(t, vol, &Options{Encryptor: aes(otherKey)})
	if _, err := wrong.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err == nil || !strings.Contains(err.Error(), testKey.ID()) {
		t.Fatal(err)
	}
	if _, err := wrong.Prune(t.Context(), "none", Retention{KeepLast: 1}); err != nil {
		t.Fatalf("a name without snapshots: %v", err)
	}
}

// The transport of net/http may read a request's body after Do has returned.
func TestReaderEndsWithItsFunction(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	s := create(t, b, "shop", dump(200_000))
	for range 20 {
		var wg sync.WaitGroup
		early := errors.New("answered early")
		for _, result := range []error{nil, early} {
			err := b.RestoreFunc(t.Context(), s.Ref(), func(_ context.Context, r io.Reader) error {
				started := make(chan struct{})
				wg.Go(func() {
					_, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{signalling{r, sync.OnceFunc(func() { close(started) })}})
					if err != nil && !errors.Is(err, errRead) && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
				<-started
				return result
			})
			if !errors.Is(err, result) {
				t.Fatalf("got %v, want %v", err, result)
			}
		}
		wg.Wait()
	}
}

type signalling struct {
	io.Reader
	signal func()
}

func (s signalling) Read(p []byte) (int, error) {
	s.signal()
	return s.Reader.Read(p)
}

// A hook that panics while the manifest is out must not make its data go.
func TestPanicWhileTheManifestIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSite(t, plain(0))
		x.b.opts.OnEvent = func(e Event) {
			if e.Kind == EventWarning {
				panic("a logger that breaks")
			}
		}
		x.fault.Inject(storagetest.Fault{Op: "Put", Kind: storagetest.LostAnswer, Match: onlyManifests, Nth: 1})
		func() {
			defer func() { _ = recover() }()
			_, _ = x.b.Create(t.Context(), "shop", bytes.NewReader(dump(2000)), nil)
			t.Error("the panic is lost")
		}()
		if n := x.wantPromises(dump(2000)); n != 1 {
			t.Fatalf("%d snapshots", n)
		}
	})
}

func TestLatestIsNotFromTheFuture(t *testing.T) {
	vol := storage.Memory()
	b, ahead := newBackup(t, vol, nil), newBackup(t, vol, nil)
	ahead.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	create(t, b, "shop", dump(10))
	future := create(t, ahead, "shop", dump(20))
	if _, err := b.Latest(t.Context(), "shop", time.Hour); err == nil || !strings.Contains(err.Error(), "future") {
		t.Fatal(err)
	}
	if err := b.Restore(t.Context(), "shop/latest", io.Discard); err == nil || !strings.Contains(err.Error(), future.ID) {
		t.Fatal(err)
	}
	wantRestored(t, b, future.Ref(), dump(20))
}

// slow is a key service that does not answer.
type slow struct{ *crypto.Keyring }

func (slow) WrapKey(ctx context.Context, _, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSlowKeyServiceDoesNotHoldOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackup(t, storage.Memory(), &Options{Encryptor: crypto.AES256(slow{crypto.NewKeyring(testKey)})})
		var wg sync.WaitGroup
		start := time.Now()
		for _, patience := range []time.Duration{time.Hour, time.Second} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			wg.Go(func() {
				defer cancel()
				if _, err := b.Create(ctx, "shop", strings.NewReader("x"), nil); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if took := time.Since(start); took > patience+time.Second {
					t.Errorf("ctx ended after %s, Create after %s", patience, took)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
	})
}

func TestMissingObjectsAreDamage(t *testing.T) {
	for _, size := range []int{0, 3000} {
		for _, segment := range []int64{0, 1000} {
			vol := storage.Memory()
			b := newBackup(t, vol, &Options{Encryptor: crypto.None, Compressor: compress.None, SegmentSize: segment})
			s := create(t, b, "shop", dump(size))
			for _, o := range objects(t, vol) {
				if onlyManifests(o) {
					continue
				}
				good := content(t, vol, o)
				if err := vol.Delete(t.Context(), o); err != nil {
					t.Fatal(err)
				}
				_, stored := b.Verify(t.Context(), s.Ref(), &VerifyOptions{Stored: true})
				_, whole := b.Verify(t.Context(), s.Ref(), nil)
				for _, err := range []error{stored, whole, b.Restore(t.Context(), s.Ref(), io.Discard)} {
					if !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotExist) || !strings.Contains(err.Error(), "missing") {
						t.Fatalf("%d bytes without %s: %v", size, o, err)
					}
				}
				put(t, vol, o, good)
			}
		}
	}
}

func TestLostManifestIsTold(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, nil)
	s := create(t, b, "shop", dump(10))
	if err := vol.Delete(t.Context(), manifestOf(s)); err != nil {
		t.Fatal(err)
	}
	err := b.Restore(t.Context(), s.Ref(), io.Discard)
	if !errors.Is(err, ErrNotExist) || !strings.Contains(err.Error(), s.Details.Objects[0]) {
		t.Fatal(err)
	}
}

func TestJunkBeforeTheWrapOfAnOldKey(t *testing.T) {
	vol := storage.Memory()
	first, data := crypto.NewKey(), dump(3000)
	s := create(t, newBackup(t, vol, &Options{Encryptor: aes(first)}), "shop", data)
	if _, err := newBackup(t, vol, &Options{Encryptor: aes(otherKey, first)}).Rekey(t.Context(), s.Ref()); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, vol, s.Ref()+".wrap-0"+strings.Repeat("0", i%50)+"x"+strings.Repeat("1", i/50), []byte("junk"))
	}
	wantRestored(t, newBackup(t, vol, &Options{Encryptor: aes(testKey, otherKey)}), s.Ref(), data)
}

func TestOpenObjectAfterRekey(t *testing.T) {
	vol := storage.Memory()
	data := dump(3000)
	s := create(t, newBackup(t, vol, &Options{Encryptor: aes(otherKey)}), "shop", data)
	if _, err := newBackup(t, vol, &Options{Encryptor: aes(testKey, otherKey)}).Rekey(t.Context(), s.Ref()); err != nil {
		t.Fatal(err)
	}
	r, err := newBackup(t, vol, nil).OpenObject(t.Context(), s.Details.Objects[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
		t.Fatal(err)
	}
}

func TestOpenObjectOfAFurtherSegment(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: aes(testKey), Compressor: compress.None, SegmentSize: 1000})
	s := create(t, b, "shop", dump(3000))
	if _, err := b.OpenObject(t.Context(), s.Details.Objects[1]); err == nil || !strings.Contains(err.Error(), "further segment") {
		t.Fatal(err)
	}
}

// A ctx that ends after the commit does not undo it.
func TestCopyCancelledTooLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	from := newBackup(t, storage.Memory(), nil)
	to := newBackup(t, storage.Memory(), &Options{Encryptor: aes(testKey), OnEvent: func(e Event) {
		if e.Kind == EventEnd {
			cancel()
		}
	}})
	s := create(t, from, "shop", dump(3000))
	copied, err := from.Copy(ctx, s.Ref(), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRestored(t, to, copied.Ref(), dump(3000))
	if _, err := from.Copy(t.Context(), s.Ref(), nil, nil); err == nil {
		t.Fatal("a copy to nowhere succeeds")
	}
	if _, err := from.Create(t.Context(), "shop", nil, nil); err == nil {
		t.Fatal("a nil reader is accepted")
	}
}

type named struct {
	compress.Compressor
	name string
}

func (n named) Name() string { return n.name }

// What a manifest cannot say is refused before a dump, not after it.
func TestStageNames(t *testing.T) {
	for _, name := range []string{"", "LZ4", "a b", strings.Repeat("a", 33)} {
		if _, err := New(storage.Memory(), &Options{Encryptor: crypto.None, Compressor: named{compress.None, name}}); err == nil {
			t.Errorf("New accepts a compressor called %q", name)
		}
	}
}

// shortWriter takes less than it was given, and does not say so.
type shortCompressor struct{ compress.Compressor }

func (s shortCompressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	w, err := s.Compressor.Compress(dst)
	return shortWriter{w}, err
}

type shortWriter struct{ io.WriteCloser }

func (w shortWriter) Write(p []byte) (int, error) { return w.WriteCloser.Write(p[:len(p)-1]) }

func TestShortWriteOfACompressor(t *testing.T) {
	b := newBackup(t, storage.Memory(), &Options{Encryptor: crypto.None, Compressor: shortCompressor{compress.None}})
	if _, err := b.Create(t.Context(), "shop", strings.NewReader("abc"), nil); !errors.Is(err, io.ErrShortWrite) {
		t.Fatal(err)
	}
}

// RestoreFile replaces nothing but files: /dev/null is what anybody types to try a restore.
func TestRestoreFileReplacesOnlyFiles(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	s := create(t, b, "shop", dump(100))
	dir := t.TempDir()
	targets := []string{dir, filepath.Join(dir, "missing", "file")}
	if runtime.GOOS != "windows" {
		device := filepath.Join(dir, "device") // a link, so that a failing test does not break the system's own
		if err := os.Symlink(os.DevNull, device); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, device)
	}
	for _, path := range targets {
		if err := b.RestoreFile(t.Context(), s.Ref(), path); err == nil {
			t.Errorf("%s was replaced", path)
		} else if path == dir && !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatal("the null device was replaced", err)
	}
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	if err := b.RestoreFile(t.Context(), s.Ref(), link); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, dump(100)) {
		t.Fatal("a link was replaced, not followed", err)
	}
}

// Keys that encrypt to others only are fine; keys that should read, and cannot, are told.
func TestKeysThatDoNotFitAreAWarning(t *testing.T) {
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		identities []age.Identity
		warned     bool
	}{{nil, false}, {[]age.Identity{testIdentity}, false}, {[]age.Identity{other}, true}} {
		warned := false
		b := newBackup(t, storage.Memory(), &Options{
			Encryptor: crypto.Age(&crypto.AgeOptions{Recipients: []age.Recipient{testIdentity.Recipient()}, Identities: test.identities}),
			OnEvent:   func(e Event) { warned = warned || e.Kind == EventWarning },
		})
		create(t, b, "shop", dump(10))
		if warned != test.warned {
			t.Errorf("%d identities: warned %v", len(test.identities), warned)
		}
	}
}

// Who may only read is told what works: each permission is tried apart.
func TestCheckWithoutPut(t *testing.T) {
	fault := storagetest.NewFaulty(storage.Memory(), 1)
	fault.Inject(
		storagetest.Fault{Op: "Put", Err: storage.ErrPermission},
		storagetest.Fault{Op: "Delete", Err: storage.ErrPermission},
	)
	items, err := newBackup(t, fault, nil).Check(t.Context())
	var failed []string
	for _, i := range items {
		if i.Err != nil {
			failed = append(failed, i.Name)
		}
	}
	if err == nil || !slices.Equal(failed, []string{"put", "delete"}) {
		t.Fatalf("%q failed: %+v", failed, items)
	}
}
