package schedule

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

func newBackup(t *testing.T, v storage.Volume) *backup.Backup {
	t.Helper()
	b, err := backup.New(v, &backup.Options{Encryptor: crypto.None, Compressor: compress.None})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func dump(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "CREATE TABLE events ();")
	return err
}

// times are those of the snapshots of shop.
func times(t *testing.T, b *backup.Backup) (all []string) {
	t.Helper()
	list, err := b.List(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		all = append(all, clock(s.Time.Sub(midnight)))
	}
	return all
}

func TestBackup(t *testing.T) {
	for what, single := range map[string]bool{"replicas": false, "single": true} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := storage.Memory()
				b := newBackup(t, v)
				j := Backup(b, "shop", nil, dump, nil)
				j.Cron = "0 * * * *"
				var all []*running
				for range 3 {
					all = append(all, start(t, &Options{Volume: v, Single: single}, j))
					if single {
						break
					}
				}
				time.Sleep(150 * time.Minute)
				for _, r := range all {
					r.stop()
				}
				if got := times(t, b); !slices.Equal(got, []string{"00:00", "01:00", "02:00"}) {
					t.Errorf("snapshots of %s", got)
				}
				claimed := slices.ContainsFunc(objects(t, v), func(name string) bool { return strings.HasPrefix(name, claimDir) })
				if claimed == single {
					t.Errorf("objects %q", objects(t, v))
				}
				// What the schedule stores is nothing to the operations on snapshots.
				if names, err := b.Names(t.Context()); err != nil || !slices.Equal(names, []string{"shop"}) {
					t.Errorf("names %q, %v", names, err)
				}
				before := objects(t, v)
				time.Sleep(30 * 24 * time.Hour)
				if report, err := b.Sweep(t.Context()); err != nil || report.Objects > 0 {
					t.Errorf("Sweep: %+v, %v", report, err)
				}
				wantObjects(t, v, before...)
			})
		})
	}
}

// A slot is done by any backup at or after its time, but one from the future.
func TestBackupDone(t *testing.T) {
	for what, test := range map[string]struct {
		at   time.Duration // of a snapshot that is there, from midnight
		want bool
	}{
		"before":       {-time.Second, false},
		"at":           {0, true},
		"after":        {20 * time.Minute, true},
		"a wrong year": {20 * 365 * 24 * time.Hour, false},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := storage.Memory()
				j := Backup(newBackup(t, v), "shop", nil, dump, nil)
				time.Sleep(30 * time.Minute)
				id := strings.Replace(midnight.Add(test.at).Format("20060102t150405.000z"), ".", "", 1) + "-7f3a9c2e"
				put(t, v, "shop/"+id+".manifest.json", "shop/eu/20000101t001000000z-7f3a9c2e.manifest.json")
				if done, err := j.Done(t.Context(), midnight); err != nil || done != test.want {
					t.Errorf("Done: %t, %v", done, err)
				}
			})
		})
	}
}

// Nothing is pruned after a backup that failed.
func TestBackupPrunes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackup(t, storage.Memory())
		var fails atomic.Bool
		produce := func(ctx context.Context, w io.Writer) error {
			if err := dump(ctx, w); err != nil || !fails.Load() {
				return err
			}
			return errOops
		}
		j := Backup(b, "shop", nil, produce, &backup.Retention{KeepWithin: 90 * time.Minute})
		j.Cron = "0 * * * *"
		r := start(t, &Options{Volume: b.Volume()}, j)
		time.Sleep(190 * time.Minute)
		if got := times(t, b); !slices.Equal(got, []string{"02:00", "03:00"}) {
			t.Errorf("snapshots of %s", got)
		}
		fails.Store(true)
		time.Sleep(10 * time.Hour)
		r.stop()
		if got := times(t, b); !slices.Equal(got, []string{"02:00", "03:00"}) {
			t.Errorf("after failures, snapshots of %s", got)
		}
	})
}

// A backup whose pruning fails is a backup: it is told, and not repeated.
func TestPruneFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		f := storagetest.NewFaulty(v, 1)
		f.Inject(storagetest.Fault{Op: "Open", Match: func(name string) bool { return strings.HasPrefix(name, "shop/") }, Err: storage.ErrPermission})
		j := Backup(newBackup(t, f), "shop", nil, dump, &backup.Retention{KeepLast: 1})
		j.Cron = "0 * * * *"
		r := start(t, d.hooks(Options{Volume: v}), j)
		time.Sleep(30 * time.Minute)
		st := r.status()
		if err := fmt.Sprint(st.LastError); !strings.Contains(err, "the backup was made, but: prune") || !st.Done.Equal(midnight) {
			t.Errorf("the status is %+v", st)
		}
		r.stop()
		if got := times(t, newBackup(t, v)); len(got) != 1 {
			t.Errorf("snapshots of %s", got)
		}
		d.want(t, "00:00 start 00:00.1", "00:00 failure 00:00.1")
	})
}
