package schedule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// hour is when in its hour a line of a diary was written, and what follows: the same in each hour if all goes well.
func hour(line string) string { return line[strings.IndexByte(line, ':')+1:] }

func TestReplicasOncePerSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		var all []*running
		for range 3 {
			all = append(all, start(t, d.hooks(Options{Volume: v}), job(10*time.Minute, nil)))
		}
		time.Sleep(23*time.Hour + 30*time.Minute)
		for _, r := range all {
			st := r.status()
			if !st.Done.Equal(midnight.Add(22*time.Hour)) && !st.Done.Equal(midnight.Add(23*time.Hour)) || st.LastError != nil {
				t.Errorf("the status of a replica is %+v", st)
			}
			r.stop()
		}
		if len(d.lines) != 2*24 {
			t.Errorf("%d beginnings and ends in 24 hours, want 48", len(d.lines))
		}
		seen := map[string]bool{}
		for _, line := range d.lines {
			if seen[line] || !strings.HasSuffix(line, ":00.1") || !slices.Contains([]string{"00 start", "10 success"}, hour(line)[:strings.LastIndexByte(hour(line), ' ')]) {
				t.Errorf("%q, too often or not at its time", line)
			}
			seen[line] = true
		}
	})
}

// A try that fails is followed by another, of any replica, and there are no more than Tries of all replicas together.
func TestReplicasFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		var all []*running
		for range 3 {
			all = append(all, start(t, d.hooks(Options{Volume: v}), job(10*time.Second, errOops)))
		}
		time.Sleep(30 * time.Minute)
		all = append(all, start(t, d.hooks(Options{Volume: v}), job(0, nil))) // a replica that comes later makes no try more
		time.Sleep(10 * time.Minute)
		for _, r := range all {
			if err := r.status().LastError; err == nil {
				t.Error("a replica does not know that the slot failed")
			}
			r.stop()
		}
		d.want(t, "00:00 start 00:00.1", "00:00:10 failure 00:00.1",
			"00:01:10 start 00:00.2", "00:01:20 failure 00:00.2",
			"00:02:20 start 00:00.3", "00:02:30 failure 00:00.3 last")
	})
}

// mortal is a replica that dies in its first run: from then on it reaches the volume no more, and its Run does not end.
func mortal(t *testing.T, d *diary, v storage.Volume, j Job, grave <-chan struct{}) *running {
	t.Helper()
	own := storagetest.NewFaulty(v, 1)
	j.Run = func(context.Context, Run) error {
		own.Inject(storagetest.Fault{})
		<-grave
		return errOops
	}
	r := start(t, d.hooks(Options{Volume: own, Owner: "mortal"}), j)
	synctest.Wait()
	return r
}

func TestWinnerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d, dead diary
		v, grave := storage.Memory(), make(chan struct{})
		j := job(10*time.Minute, nil)
		j.Timeout, j.Cron = time.Hour, "0 0 * * *"
		m := mortal(t, &dead, v, j, grave)
		other, third := start(t, d.hooks(Options{Volume: v}), j), start(t, d.hooks(Options{Volume: v}), j)
		time.Sleep(30 * time.Minute)
		for _, r := range []*running{other, third} {
			if st := r.status(); !strings.HasPrefix(st.Holder, "mortal-") || !st.Until.Equal(midnight.Add(61*time.Minute)) || st.Running {
				t.Errorf("the status of one that waits is %+v", st)
			}
		}
		time.Sleep(60 * time.Minute)
		// After the timeout of an hour, and a minute of leeway.
		d.want(t, "01:01 start 00:00.2", "01:11 success 00:00.2")
		dead.want(t, "00:00 start 00:00.1")
		for _, r := range []*running{other, third} {
			r.stop()
		}
		time.Sleep(time.Hour)
		again := start(t, d.hooks(Options{Volume: v}), j)
		time.Sleep(time.Hour)
		if st := again.status(); !st.Done.Equal(midnight) || st.Holder != "" {
			t.Errorf("the status of a replica that comes later is %+v", st)
		}
		again.stop()
		close(grave)
		m.stop()
	})
}

