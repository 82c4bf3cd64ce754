package campaign

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/storage"
)

// names are such that one begins as the other does.
var names = []string{"shop", "shop/eu", "shop-eu"}

// job is one backup to make.
type job struct {
	snapshot
	name    string
	segment int64
	verdict error         // of the source, nil if it succeeds
	after   int64         // so many bytes it fails
	cancel  time.Duration // after which nobody wants it any more; 0: never
	atEnd   bool          // cancel counts from the end of the source on, when little is left to do but to commit
	piece   int           // what the source gives at once, in bytes

	snap *backup.Snapshot
}

// errCancelled is why an operation is cancelled.
var errCancelled = errors.New("nobody wants it any more")

// backup makes some snapshots of one name at once.
func (c *campaign) backup(v storage.Volume) {
	jobs := make([]*job, []int{1, 1, 1, 2, 3}[c.rng.IntN(5)])
	name := names[c.rng.IntN(len(names))]
	for i := range jobs {
		jobs[i] = c.job(name)
	}
	var wg sync.WaitGroup
	for _, j := range jobs {
		wg.Go(func() { j.run(c, v) })
	}
	wg.Wait()
	for _, j := range jobs {
		c.judge(j)
	}
}

// job draws what to back up, and what goes wrong on this side of the volume.
func (c *campaign) job(name string) *job {
	j := &job{name: name, snapshot: snapshot{way: c.rng.IntN(len(c.clean)), seed: c.rng.Uint64(), size: c.size()}}
	j.segment = c.s.Segments[c.rng.IntN(len(c.s.Segments))]
	j.piece = 1 + c.rng.IntN(1<<(4+c.rng.IntN(16)))
	switch c.rng.IntN(8) {
	case 0:
		j.verdict, j.after = errSource, c.rng.Int64N(j.size+1)
	case 1:
		j.verdict, j.after = io.ErrUnexpectedEOF, c.rng.Int64N(j.size+1)
	case 2:
		j.verdict, j.after = errSource, j.size // as an exit status is known after the last byte
	case 3, 4:
		j.cancel, j.atEnd = c.soon(), c.rng.IntN(2) == 0
	}
	return j
}

// size draws the length of a source.
func (c *campaign) size() int64 {
	most := c.s.Borders[len(c.s.Borders)-1]
	if c.rng.IntN(3) == 0 {
		return c.rng.Int64N(most)
	}
	border := c.s.Borders[c.rng.IntN(len(c.s.Borders))]
	if c.rng.IntN(2) == 0 {
		return max(0, border+c.rng.Int64N(3)-1)
	}
	return max(0, border-c.rng.Int64N(400)) // formats add something
}

// soon is a time before Patience ends, short ones as likely as long ones.
func (c *campaign) soon() time.Duration {
	return 1 + time.Duration(c.rng.Int64N(max(1, int64(c.s.Patience)>>c.rng.IntN(8))))
}

func (j *job) run(c *campaign, v storage.Volume) {
	b, err := c.clean[j.way].over(v, j.segment)
	if err != nil {
		j.err = err
		return
	}
	ctx, cancel := context.WithCancelCause(c.t.Context())
	defer cancel(nil)
	src := &pieces{content(j.seed, j.size), j.piece, func() {}}
	if j.verdict != nil {
		src.Reader = failing(src.Reader, j.after, j.verdict)
	}
	timer := time.AfterFunc(math.MaxInt64, func() { cancel(errCancelled) })
	defer timer.Stop()
	switch {
	case j.atEnd:
		src.ended = func() { timer.Reset(j.cancel) }
	case j.cancel > 0:
		timer.Reset(j.cancel)
	}
	j.snap, j.err = b.Create(ctx, j.name, src, nil)
}

// pieces gives a stream in pieces of n bytes, and tells of its end.
type pieces struct {
	io.Reader
	n     int
	ended func()
}

func (p *pieces) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b[:min(len(b), p.n)])
	if err == io.EOF {
		p.ended()
	}
	return n, err
}

// judge notes what became of a backup.
func (c *campaign) judge(j *job) {
	c.t.Helper()
	s := j.snapshot
	switch failed := (*backup.Error)(nil); {
	case j.err == nil:
		s.ref, s.state = j.snap.Ref(), committed
		c.tally.committed++
		if j.verdict != nil {
			c.violation("%s was committed although its source failed", s.ref)
		}
	case errors.As(j.err, &failed):
		s.ref, s.state = failed.Snapshot, absent
		c.tally.failed++
		if errors.Is(j.err, backup.ErrOutcomeUnknown) {
			s.state = unsure
			c.tally.failed--
			c.tally.unknown++
		}
		if j.verdict != nil && s.state == unsure {
			c.violation("the manifest of %s was sent although its source failed", s.ref)
		}
	default:
		c.violation("an error that does not name the snapshot: %v", j.err)
		return
	}
	c.enter(&s)
	if s.state == committed {
		c.inspect(&s)
	}
}
