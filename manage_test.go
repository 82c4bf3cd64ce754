package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func TestNewRefuses(t *testing.T) {
	vol := storage.Memory()
	for want, opts := range map[string]*Options{
		"Encryptor is not set":        {},
		"ReadWith is nil":             {Encryptor: crypto.None, ReadWith: []crypto.Encryptor{nil}},
		"SegmentSize":                 {Encryptor: crypto.None, SegmentSize: MaxSegmentSize + 1},
		"level":                       {Encryptor: crypto.None, Compressor: compress.Zstd(&compress.ZstdOptions{Level: 99})},
		"compresses by itself":        {Encryptor: archive{crypto.None}, Compressor: compress.Zstd(nil)},
		"extension \".002\" of a sta": {Encryptor: badExt{crypto.None}},
	} {
		if _, err := New(vol, opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v) = %v, want an error with %q", opts, err, want)
		}
	}
	if _, err := New(nil, &Options{Encryptor: crypto.None}); err == nil {
		t.Error("New accepts no volume")
	}
	if _, err := New(vol, nil); err == nil {
		t.Error("New accepts no options")
	}
	b, err := New(vol, &Options{Encryptor: archive{crypto.None}})
	if err != nil || b.opts.Compressor.Name() != "none" {
		t.Errorf("an archive format is compressed again with %v, %v", b.opts.Compressor.Name(), err)
	}
}

type archive struct{ crypto.Encryptor }

func (archive) Params() map[string]string { return nil }

type badExt struct{ crypto.Encryptor }

func (badExt) Extension() string { return ".002" }

func TestBadInput(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, nil)
	for _, name := range []string{"", "..", "a/../b", "/a", "a/", "Shop", "a\x00", "latest", "a b", strings.Repeat("a", 201)} {
		if _, err := b.Create(t.Context(), name, strings.NewReader("x"), nil); err == nil || !strings.Contains(err.Error(), "CleanName") {
			t.Errorf("Create %q: %v", name, err)
		}
		if _, err := b.List(t.Context(), name); err == nil {
			t.Errorf("List %q succeeds", name)
		}
	}
	for _, ref := range []string{"", "shop", "shop/", "shop/last", "Shop/latest", "../latest", "/latest", "shop/20261122t175500123z-7F3A9C2E"} {
		if err := b.Restore(t.Context(), ref, io.Discard); err == nil || !strings.Contains(err.Error(), "is not a snapshot") {
			t.Errorf("Restore %q: %v", ref, err)
		}
		if err := b.Delete(t.Context(), ref); err == nil {
			t.Errorf("Delete %q succeeds", ref)
		}
	}
	for _, opts := range []*CreateOptions{
		{Ext: "sql"}, {Ext: ".a.b.c"}, {Ext: ".manifest.json"}, {Ext: ".001"}, {Ext: "/../x"}, {Source: strings.Repeat("s", 1025)},
		{OriginalName: "\xff"}, {Labels: map[string]string{"k": strings.Repeat("v", 1025)}},
	} {
		if _, err := b.Create(t.Context(), "shop", strings.NewReader("x"), opts); err == nil {
			t.Errorf("Create with %+v succeeds", opts)
		}
	}
	for _, ref := range []string{"shop/latest", "shop/20261122t175500123z-7f3a9c2e"} {
		if err := b.Restore(t.Context(), ref, io.Discard); !errors.Is(err, ErrNotExist) {
			t.Errorf("Restore of a missing %s: %v", ref, err)
		}
		if err := b.Delete(t.Context(), ref); !errors.Is(err, ErrNotExist) {
			t.Errorf("Delete of a missing %s: %v", ref, err)
		}
	}
	if left := objects(t, vol); len(left) != 0 {
		t.Fatalf("bad input left %v", left)
	}
}

// A .json dump that is stored as it is must not look like a manifest (pitfall 46).
func TestReservedByTheStages(t *testing.T) {
	b := newBackup(t, storage.Memory(), &Options{Encryptor: jsonExt{crypto.None}, Compressor: compress.None})
	_, err := b.Create(t.Context(), "shop", strings.NewReader("x"), &CreateOptions{Ext: ".manifest"})
	if err == nil || !strings.Contains(err.Error(), "reserved") {
		t.Fatal(err)
	}
}