// Who dies with the last try cannot tell; those that live do.
func TestLastOwnerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d, dead diary
		v, grave := storage.Memory(), make(chan struct{})
		j := job(0, nil)
		j.Timeout, j.Tries, j.Cron = 5*time.Minute, 1, "0 0 * * *"
		m := mortal(t, &dead, v, j, grave)
		other := start(t, d.hooks(Options{Volume: v}), j)
		time.Sleep(30 * time.Minute)
		d.want(t, "00:05:30 failure 00:00.1 last")
		if err := other.status().LastError; err == nil || !strings.Contains(err.Error(), "mortal") || !strings.Contains(err.Error(), "died") {
			t.Errorf("the last error is %v", err)
		}
		other.stop()
		close(grave)
		m.stop()
	})
}

// A replica that stops leaves its slot to those that stay.
func TestStoppedIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first, second diary
		v := storage.Memory()
		r := start(t, first.hooks(Options{Volume: v}), job(30*time.Minute, nil))
		synctest.Wait()
		other := start(t, second.hooks(Options{Volume: v}), job(30*time.Minute, nil))
		time.Sleep(10 * time.Minute)
		r.stop()
		time.Sleep(40 * time.Minute)
		other.stop()
		first.want(t, "00:00 start 00:00.1", "00:10:05 failure 00:00.1")
		second.want(t, "00:11:05 start 00:00.2", "00:41:05 success 00:00.2")
	})
}

// The answer to a claim is lost (pitfall 43), at once or in a way that the claim appears later: it is ours all the same.
func TestLostClaim(t *testing.T) {
	for what, test := range map[string]struct {
		kind storagetest.Kind
		want []string
	}{
		"answer":  {storagetest.LostAnswer, []string{"00:00 start 00:00.1", "00:00 success 00:00.1"}},
		"late":    {storagetest.LateApply, []string{"00:00 failure 00:00.0", "00:01 start 00:00.1", "00:01 success 00:00.1"}},
		"refused": {storagetest.Fail, []string{"00:00 failure 00:00.0", "00:01 start 00:00.1", "00:01 success 00:00.1"}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d, e diary
				v := storage.Memory()
				f := storagetest.NewFaulty(v, 1)
				f.Inject(storagetest.Fault{Op: "PutIfAbsent", Match: func(name string) bool { return strings.HasSuffix(name, "z.1") }, Nth: 1, Kind: test.kind})
				r := start(t, d.hooks(Options{Volume: f}), job(0, nil))
				time.Sleep(30 * time.Second)
				if err := f.ApplyLate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if f.Struck() != 1 {
					t.Fatalf("the fault struck %d times", f.Struck())
				}
				time.Sleep(time.Minute)
				other := start(t, e.hooks(Options{Volume: v}), job(0, nil))
				time.Sleep(time.Minute)
				r.stop()
				other.stop()
				d.want(t, test.want...)
				e.want(t)
			})
		})
	}
}

// While the volume is down no try begins, which is told once; as soon as it answers one does.
func TestVolumeDown(t *testing.T) {
	for _, op := range []string{"", "Stat", "PutIfAbsent", "Open"} {
		t.Run("op "+op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				f := storagetest.NewFaulty(storage.Memory(), 1)
				r := start(t, d.hooks(Options{Volume: f}), job(0, nil))
				time.Sleep(50 * time.Minute)
				d.want(t, "00:00 start 00:00.1", "00:00 success 00:00.1")
				f.Inject(storagetest.Fault{Op: op})
				if op == "Open" { // which only matters to one that must read another's claim
					f.Inject(storagetest.Fault{Op: "PutIfAbsent", Err: storage.ErrExist})
				}
				time.Sleep(39*time.Minute + 30*time.Second)
				if err := r.status().LastError; !errors.Is(err, storagetest.ErrInjected) {
					t.Errorf("the last error is %v", err)
				}
				f.Reset()
				time.Sleep(20 * time.Minute)
				r.stop()
				d.want(t, "00:00 start 00:00.1", "00:00 success 00:00.1", "01:00 failure 01:00.0", "01:30 start 01:00.1", "01:30 success 01:00.1")
			})
		})
	}
}

