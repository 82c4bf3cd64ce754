package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databasement/backup/storage"
)

// Link is a URL from which one object of a snapshot can be fetched, by whoever has the URL, with a plain GET.
type Link struct {
	Object string // whole name in the volume
	Size   int64  // in bytes
	URL    string
	Until  time.Time // when it stops working, which may be earlier than was asked for
}

// Links returns a link to each object of the snapshot's stored stream, in order; concatenated they are the stored stream, which is
// still compressed and encrypted. expires is how long they are to work. On a volume that makes no links the error
// satisfies errors.ErrUnsupported. The manifest's objects are taken as they are named: no key is needed, and the seal
// is not looked at.
func (b *Backup) Links(ctx context.Context, ref string, expires time.Duration) ([]Link, error) {
	op := b.begin("links", ref)
	links, err := b.links(ctx, op, ref, expires)
	return links, op.end(err)
}

func (b *Backup) links(ctx context.Context, op *operation, ref string, expires time.Duration) ([]Link, error) {
	p, ok := storage.As[storage.Presigner](b.vol)
	if !ok {
		return nil, fmt.Errorf("this volume makes no links: %w", errors.ErrUnsupported)
	}
	m, err := b.load(ctx, op, ref)
	if err != nil {
		return nil, err
	}
	var links []Link
	for i, s := range m.Segments {
		l := Link{Object: m.Object(i + 1), Size: s.Size}
		if l.URL, l.Until, err = p.Presign(ctx, l.Object, expires); err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, nil
}