type jsonExt struct{ crypto.Encryptor }

func (jsonExt) Extension() string { return ".json" }

func TestListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		b := newBackup(t, vol, nil)
		var ids []string
		for range 3 {
			ids = append(ids, create(t, b, "shop", dump(100)).ID)
			time.Sleep(time.Hour)
		}
		create(t, b, "shop/eu", dump(100))
		create(t, b, "shop-2", dump(100))
		create(t, b, "shop.eu", dump(100))
		put(t, vol, "shop/notes.txt", []byte("not ours"))
		put(t, vol, "shop/20261122t175500123z-7f3a9c2e.sql", []byte("no manifest"))
		wantListed(t, b, "shop", ids...)
		wantListed(t, b, "shopp")
		names, err := b.Names(t.Context())
		if err != nil || !slices.Equal(names, []string{"shop", "shop-2", "shop.eu", "shop/eu"}) {
			t.Fatal(names, err)
		}
		s, err := b.Latest(t.Context(), "shop", 2*time.Hour)
		if err != nil || s.ID != ids[2] || s.StoredSize == 0 {
			t.Fatal(s, err)
		}
		if s, err := b.Latest(t.Context(), "shop", time.Minute); !errors.Is(err, ErrStale) || s.ID != ids[2] {
			t.Fatal(s, err)
		}
		if _, err := b.Latest(t.Context(), "none", 0); !errors.Is(err, ErrNotExist) {
			t.Fatal(err)
		}
	})
}

func TestDeleteIsManifestFirst(t *testing.T) {
	vol := storage.Memory()
	fault := storagetest.NewFaulty(vol, 1)
	b := newBackup(t, fault, &Options{Encryptor: aes(testKey), Compressor: compress.None, SegmentSize: 1000})
	keep := create(t, b, "shop", dump(3000))
	for nth := 1; nth <= 8; nth++ {
		s := create(t, b, "shop", dump(3000))
		put(t, vol, manifestOf(s), []byte("damaged")) // it works all the same
		fault.Reset()
		fault.Inject(storagetest.Fault{Op: "Delete", Nth: nth})
		err := b.Delete(t.Context(), s.Ref())
		if nth > 1 {
			wantListed(t, b, "shop", keep.ID)
			if nth < 7 && (err == nil || !strings.Contains(err.Error(), "sweep")) {
				t.Fatalf("objects are left: %v", err)
			}
			continue
		}
		if err == nil {
			t.Fatal("the manifest could not be deleted, but Delete succeeded")
		}
		fault.Reset()
		if err := b.Delete(t.Context(), s.Ref()); err != nil {
			t.Fatal(err)
		}
	}
	wantRestored(t, b, keep.Ref(), dump(3000))
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		b := newBackup(t, vol, &Options{Encryptor: aes(testKey), Compressor: compress.None, SegmentSize: 1000})
		dead := create(t, b, "shop", dump(3000))
		if err := vol.Delete(t.Context(), manifestOf(dead)); err != nil {
			t.Fatal(err)
		}
		put(t, vol, dead.Ref()+".wrap-00", nil)
		for _, foreign := range []string{"notes.txt", "shop/readme", "Shop/" + dead.ID + ".sql", "shop/x" + dead.ID + ".sql", "shop/" + dead.ID} {
			put(t, vol, foreign, nil)
		}
		time.Sleep(6 * 24 * time.Hour)
		put(t, vol, dead.Ref()+".sql.aes.005", []byte("a slow backup's newest"))
		kept := create(t, b, "shop", dump(3000))
		for _, test := range []struct {
			wait time.Duration
			want int
		}{{0, 0}, {2 * 24 * time.Hour, 0}, {4*24*time.Hour + 23*time.Hour, 0}, {2 * time.Hour, 1}, {0, 0}} {
			time.Sleep(test.wait)
			report, err := b.Sweep(t.Context())
			if err != nil || len(report.Abandoned) != test.want {
				t.Fatalf("%+v %v, want %d abandoned", report, err, test.want)
			}
			if test.want == 1 && (report.Abandoned[0] != dead.Ref() || report.Objects < 8 || report.Bytes < 3000) {
				t.Fatalf("%+v", report)
			}
		}
		wantRestored(t, b, kept.Ref(), dump(3000))
		want := []string{"Shop/" + dead.ID + ".sql", "notes.txt", "shop/readme", "shop/x" + dead.ID + ".sql"}
		var left []string
		for _, o := range objects(t, vol) {
			if !strings.HasPrefix(o, kept.Ref()) {
				left = append(left, o)
			}
		}
		if !slices.Equal(left, want) {
			t.Fatalf("left %q, want %q", left, want)
		}
	})
}

