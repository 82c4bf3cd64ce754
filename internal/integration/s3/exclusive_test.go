package s3

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/storage"
)

// PITFALLS 20: of many that put one name, each with a volume of its own as if in a process of its own, one wins.
func TestPutIfAbsent(t *testing.T) {
	const racers, rounds = 6, 3
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			s, bucket, opts := p.make(t)
			opts.Prefix = "claims"
			var volumes [racers]*s3fs.Volume
			for i := range volumes {
				volumes[i] = open(t, bucket, opts)
			}
			for round := range rounds {
				name := fmt.Sprintf("slot/%d", round)
				var errs [racers]error
				var wg sync.WaitGroup
				for i, v := range volumes {
					wg.Go(func() { _, errs[i] = v.PutIfAbsent(t.Context(), name, fmt.Append(nil, i)) })
				}
				wg.Wait()
				winner := -1
				for i, err := range errs {
					switch {
					case err == nil && winner < 0:
						winner = i
					case err == nil:
						t.Errorf("both %d and %d won %s", winner, i, name)
					case !errors.Is(err, storage.ErrExist):
						t.Errorf("racer %d: %v", i, err)
					}
				}
				if got := s.read(t, bucket, "claims/"+name); string(got) != fmt.Sprint(winner) {
					t.Errorf("%d won %s, which holds %q", winner, name, got)
				}
			}
			for _, key := range s.keys(t, bucket) {
				if len(key) > 20 {
					t.Errorf("a probe left %s", key)
				}
			}
		})
	}
}