// A mark that cannot be put: the job ran, but nobody would know.
func TestMarkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		f := storagetest.NewFaulty(storage.Memory(), 1)
		mark := func(name string) bool { return strings.HasSuffix(name, ".done") }
		for i := range 4 { // as often as it is repeated
			f.Inject(storagetest.Fault{Op: "Put", Match: mark, Nth: i + 1})
		}
		r := start(t, d.hooks(Options{Volume: f}), job(0, nil))
		time.Sleep(10 * time.Minute)
		if err := r.status().LastError; err == nil || !strings.Contains(err.Error(), "could not be marked") {
			t.Errorf("the last error is %v", err)
		}
		r.stop()
		if len(d.lines) != 4 || hour(d.lines[1])[:2] != "00" || !strings.HasSuffix(d.lines[1], "failure 00:00.1") || !strings.HasSuffix(d.lines[3], "success 00:00.2") {
			t.Errorf("what happened: %q", d.lines)
		}
	})
}

// What is no claim is not taken for an old one.
func TestForeignClaim(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", `{"owner":1}`, strings.Repeat("x", 1<<20)} {
		synctest.Test(t, func(t *testing.T) {
			var d diary
			v := storage.Memory()
			if _, err := v.Put(t.Context(), ".schedule/shop/20000101t000000z.1", strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			r := start(t, d.hooks(Options{Volume: v}), job(0, nil))
			time.Sleep(10 * time.Minute)
			r.stop()
			d.want(t, "00:00 failure 00:00.0")
		})
	}
}

// lastClaim has the scheduler stopped while it makes a claim.
type lastClaim struct {
	*storage.MemoryVolume
	quit *context.CancelFunc
}

func (l lastClaim) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	if strings.HasSuffix(name, "z.1") {
		(*l.quit)()
	}
	return l.MemoryVolume.PutIfAbsent(context.WithoutCancel(ctx), name, data)
}

// A claim that comes when nothing may begin any more is left to others.
func TestStoppedWhileClaiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		var quit context.CancelFunc
		s, err := New([]Job{job(0, nil)}, d.hooks(Options{Volume: lastClaim{v, &quit}}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		quit = cancel
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		other := start(t, d.hooks(Options{Volume: v}), job(0, nil))
		time.Sleep(10 * time.Minute)
		other.stop()
		d.want(t, "00:01 start 00:00.2", "00:01 success 00:00.2")
	})
}

func TestDonePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		j := job(0, nil)
		j.Done = func(context.Context, time.Time) (bool, error) { panic("no such table") }
		r := start(t, d.hooks(Options{Volume: storage.Memory()}), j)
		time.Sleep(10 * time.Minute)
		if err := r.status().LastError; err == nil || !strings.Contains(err.Error(), "panic: no such table") {
			t.Errorf("the last error is %v", err)
		}
		r.stop()
		d.want(t, "00:00 failure 00:00.0")
	})
}

// badExclusive says yes to everybody, or no.
type badExclusive struct {
	storage.Volume
	err error
}

func (b badExclusive) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	if b.err != nil {
		return storage.Object{}, b.err
	}
	return b.Put(ctx, name, strings.NewReader(string(data)))
}