// What cannot be listed whole, or not asked for, is not deleted (pitfalls 21 and 24).
func TestSweepTrustsNoHalfAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		fault := storagetest.NewFaulty(vol, 1)
		b := newBackup(t, fault, nil)
		s := create(t, b, "shop", dump(3000))
		time.Sleep(8 * 24 * time.Hour)
		for _, f := range []storagetest.Fault{{Op: "List", After: 1}, {Op: "Stat", Err: storage.ErrPermission}} {
			before := len(objects(t, vol))
			fault.Reset()
			fault.Inject(f)
			hidden := content(t, vol, manifestOf(s))
			if f.Op == "Stat" { // listed without its manifest, which cannot be asked for either
				if err := vol.Delete(t.Context(), manifestOf(s)); err != nil {
					t.Fatal(err)
				}
				before--
			}
			if _, err := b.Sweep(t.Context()); err == nil {
				t.Fatalf("%s: Sweep succeeds", f.Op)
			}
			if n := len(objects(t, vol)); n != before {
				t.Fatalf("%s: Sweep removed %d objects", f.Op, before-n)
			}
			put(t, vol, manifestOf(s), hidden)
		}
	})
}

func TestPrune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		b := newBackup(t, vol, nil)
		var all []*Snapshot
		for range 6 {
			all = append(all, create(t, b, "shop", dump(500)))
			time.Sleep(24 * time.Hour)
		}
		create(t, b, "shop/eu", dump(500))
		ids := func(from int) (ids []string) {
			for _, s := range all[from:] {
				ids = append(ids, s.ID)
			}
			return ids
		}
		plan, err := b.PlanPrune(t.Context(), "shop", Retention{KeepLast: 2, KeepWithin: 2*24*time.Hour + time.Hour})
		if err != nil || len(plan.Removals()) != 3 || len(plan.Decisions) != 6 {
			t.Fatalf("%+v %v", plan, err)
		}
		wantListed(t, b, "shop", ids(0)...)
		if _, err := b.Prune(t.Context(), "shop", Retention{}); err != nil {
			t.Fatal(err)
		}
		wantListed(t, b, "shop", ids(0)...)
		if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: -1}); err == nil {
			t.Fatal("a negative rule is accepted")
		}
		// What does not authenticate counts for nothing, and stays.
		forge(t, vol, all[5], []byte("forged"))
		put(t, vol, manifestOf(all[4]), []byte("damaged"))
		if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 2}); err != nil {
			t.Fatal(err)
		}
		wantListed(t, b, "shop", ids(2)...)
		if _, err := b.Prune(t.Context(), "shop", Retention{KeepWithin: time.Nanosecond}); err != nil {
			t.Fatal(err)
		}
		wantListed(t, b, "shop", ids(3)...)
		wantRestored(t, b, all[3].Ref(), dump(500))
		wantListed(t, b, "shop/eu", listIDs(t, b, "shop/eu")...)
		if n := len(listIDs(t, b, "shop/eu")); n != 1 {
			t.Fatal("pruning shop pruned shop/eu")
		}
	})
}

func listIDs(t *testing.T, b *Backup, name string) (ids []string) {
	t.Helper()
	list, err := b.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestPruneWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vol := storage.Memory()
		b := newBackup(t, vol, &Options{Encryptor: writeOnly()})
		for range 3 {
			create(t, b, "shop", dump(10))
			time.Sleep(time.Hour)
		}
		if _, err := b.Prune(t.Context(), "shop", Retention{KeepLast: 1}); err != nil {
			t.Fatal(err)
		}
		if n := len(listIDs(t, b, "shop")); n != 1 {
			t.Fatalf("%d are left", n)
		}
	})
}

