package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// CheckItem is one thing that Check tried.
type CheckItem = storage.CheckItem

// maxSkew is how far the volume's clock may be from this one's. Sweep and Create rely on it within a day.
const maxSkew = time.Hour

// Check tries everything that backups need of the volume and of the keys, with an object of its own that
// it removes again. It goes on after a failure; the error joins all.
func (b *Backup) Check(ctx context.Context) ([]CheckItem, error) {
	c := &checker{b: b, ctx: ctx, object: ".backup-check/" + layout.NewID(b.now())}
	c.volume()
	if v, ok := storage.As[storage.Checker](b.vol); ok {
		c.items = append(c.items, v.Check(ctx)...)
	}
	c.capabilities()
	c.keys()
	var errs []error
	for _, item := range c.items {
		if item.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", item.Name, item.Err))
		}
	}
	return c.items, wrap("check", "", errors.Join(errs...))
}

type checker struct {
	b      *Backup
	ctx    context.Context
	object string
	items  []CheckItem
}

func (c *checker) try(name string, f func() (note string, err error)) {
	note, err := f()
	c.items = append(c.items, CheckItem{Name: name, Note: note, Err: err})
}

const checkText = "written by Check, may be removed"

// volume tries each method. What cannot be stored is asked for all the same: who may only read is told that apart.
func (c *checker) volume() {
	vol, stored := c.b.vol, false
	c.try("put", func() (string, error) {
		_, err := vol.Put(c.ctx, c.object, strings.NewReader(checkText))
		stored = err == nil
		return "", err
	})
	c.try("stat", func() (string, error) {
		o, err := vol.Stat(c.ctx, c.object)
		if err != nil || !stored {
			return allowed(err)
		}
		return c.skew(o.ModTime)
	})
	c.try("open", func() (string, error) {
		if !stored {
			return allowed(c.open())
		}
		return "", c.open()
	})
	c.try("list", func() (string, error) {
		objects, err := storage.ListAll(c.ctx, vol, c.object)
		if err == nil && stored && len(objects) != 1 {
			err = fmt.Errorf("the object that was just written is listed %d times", len(objects))
		}
		return "", err
	})
	c.try("delete", func() (string, error) {
		if err := vol.Delete(c.ctx, c.object); err != nil || !stored {
			return "", err
		}
		_, err := vol.Stat(c.ctx, c.object)
		if err == nil {
			err = errors.New("the object is still there")
		}
		if !errors.Is(err, storage.ErrNotExist) {
			return "", err
		}
		return "", nil
	})
}

// allowed is for a question about an object that is not there: to be told so takes the permission.
func allowed(err error) (string, error) {
	if err == nil || errors.Is(err, storage.ErrNotExist) {
		return "tried on a missing object only, as put failed", nil
	}
	return "", err
}

func (c *checker) skew(stored time.Time) (string, error) {
	skew := c.b.now().Sub(stored).Abs()
	if skew > maxSkew {
		return "", fmt.Errorf("the volume's clock and this one's differ by %s, at most %s are allowed: Sweep relies on them", skew.Round(time.Second), maxSkew)
	}
	return fmt.Sprintf("the clocks differ by less than %s", max(skew, time.Second).Round(time.Second)), nil
}

// open reads a range.
func (c *checker) open() error {
	body, err := c.b.vol.Open(c.ctx, c.object, 8, 10)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(body, 1<<10))
	if err := errors.Join(err, body.Close()); err != nil {
		return err
	}
	if string(got) != checkText[8:18] {
		return fmt.Errorf("a range came back as %q, not %q", got, checkText[8:18])
	}
	return nil
}

func (c *checker) capabilities() {
	c.try("object size", func() (string, error) {
		return fmt.Sprintf("up to %d bytes an object, %d objects a snapshot", c.b.segmentSize(), layout.MaxSegments), nil
	})
	c.try("late head", func() (string, error) {
		_, size, err := c.b.target()
		if err != nil || size == 0 {
			return "not needed", err
		}
		return fmt.Sprintf("%d bytes", size), nil
	})
}

func (c *checker) keys() {
	c.try("encryption", func() (string, error) {
		if !c.b.encrypts() {
			return "none: snapshots are stored in the clear", nil
		}
		err := c.b.tryKey(c.ctx)
		if isKeyError(err) {
			return "these keys can write, but not read", nil
		}
		return "what these keys write they can read", err
	})
}
