package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/storage"
)

// Delete removes a snapshot: its manifest first, so that what is left if it is interrupted is garbage, which
// Sweep removes, and never a broken snapshot. It needs no key, and works on a damaged manifest.
func (b *Backup) Delete(ctx context.Context, ref string) error {
	name, id, err := b.resolve(ctx, ref)
	if err != nil {
		return wrap("delete", ref, err)
	}
	op := b.begin("delete", name+"/"+id)
	return op.end(b.delete(ctx, name, id))
}

func (b *Backup) delete(ctx context.Context, name, id string) error {
	object := layout.Manifest(name, id)
	if _, err := b.vol.Stat(ctx, object); errors.Is(err, storage.ErrNotExist) {
		return fmt.Errorf("there is no such snapshot, List shows those that exist: %w", err)
	} else if err != nil {
		return err
	}
	if err := b.vol.Delete(ctx, object); err != nil {
		return err
	}
	objects, err := storage.ListAll(ctx, b.vol, name+"/"+id)
	if err == nil {
		err = b.remove(ctx, name, id, objects)
	}
	if err != nil {
		return fmt.Errorf("the snapshot is gone, but not all of its objects are, which a sweep will do later: %w", err)
	}
	return nil
}

// remove deletes those of the objects that belong to the id.
func (b *Backup) remove(ctx context.Context, name, id string, objects []storage.Object) error {
	var errs []error
	for _, o := range objects {
		if n, i, _, ok := layout.Parse(o.Name); ok && n == name && i == id {
			errs = append(errs, b.vol.Delete(ctx, o.Name))
		}
	}
	return errors.Join(errs...)
}