func TestCheck(t *testing.T) {
	vol := storage.Memory()
	fault := storagetest.NewFaulty(vol, 1)
	b := newBackup(t, fault, nil)
	items, err := b.Check(t.Context())
	if err != nil || len(items) < 7 {
		t.Fatal(items, err)
	}
	for _, op := range []string{"Put", "Stat", "Open", "List", "Delete"} {
		fault.Reset()
		fault.Inject(storagetest.Fault{Op: op, Err: storage.ErrPermission})
		items, err := b.Check(t.Context())
		failed := slices.ContainsFunc(items, func(i CheckItem) bool { return i.Name == strings.ToLower(op) && i.Err != nil })
		if !errors.Is(err, storage.ErrPermission) || !failed {
			t.Fatalf("%s denied: %+v %v", op, items, err)
		}
	}
	vol.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) }
	fault.Reset()
	if _, err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "clock") {
		t.Fatal(err)
	}
}

// broken encrypts with one key and holds another of the same id, as a misconfigured KMS would.
type broken struct{ *crypto.Keyring }

func (broken) UnwrapKey(context.Context, string, []byte, []byte) ([]byte, error) {
	return make([]byte, 32), nil
}

func TestCanary(t *testing.T) {
	vol := storage.Memory()
	b := newBackup(t, vol, &Options{Encryptor: crypto.AES256(broken{crypto.NewKeyring(testKey)})})
	if _, err := b.Create(t.Context(), "shop", strings.NewReader("x"), nil); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Fatal(err)
	}
	if left := objects(t, vol); len(left) != 0 {
		t.Fatal(left)
	}
}

func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var events []Event
	var log bytes.Buffer
	b := newBackup(t, storage.Memory(), &Options{
		Encryptor: aes(testKey),
		OnEvent:   func(e Event) { mu.Lock(); events = append(events, e); mu.Unlock() },
		Logger:    slog.New(slog.NewTextHandler(&log, nil)),
	})
	s := create(t, b, "shop", dump(2<<20))
	if err := b.Restore(t.Context(), "shop/latest", io.Discard); err != nil {
		t.Fatal(err)
	}
	_ = b.Restore(t.Context(), "none/latest", io.Discard)
	var kinds []string
	for i, e := range events {
		if e.Kind == EventProgress && i > 0 && events[i-1].Kind == EventProgress {
			if e.Plain < events[i-1].Plain {
				t.Fatal("progress went back")
			}
			continue
		}
		kinds = append(kinds, fmt.Sprint(e.Op, " ", e.Kind))
	}
	want := "create begin, create progress, create end, restore begin, restore progress, restore end, restore begin, restore end"
	if got := strings.Join(kinds, ", "); got != want {
		t.Fatalf("events %s\nwant %s", got, want)
	}
	last := events[len(events)-1]
	if !errors.Is(last.Err, ErrNotExist) || events[0].Snapshot != s.Ref() {
		t.Fatalf("%+v ... %+v", events[0], last)
	}
	for _, e := range events {
		if e.Kind == EventEnd && e.Err == nil && e.Plain != 2<<20 {
			t.Fatalf("%+v", e)
		}
	}
	if text := log.String(); !strings.Contains(text, "backup failed") || strings.Contains(text, "progress") {
		t.Fatal(text)
	}
}

func TestConcurrentBackups(t *testing.T) {
	vol := openDir(t)
	b := newBackup(t, vol, &Options{Encryptor: aes(testKey)})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			data := dump(1000 * i)
			s, err := b.Create(t.Context(), "shop", bytes.NewReader(data), nil)
			if err != nil {
				t.Error(err)
				return
			}
			var got bytes.Buffer
			if err := b.Restore(t.Context(), s.Ref(), &got); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Error("restores to something else", err)
			}
		})
	}
	wg.Wait()
	if n := len(listIDs(t, b, "shop")); n != 16 {
		t.Fatalf("%d are listed", n)
	}
}

func TestErrorsSayEnough(t *testing.T) {
	b := newBackup(t, storage.Memory(), nil)
	s := create(t, b, "shop", dump(10))
	other := newBackup(t, b.vol, &Options{Encryptor: aes(otherKey)})
	err := other.Restore(t.Context(), s.Ref(), io.Discard)
	for _, want := range []string{"restore", s.Ref(), "aes256", testKey.ID(), otherKey.ID()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	if strings.Count(err.Error(), s.Ref()) != 1 {
		t.Errorf("wrapped more than once: %q", err)
	}
}
