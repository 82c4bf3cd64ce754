package storagetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

func absentRefuses(t testing.TB, v storage.Volume) {
	x, ok := storage.As[storage.ExclusivePutter](v)
	if !ok {
		return
	}
	old := []byte("old")
	mustPut(t, v, "taken", old)
	_, err := x.PutIfAbsent(t.Context(), "taken", []byte("new"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Logf("the volume has found out that it cannot: %v", err)
		holds(t, v, "after PutIfAbsent that is not supported", "taken", old)
		return
	}
	failsWith(t, "PutIfAbsent over an object", "taken", err, storage.ErrExist)
	holds(t, v, "after PutIfAbsent over it", "taken", old)

	for _, n := range []int{0, 1, storage.MaxExclusive} {
		name := fmt.Sprintf("size/%d", n)
		data := bytes.Clone(some(v, n))
		o, err := x.PutIfAbsent(t.Context(), name, data)
		if err != nil || o.Name != name || o.Size != int64(len(data)) {
			t.Errorf("PutIfAbsent of %d bytes = %+v, %v", len(data), o, err)
		}
		want := bytes.Clone(data)
		clear(data) // it is the caller's again
		holds(t, v, "after PutIfAbsent", name, want)
		_, err = x.PutIfAbsent(t.Context(), name, []byte("again"))
		failsWith(t, "second PutIfAbsent", name, err, storage.ErrExist)
		holds(t, v, "after a second PutIfAbsent", name, want)
	}
	if _, err := x.PutIfAbsent(t.Context(), "large", large()[:storage.MaxExclusive+1]); err == nil {
		t.Errorf("PutIfAbsent of more than MaxExclusive bytes succeeded")
	}
	absent(t, v, "after PutIfAbsent of more than MaxExclusive bytes", "large")

	if err := v.Delete(t.Context(), "taken"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if _, err = x.PutIfAbsent(t.Context(), "taken", []byte("new")); err != nil {
		t.Errorf("PutIfAbsent after Delete: %v", err)
	}
	holds(t, v, "after Delete and PutIfAbsent", "taken", []byte("new"))
}

func absentRace(t testing.TB, v storage.Volume) {
	x, ok := storage.As[storage.ExclusivePutter](v)
	if !ok {
		return
	}
	if _, err := x.PutIfAbsent(t.Context(), "can", nil); errors.Is(err, errors.ErrUnsupported) {
		return // absentRefuses tells
	}
	const racers, rounds = 32, 5
	for round := range rounds {
		name := fmt.Sprintf("race/%d", round)
		errs := make([]error, racers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() {
				<-start
				_, errs[i] = x.PutIfAbsent(t.Context(), name, content(uint64(i), 4*kib+i))
			})
		}
		close(start)
		wg.Wait()
		var winners []int
		for i, err := range errs {
			if err == nil {
				winners = append(winners, i)
			} else {
				failsWith(t, "PutIfAbsent that lost", name, err, storage.ErrExist)
			}
		}
		if len(winners) != 1 {
			t.Errorf("%d of %d concurrent PutIfAbsent succeeded, want one", len(winners), racers)
			return
		}
		holds(t, v, "after the race", name, content(uint64(winners[0]), 4*kib+winners[0]))
	}
}

func presign(t testing.TB, v storage.Volume) {
	p, ok := storage.As[storage.Presigner](v)
	if !ok {
		return
	}
	data := some(v, 20*kib)
	const name = "signed/with space+%é"
	mustPut(t, v, name, data)
	asked := time.Now()
	url, until, err := p.Presign(t.Context(), name, time.Hour)
	if err != nil {
		t.Fatalf("Presign: %v", err)
	}
	if until.Before(asked) || until.After(time.Now().Add(time.Hour+time.Second)) {
		t.Errorf("Presign for an hour gives an end in %v", time.Until(until))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatalf("Presign gives a bad URL: %v", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}}
	resp, err := client.Do(req)
	if certErr := (*tls.CertificateVerificationError)(nil); errors.As(err, &certErr) {
		t.Logf("the URL was not fetched: its server's certificate is not trusted by this system: %v", err)
		return
	}
	if err != nil {
		t.Fatalf("GET of the URL failed")
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, data) {
		t.Errorf("GET of the URL gives status %d, %s, %v, want the object", resp.StatusCode, short(got), err)
	}
}

func sizeLimit(t testing.TB, v storage.Volume) {
	l, ok := storage.As[storage.SizeLimiter](v)
	if !ok {
		return
	}
	limit := l.MaxObjectSize()
	if limit <= 0 {
		t.Fatalf("MaxObjectSize = %d, want > 0", limit)
	}
	if limit >= int64(len(large())) {
		return // too large to try
	}
	data := large()[:limit]
	mustPut(t, v, "fits", data)
	holds(t, v, "of the largest size", "fits", data)
	s := &source{data: large()[:limit+1]}
	failingPut(t, v, "Put of a byte more than MaxObjectSize", "too-large", nil, s, func() (storage.Object, error) {
		return v.Put(t.Context(), "too-large", s)
	}, storage.ErrTooLarge)
}

// sweep sweeps beside objects and beside a Put in progress.
func sweep(t testing.TB, v storage.Volume) {
	sw, ok := storage.As[storage.Sweeper](v)
	if !ok {
		return
	}
	kept := []string{"object", "a/b/object", "x.tmp", "tmp/object", ".hidden/object", "upload.partial"}
	for _, name := range kept {
		mustPut(t, v, name, []byte(name))
	}
	data := some(v, chunk+5)
	next := 0
	s := &source{data: data, before: func(done int) {
		if done < next {
			return
		}
		next = min(done+4*mib, len(data))
		if n, err := sw.SweepUnfinished(t.Context(), time.Now().Add(-24*time.Hour)); err != nil || n != 0 {
			t.Errorf("SweepUnfinished of what is older than a day = %d, %v, want 0: the one unfinished Put is in progress", n, err)
		}
	}}
	if _, err := v.Put(t.Context(), "in-progress", s); err != nil {
		t.Errorf("Put beside SweepUnfinished: %v", err)
	}
	s.over(t, "Put", false)
	if n, err := sw.SweepUnfinished(t.Context(), time.Now().Add(24*time.Hour)); err != nil || n < 0 {
		t.Errorf("SweepUnfinished = %d, %v", n, err)
	}
	for _, name := range kept {
		holds(t, v, "after SweepUnfinished", name, []byte(name))
	}
	holds(t, v, "after SweepUnfinished", "in-progress", data)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sw.SweepUnfinished(ctx, time.Now())
	failsWith(t, "SweepUnfinished with a cancelled ctx", "", err, context.Canceled)
}
