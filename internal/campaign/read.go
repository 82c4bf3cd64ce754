package campaign

import (
	"context"
	"io"
	"maps"

	"github.com/databasement/backup"
	"github.com/databasement/backup/storage"
)

// reading gives what an operation that only reads works on: a snapshot, a way to it, and a ctx that may end.
func (c *campaign) reading(v storage.Volume, do func(ctx context.Context, b *backup.Backup, s *snapshot) error) {
	s := c.any()
	if s == nil {
		return
	}
	b, err := c.clean[s.way].over(v, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := c.t.Context(), context.CancelFunc(func() {})
	if c.rng.IntN(5) == 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, c.soon(), errCancelled)
	}
	defer cancel()
	if err := do(ctx, b, s); err != nil {
		c.tally.unread++
	} else {
		c.tally.read++
	}
}

// restore gives the exact bytes, or an error.
func (c *campaign) restore(v storage.Volume) {
	c.reading(v, func(ctx context.Context, b *backup.Backup, s *snapshot) error {
		got := compare(s.seed, s.size)
		err := b.Restore(ctx, s.ref, got)
		if wrong := got.check(err); wrong != nil {
			c.violation("restoring %s gave %v (its error: %v)", s.ref, wrong, err)
		}
		return err
	})
}

// verify must not find fault with what is right without an error of the volume; what it says is seen by audit.
func (c *campaign) verify(v storage.Volume) {
	c.reading(v, func(ctx context.Context, b *backup.Backup, s *snapshot) error {
		snap, err := b.Verify(ctx, s.ref, &backup.VerifyOptions{Stored: c.rng.IntN(2) == 0})
		if err == nil && snap.Ref() != s.ref {
			c.violation("verifying %s gave %s", s.ref, snap.Ref())
		}
		return err
	})
}

// read compares some of each object with what is there.
func (c *campaign) read(v storage.Volume) {
	c.reading(v, func(ctx context.Context, _ *backup.Backup, s *snapshot) error {
		snap, err := c.clean[s.way].Stat(c.t.Context(), s.ref)
		if err != nil {
			c.violation("describing %s without faults: %v", s.ref, err)
			return err
		}
		for _, name := range snap.Details.Objects {
			if err := c.readObject(ctx, v, name); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *campaign) readObject(ctx context.Context, v storage.Volume, name string) error {
	o, err := c.s.Clean.Stat(c.t.Context(), name)
	if err != nil {
		c.violation("an object of a snapshot: %v", err)
		return err
	}
	off, n := int64(0), int64(-1)
	if c.rng.IntN(2) == 0 {
		off, n = c.rng.Int64N(o.Size+1), c.rng.Int64N(o.Size+1)
	}
	want, err := c.s.Clean.Open(c.t.Context(), name, off, n)
	if err != nil {
		c.violation("reading %s without faults: %v", name, err)
		return err
	}
	defer want.Close()
	r, err := v.Open(ctx, name, off, n)
	if err != nil {
		return err
	}
	defer r.Close()
	c.compare(name, r, want, &err)
	return err
}

// compare holds what r gives, up to its error, to what want gives.
func (c *campaign) compare(name string, r, want io.Reader, failed *error) {
	got, err := io.ReadAll(r)
	all, cleanErr := io.ReadAll(want)
	if cleanErr != nil {
		c.violation("reading %s without faults: %v", name, cleanErr)
		return
	}
	if *failed = err; err != nil {
		all = all[:min(len(got), len(all))]
	}
	if string(got) != string(all) {
		c.violation("reading %s gave %d bytes, which are not those that are stored, and error %v", name, len(got), err)
	}
}

// list gives all that is committed and nothing else, or an error.
func (c *campaign) list(v storage.Volume) {
	want := c.listed()
	c.reading(v, func(ctx context.Context, b *backup.Backup, _ *snapshot) error {
		got, err := list(ctx, b)
		if err == nil && !maps.Equal(got, want) {
			c.violation("a listing has %d snapshots, and there are %d", len(got), len(want))
		}
		return err
	})
}
