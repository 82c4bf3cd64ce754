package storagetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// telling returns content that tells by itself whether it is whole.
func telling(seed uint64) []byte {
	data := content(seed, 8+int(seed%(64*kib)))
	binary.BigEndian.PutUint64(data, seed)
	return data
}

func whole(data []byte) bool {
	return len(data) >= 8 && bytes.Equal(data, telling(binary.BigEndian.Uint64(data)))
}

func concurrentMixed(t testing.TB, v storage.Volume) {
	const workers, steps = 32, 30
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(w)))
			own := fmt.Sprintf("own/%02d", w)
			data := telling(uint64(w))
			if _, err := v.Put(t.Context(), own, bytes.NewReader(data)); err != nil {
				t.Errorf("Put(%q): %v", own, err)
				return
			}
			for range steps {
				mixedStep(t, v, rng)
			}
			if got, err := get(t.Context(), v, own); err != nil || !bytes.Equal(got, data) {
				t.Errorf("Open(%q) beside other calls = %s, %v, want what was put", own, short(got), err)
			}
		})
	}
	wg.Wait()
	if got := names(t, v, "own/"); len(got) != workers {
		t.Errorf("after concurrent calls List gives %d names, want %d", len(got), workers)
	}
}

// mixedStep makes one call on a name that all share.
func mixedStep(t testing.TB, v storage.Volume, rng *rand.Rand) {
	name := fmt.Sprintf("shared/%d", rng.IntN(4))
	switch rng.IntN(6) {
	case 0, 1:
		if _, err := v.Put(t.Context(), name, bytes.NewReader(telling(rng.Uint64N(1000)))); err != nil {
			t.Errorf("Put(%q): %v", name, err)
		}
	case 2:
		s := &source{data: large()[:kib], end: errSource}
		if _, err := v.Put(t.Context(), name, s); !errors.Is(err, errSource) {
			t.Errorf("Put(%q) whose reader fails: %v", name, err)
		}
	case 3:
		got, err := get(t.Context(), v, name)
		if err == nil && !whole(got) {
			t.Errorf("Open(%q) beside Puts gives bytes that nobody put: %s", name, short(got))
		}
		if err != nil && !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Open(%q): %v", name, err)
		}
	case 4:
		names(t, v, "")
	case 5:
		if err := v.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%q): %v", name, err)
		}
		if _, err := v.Stat(t.Context(), name); err != nil && !errors.Is(err, storage.ErrNotExist) {
			t.Errorf("Stat(%q): %v", name, err)
		}
	}
}

// concurrentSameName has Puts of one name at once: the last one wins, whole.
func concurrentSameName(t testing.TB, v storage.Volume) {
	const workers = 32
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			s := &source{data: telling(uint64(w) * 1999), step: 999}
			if _, err := v.Put(t.Context(), "name", s); err != nil {
				t.Errorf("Put: %v", err)
			}
		})
	}
	wg.Wait()
	got, err := get(t.Context(), v, "name")
	if err != nil || !whole(got) {
		t.Errorf("after concurrent Puts of one name Open = %s, %v, want the whole of one of them", short(got), err)
	}
	if all := names(t, v, ""); len(all) != 1 {
		t.Errorf("after concurrent Puts of one name List gives %q", all)
	}
}

// goroutines looks for those that a call left behind.
func goroutines(t testing.TB, v storage.Volume) {
	data := some(v, chunk+5)
	mustPut(t, v, "object", data) // so that what the volume keeps for all calls is there
	holds(t, v, "after Put", "object", data)
	before := stacks()
	for what, call := range map[string]func(){
		"Put": func() { mustPut(t, v, "object", data) },
		"Put whose reader failed": func() {
			_, _ = v.Put(t.Context(), "failing", &source{data: data, end: errSource})
		},
		"cancelled Put": func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, _ = v.Put(ctx, "cancelled", &source{data: data, before: func(done int) {
				if done >= len(data)/2 {
					cancel()
				}
			}})
		},
		"Open, closed at once": func() {
			if body, err := v.Open(t.Context(), "object", 0, -1); err == nil {
				body.Close()
			}
		},
		"Open, read in part": func() {
			if body, err := v.Open(t.Context(), "object", 0, -1); err == nil {
				_, _ = body.Read(make([]byte, 100))
				body.Close()
			}
		},
		"List, left early": func() {
			for range v.List(t.Context(), "") {
				break
			}
		},
		"Stat and Delete of a missing object": func() {
			_, _ = v.Stat(t.Context(), "missing")
			_ = v.Delete(t.Context(), "missing")
		},
		"PutHead whose head failed": func() {
			if h, ok := storage.As[storage.HeadPutter](v); ok {
				_, _ = h.PutHead(t.Context(), "head", &source{data: data}, 32, func() ([]byte, error) { return nil, errHead })
			}
		},
	} {
		call()
		for id, stack := range leftBehind(before) {
			t.Errorf("%s left a goroutine behind:\n%s", what, stack)
			before[id] = stack // tell each once
		}
	}
}

// leftBehind gives goroutines that end a few seconds to do so.
func leftBehind(before map[string]string) map[string]string {
	const patience, pause = 3 * time.Second, 5 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		after := stacks()
		for id := range before {
			delete(after, id)
		}
		if len(after) == 0 || time.Now().After(deadline) {
			return after
		}
	}
}

// stacks returns the stack of each goroutine by its id, without those that keep
// connections for later calls or serve them.
func stacks() map[string]string {
	buf := make([]byte, 1*mib)
	buf = buf[:runtime.Stack(buf, true)]
	found := make(map[string]string)
next:
	for stack := range strings.SplitSeq(string(buf), "\n\n") {
		for _, pool := range []string{"net/http.(*persistConn)", "net/http.(*conn)", "net/http.(*http2", "net/http.(*Transport).", "net/http.(*Server)", "testing.(*M)", "testing.tRunner("} {
			if strings.Contains(stack, pool) {
				continue next
			}
		}
		id, _, _ := strings.Cut(stack, " [")
		found[id] = stack
	}
	return found
}
