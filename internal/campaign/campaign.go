// Package campaign makes, reads and removes snapshots while requests fail at random, and holds each outcome to what the library
// promises: what is committed restores identically, what failed is not listed, older snapshots stay intact, and a sweep
// leaves nothing else.
//
// What belongs here is what is done and what must then hold. Which volume it is, and what goes wrong, is up to the
// tests that run a campaign. BACKUP_FAULTS is how many faults one goes on for, BACKUP_SEED a number that all of it is
// drawn from.
package campaign

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// Site is a store with two ways to it: through the faults, and past them.
type Site struct {
	// Open opens a volume through the faults, with options drawn from r, and returns what closes it.
	Open  func(r *rand.Rand) (v storage.Volume, done func())
	Clean storage.Volume // past them

	// Inject has requests fail from now on, with probability rate and drawn from seed. trusting leaves out bits
	// that flip in an answer, which only a digest shows where there is no TLS.
	Inject func(seed uint64, rate float64, trusting bool)
	Faults func() int      // how many happened so far
	Log    func() []string // the latest of them
	// Settle lets arrive what faults hold back, and returns when nothing of earlier requests can happen any more.
	Settle func()
	// Unfinished names the uploads that have neither ended nor been aborted.
	Unfinished func() ([]string, error)

	// Borders are lengths of sources where something changes, in bytes, ascending. Sources are about as long as one of them, or
	// anything up to the last.
	Borders []int64
	// Segments are lengths that objects are limited to, in bytes; 0: by the volume alone.
	Segments []int64
	// Patience is the time in which an operation is cancelled, if it is.
	Patience time.Duration
}

// Scale is how many faults to go on for, and the seed: those of the environment, else short and 1.
func Scale(t testing.TB, short int) (faults int, seed uint64) {
	t.Helper()
	faults, seed = short, 1
	if s := os.Getenv("BACKUP_FAULTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("BACKUP_FAULTS=%q is not a number of faults", s)
		}
		faults = n
	}
	if s := os.Getenv("BACKUP_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("BACKUP_SEED=%q is not a number", s)
		}
		seed = n
	}
	return faults, seed
}

// Run does one thing after the other until that many faults have happened, and fails the test where a promise is broken.
func Run(t testing.TB, faults int, seed uint64, s *Site) {
	t.Helper()
	c := &campaign{t: t, s: s, seed: seed, known: map[string]*snapshot{}}
	c.open()
	for n := 0; s.Faults() < faults && !t.Failed(); n++ {
		if n > 100+10*faults {
			t.Fatalf("seed %d: only %d faults in %d operations", seed, s.Faults(), n)
		}
		c.step(n)
	}
	if !t.Failed() {
		c.end()
	}
	t.Logf("seed %d: %d faults in %d operations: %s", seed, s.Faults(), c.operation+1, c.tally)
}

// campaign is one that is running.
type campaign struct {
	t    testing.TB
	s    *Site
	seed uint64

	operation int // its number, what it is and its own randomness
	what      string
	rng       *rand.Rand

	clean []*way // past the faults, by stages
	known map[string]*snapshot
	tally tally
}

// tally is what a campaign has seen, which must be something of each for it to have shown anything.
type tally struct {
	committed, failed, unknown int // backups
	read, unread               int // restores and the like, with and without success
	removed                    int // snapshots
	swept, aborted             int // objects without a snapshot, and unfinished uploads
}

func (t tally) String() string {
	return fmt.Sprintf("%d backups were committed, %d failed and %d had an unknown outcome; %d reads succeeded and %d failed; "+
		"%d snapshots were deleted; %d objects without a snapshot and %d unfinished uploads were swept",
		t.committed, t.failed, t.unknown, t.read, t.unread, t.removed, t.swept, t.aborted)
}

// operation is something that is done, more often by weight.
type operation struct {
	name     string
	weight   int
	trusting bool // it believes what it reads, as nothing there has a digest
	settles  bool // earlier requests end before it, and its own before audit looks
	do       func(*campaign, storage.Volume)
}

var (
	deletion = operation{"delete", 2, false, true, (*campaign).remove}

	operations = []operation{
		deletion,
		{"backup", 10, false, false, (*campaign).backup},
		{"restore", 4, false, false, (*campaign).restore},
		{"verify", 2, false, false, (*campaign).verify},
		{"read", 2, true, false, (*campaign).read},
		{"list", 2, true, false, (*campaign).list},
		{"sweep", 1, false, true, (*campaign).sweep},
	}
)

// rates of failing requests: from an accident to an outage.
var rates = []float64{0.02, 0.05, 0.15, 0.4, 0.9}

// step does one thing, and looks whether all promises still hold.
func (c *campaign) step(n int) {
	c.operation, c.rng = n, rand.New(rand.NewPCG(c.seed, uint64(n)))
	o := c.pick()
	c.what = o.name
	if o.settles {
		c.settle()
	}
	v, done := c.s.Open(c.rng)
	c.s.Inject(c.rng.Uint64(), rates[c.rng.IntN(len(rates))], o.trusting)
	o.do(c, v)
	c.s.Inject(0, 0, false)
	done()
	if o.settles {
		c.settle()
	}
	c.audit()
}

// pick draws what to do next. Of many snapshots one is deleted, as each audit lists all.
func (c *campaign) pick() operation {
	if len(c.in(committed)) > mostSnapshots {
		return deletion
	}
	total := 0
	for _, o := range operations {
		total += o.weight
	}
	at := c.rng.IntN(total)
	for _, o := range operations {
		if at -= o.weight; at < 0 {
			return o
		}
	}
	return deletion
}

const mostSnapshots = 25

// violation fails the test: a promise was broken. The first one tells the latest faults.
func (c *campaign) violation(format string, args ...any) {
	c.t.Helper()
	log := ""
	if !c.t.Failed() {
		log = "; the latest faults:\n" + strings.Join(c.s.Log(), "\n")
	}
	c.t.Errorf("seed %d, operation %d (%s): %s%s", c.seed, c.operation, c.what, fmt.Sprintf(format, args...), log)
}