func TestUnsuitableVolume(t *testing.T) {
	for what, test := range map[string]struct {
		v    storage.Volume
		want error
	}{
		"no ExclusivePutter": {struct{ storage.Volume }{storage.Memory()}, errors.ErrUnsupported},
		"says so":            {badExclusive{storage.Memory(), fmt.Errorf("the store: %w", errors.ErrUnsupported)}, errors.ErrUnsupported},
		"two winners":        {badExclusive{storage.Memory(), nil}, errors.ErrUnsupported},
		"not allowed":        {badExclusive{storage.Memory(), storage.ErrPermission}, fs.ErrPermission},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				s, err := New([]Job{job(0, nil)}, d.hooks(Options{Volume: test.v}))
				if err != nil {
					t.Fatal(err)
				}
				err = s.Run(t.Context())
				if !errors.Is(err, test.want) || test.want == errors.ErrUnsupported && !strings.Contains(err.Error(), "Single") {
					t.Errorf("Run: %v", err)
				}
				d.want(t)
				wantObjects(t, test.v)
				r := start(t, d.hooks(Options{Volume: test.v, Single: true}), job(0, nil))
				time.Sleep(time.Minute)
				r.stop()
				d.want(t, "00:00 start 00:00.1", "00:00 success 00:00.1")
				wantObjects(t, test.v, ".schedule/shop/20000101t000000z.done")
			})
		})
	}
}

// A volume that does not answer yet is no reason to give up.
func TestVolumeDownAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		f := storagetest.NewFaulty(storage.Memory(), 1)
		f.Inject(storagetest.Fault{})
		r := start(t, d.hooks(Options{Volume: f}), job(0, nil))
		time.Sleep(150 * time.Second)
		if err := r.status().LastError; !errors.Is(err, storagetest.ErrInjected) {
			t.Errorf("the last error is %v", err)
		}
		f.Reset()
		time.Sleep(time.Minute)
		d.want(t, "00:03 start 00:00.1", "00:03 success 00:00.1")
		r.stop()

		f.Inject(storagetest.Fault{})
		again := r.Scheduler.start(t)
		time.Sleep(time.Second)
		again.stop()
	})
}

// Objects of old slots go when a slot is done; those of its own week, of other jobs and of others stay.
func TestOldClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storage.Memory()
		stay := []string{".schedule/shop/19991226t000000z.1", ".schedule/shop/eu/19990101t000000z.1", ".schedule/shop/1/19990101t000000z.1",
			".schedule/shop/19990101t000000z.mine", ".schedule/shops/19990101t000000z.1", "shop/19990101t000000z.1"}
		put(t, v, stay...)
		put(t, v, ".schedule/shop/19990101t000000z.1", ".schedule/shop/19990101t000000z.2", ".schedule/shop/19990101t000000z.done", ".schedule/shop/19991224t000000z.1")
		j := job(0, nil)
		j.Cron = "0 0 * * *"
		r := start(t, &Options{Volume: v}, j)
		time.Sleep(time.Minute)
		r.stop()
		stay = append(stay, ".schedule/shop/20000101t000000z.1", ".schedule/shop/20000101t000000z.done")
		slices.Sort(stay)
		wantObjects(t, v, stay...)
	})
}

// There may be many: no round removes, or remembers, more than so many.
func TestOldClaimsByRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storage.Memory()
		for i := range maxSweep + 500 {
			put(t, v, slotName("shop", midnight.Add(time.Duration(i-100_000)*time.Minute), "1"))
		}
		j := job(0, nil)
		j.Cron = "0 0 * * *"
		r := start(t, &Options{Volume: v}, j)
		for _, want := range []int{502, 4} { // of a day are two: claim and mark
			time.Sleep(time.Minute)
			if n := len(objects(t, v)); n != want {
				t.Errorf("there are %d objects, want %d", n, want)
			}
			time.Sleep(24*time.Hour - time.Minute)
		}
		r.stop()
	})
}

// The claims of the latest slot stay, however old it is: they say that it is done.
func TestOldClaimsOfLatestSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		v := storage.Memory()
		put(t, v, ".schedule/shop/19990701t000000z.done", ".schedule/shop/19980701t000000z.done")
		j := job(0, nil)
		j.Cron = "0 0 1 7 *"
		r := start(t, d.hooks(Options{Volume: v}), j)
		time.Sleep(time.Minute)
		r.stop()
		d.want(t)
		wantObjects(t, v, ".schedule/shop/19990701t000000z.done")
	})
}
