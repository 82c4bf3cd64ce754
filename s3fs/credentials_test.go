package s3fs

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/databasement/backup/internal/retry"
)

// issuer is a source of credentials that live for some time.
type issuer struct {
	life  time.Duration // 0: for ever
	takes time.Duration // of each call

	mu    sync.Mutex
	calls int
	err   error
}

func (i *issuer) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if err := pause(ctx, i.takes); err != nil {
		return aws.Credentials{}, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.err != nil {
		return aws.Credentials{}, i.err
	}
	id := string(rune('A' + i.calls - 1))
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: "s", CanExpire: i.life != 0, Expires: time.Now().Add(i.life)}, nil
}

func (i *issuer) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

func get(t *testing.T, c *cache) aws.Credentials {
	t.Helper()
	creds, err := c.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

// TestCacheRenews asks every 100 ms for ten lifetimes: never an expired one, and few fetches.
func TestCacheRenews(t *testing.T) {
	for _, test := range []struct {
		life time.Duration
		most int // fetches in ten lifetimes
	}{{5 * time.Second, 13}, {time.Minute, 13}, {time.Hour, 11}} {
		synctest.Test(t, func(t *testing.T) {
			source := &issuer{life: test.life}
			c := newCache(source)
			for start := time.Now(); time.Since(start) < 10*test.life; time.Sleep(100 * time.Millisecond) {
				if creds := get(t, c); !time.Now().Before(creds.Expires) {
					t.Fatalf("expired %s ago", time.Since(creds.Expires))
				}
			}
			if source.calls < 10 || source.calls > test.most {
				t.Errorf("life of %s: %d fetches, want 10 to %d", test.life, source.calls, test.most)
			}
		})
	}
}

func TestCacheFetchesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &issuer{takes: time.Second}
		c := newCache(source)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { get(t, c) })
		}
		all.Wait()
		if source.calls != 1 {
			t.Errorf("%d fetches, want 1", source.calls)
		}
	})
}

// TestCacheGivesUpWithItsCaller: the SDK's cache leaves a goroutine that goes on fetching.
func TestCacheGivesUpWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &issuer{takes: time.Hour}
		c := newCache(source)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := c.Retrieve(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the context's error", err)
				}
			})
		}
		start := time.Now()
		all.Wait()
		synctest.Wait()
		if d := time.Since(start); d != time.Second || source.calls != 0 {
			t.Errorf("took %s and %d fetches, want 1s and none", d, source.calls)
		}
		source.takes = 0
		get(t, c) // nothing is held on to
	})
}

func TestCacheOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("down")
		source := &issuer{life: time.Hour}
		c := newCache(source)
		get(t, c)
		source.fail(down)
		for range 59 {
			time.Sleep(time.Minute)
			get(t, c)
		}
		time.Sleep(50 * time.Second)
		get(t, c)
		if source.calls != 7 {
			t.Errorf("%d fetches, want the first one, one a minute in the last five, and one in the last seconds", source.calls)
		}
		time.Sleep(10 * time.Second)
		_, err := c.Retrieve(t.Context())
		if missing := (*credentialsError)(nil); !errors.As(err, &missing) || !errors.Is(err, retry.ErrExhausted) || err.Error() != "down" {
			t.Errorf("got %v, want a credentialsError that says %v", err, down)
		}
		source.fail(nil)
		get(t, c)
	})
}

func TestCacheInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &issuer{life: time.Hour}
		c := newCache(source)
		get(t, c)
		time.Sleep(2 * time.Second)
		// Four requests were refused at once, and the first has already got new ones.
		c.invalidate()
		get(t, c)
		c.invalidate()
		c.invalidate()
		c.invalidate()
		if creds := get(t, c); creds.AccessKeyID != "B" {
			t.Errorf("got %s, want B", creds.AccessKeyID)
		}
		time.Sleep(2 * time.Second)
		c.invalidate()
		source.fail(errors.New("down"))
		if creds, err := c.Retrieve(t.Context()); err == nil {
			t.Errorf("got %s, which a store has refused", creds.AccessKeyID)
		}
	})
}

// TestCacheWithWrongClock: what seems to have ended when it comes is used, and not fetched for each request.
func TestCacheWithWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &issuer{life: -time.Hour}
		c := newCache(source)
		for range 60 {
			get(t, c)
			time.Sleep(time.Second)
		}
		if source.calls != 6 {
			t.Errorf("%d fetches in a minute, want 6", source.calls)
		}
	})
}

func TestCacheLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &issuer{life: time.Hour}
		c := newCache(source)
		get(t, c)
		for _, step := range []struct {
			wait, want time.Duration
			id         string
		}{
			{0, 2 * time.Hour, "A"}, // there are none that last longer
			{30 * time.Minute, 20 * time.Minute, "A"},
			{0, 40 * time.Minute, "B"},
			{0, 2 * time.Hour, "B"},
			{50 * time.Minute, 20 * time.Minute, "C"},
		} {
			time.Sleep(step.wait)
			creds, err := c.lasting(t.Context(), time.Now().Add(step.want))
			if err != nil || creds.AccessKeyID != step.id {
				t.Errorf("for %s: got %s, %v, want %s", step.want, creds.AccessKeyID, err, step.id)
			}
		}
		time.Sleep(50 * time.Minute)
		source.fail(errors.New("down"))
		if creds, err := c.lasting(t.Context(), time.Now().Add(time.Hour)); err != nil || creds.AccessKeyID != "C" {
			t.Errorf("got %s, %v, want C, which still works", creds.AccessKeyID, err)
		}
	})
}
