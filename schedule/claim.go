package schedule

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/storage"
)

// claims are the small objects by which replicas agree, and marks.
type claims struct {
	v     storage.Volume          // nil only where nothing is claimed or marked
	x     storage.ExclusivePutter // nil: the scheduler is alone, and every try is its own
	owner string
}

const (
	claimDir  = ".schedule/"
	slotForm  = "20060102t150405z"
	maxClaim  = 4 << 10            // bytes
	keepFor   = 7 * 24 * time.Hour // claims and marks of older slots are removed
	maxSweep  = 1000               // at a time
	afterward = 10 * time.Second   // for what is done after a ctx has ended
	maxLeeway = time.Minute
)

// ofSlot is the name of a claim or a mark, after the job's.
var ofSlot = regexp.MustCompile(`^([0-9]{8}t[0-9]{6}z)\.([0-9]{1,3}|done)$`)

// claim is what a claim says.
type claim struct {
	Owner  string    `json:"owner"`
	Begun  time.Time `json:"begun"`
	Until  time.Time `json:"until"`            // by the owner's clock; from then on the next try may be claimed
	Failed bool      `json:"failed,omitempty"` // the owner has said so; without, and after Until, it died
}

func slotName(job string, slot time.Time, suffix string) string {
	return claimDir + job + "/" + slot.UTC().Format(slotForm) + "." + suffix
}

func (r Run) claimName() string { return slotName(r.Job, r.Slot, fmt.Sprint(r.Try)) }

// take claims a try, and returns the claim that is there then, which may be another's.
func (c *claims) take(ctx context.Context, r Run, timeout time.Duration) (claim, error) {
	now := time.Now().UTC()
	own := claim{Owner: c.owner, Begun: now, Until: now.Add(timeout + min(timeout/10, maxLeeway))}
	if c.x == nil {
		return own, nil
	}
	data, err := json.Marshal(own)
	if err != nil {
		return claim{}, err
	}
	_, err = c.x.PutIfAbsent(ctx, r.claimName(), data)
	if err == nil {
		return own, nil
	}
	// Whatever the error, what is there decides: the answer to a put that succeeded may have been lost.
	there, readErr := c.read(ctx, r)
	if readErr == nil {
		return there, nil
	}
	if errors.Is(err, storage.ErrExist) {
		err = readErr
	}
	return claim{}, fmt.Errorf("claiming it: %w", err)
}

func (c *claims) read(ctx context.Context, r Run) (claim, error) {
	data, err := storage.ReadObject(ctx, c.v, r.claimName(), maxClaim)
	if err != nil {
		return claim{}, err
	}
	var there claim
	if err := json.Unmarshal(data, &there); err != nil || there.Owner == "" {
		return claim{}, fmt.Errorf("%q is not a claim: remove it", r.claimName())
	}
	return there, nil
}

// giveUp tells the others that a try has failed, so that they need not wait for its end.
func (c *claims) giveUp(ctx context.Context, r Run, backoff time.Duration) error {
	if c.x == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterward)
	defer cancel()
	now := time.Now().UTC()
	data, err := json.Marshal(claim{Owner: c.owner, Begun: now, Until: now.Add(backoff), Failed: true})
	if err == nil {
		_, err = c.v.Put(ctx, r.claimName(), bytes.NewReader(data))
	}
	return err
}

// marked reports whether the slot has its mark.
func (c *claims) marked(ctx context.Context, job string, slot time.Time) (bool, error) {
	_, err := c.v.Stat(ctx, slotName(job, slot, "done"))
	if errors.Is(err, storage.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (c *claims) mark(ctx context.Context, job string, slot time.Time) error {
	return retry.Do(ctx, func() error {
		_, err := c.v.Put(ctx, slotName(job, slot, "done"), strings.NewReader(c.owner+"\n"))
		return err
	}, nil)
}

// sweep removes the oldest claims and marks of slots before this one.
func (c *claims) sweep(ctx context.Context, job string, slot time.Time) error {
	if c.v == nil {
		return nil
	}
	before := slot
	if old := time.Now().Add(-keepFor); old.Before(before) {
		before = old
	}
	prefix := claimDir + job + "/"
	var gone []string
	for o, err := range c.v.List(ctx, prefix) {
		if err != nil {
			return err
		}
		m := ofSlot.FindStringSubmatch(strings.TrimPrefix(o.Name, prefix))
		if m == nil { // of a job below this one
			continue
		}
		if m[1] >= before.UTC().Format(slotForm) || len(gone) == maxSweep {
			break
		}
		gone = append(gone, o.Name)
	}
	for _, name := range gone {
		if err := c.v.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// probe tries whether the volume lets only one of two put an object.
func (c *claims) probe(ctx context.Context) error {
	name := claimDir + ".probe-" + rand.Text()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterward)
		defer cancel()
		_ = c.v.Delete(ctx, name) // who may not delete leaves some bytes
	}()
	if _, err := c.x.PutIfAbsent(ctx, name, []byte("1")); err != nil {
		return fmt.Errorf("trying whether claims work: %w", err)
	}
	_, err := c.x.PutIfAbsent(ctx, name, []byte("2"))
	if err == nil {
		return fmt.Errorf("%w: two puts of one object, each only if there is none, both succeeded", errors.ErrUnsupported)
	}
	if !errors.Is(err, storage.ErrExist) {
		return fmt.Errorf("trying whether claims work: %w", err)
	}
	return nil
}
