package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/storage"
)

// group is everything that a volume has of one id.
type group struct {
	name, id  string
	committed bool
	size      int64     // of the data objects
	newest    time.Time // of all objects
	objects   []storage.Object
}

// groups lists what is under prefix, by id, in the order of their names. It reads no object.
func (b *Backup) groups(ctx context.Context, prefix string) ([]*group, error) {
	objects, err := storage.ListAll(ctx, b.vol, prefix)
	if err != nil {
		return nil, err
	}
	var all []*group
	for _, o := range objects {
		name, id, kind, ok := layout.Parse(o.Name)
		if !ok {
			continue
		}
		if n := len(all); n == 0 || all[n-1].name != name || all[n-1].id != id {
			all = append(all, &group{name: name, id: id})
		}
		all[len(all)-1].add(o, kind)
	}
	return all, nil
}

func (g *group) add(o storage.Object, kind layout.Kind) {
	g.objects = append(g.objects, o)
	g.committed = g.committed || kind == layout.KindManifest
	if kind == layout.KindData {
		g.size += o.Size
	}
	if o.ModTime.After(g.newest) {
		g.newest = o.ModTime
	}
}

func (g *group) snapshot() *Snapshot {
	at, _ := layout.IDTime(g.id)
	return &Snapshot{Name: g.name, ID: g.id, Time: at, StoredSize: g.size}
}

// Names lists the names that have a snapshot, in byte order.
func (b *Backup) Names(ctx context.Context) ([]string, error) {
	all, err := b.groups(ctx, "")
	if err != nil {
		return nil, wrap("list", "", err)
	}
	var names []string
	for _, g := range all {
		if g.committed {
			names = append(names, g.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// List lists the snapshots of exactly this name, the oldest first. It reads no object. A name
// without any gives an empty list.
func (b *Backup) List(ctx context.Context, name string) ([]*Snapshot, error) {
	snapshots, err := b.list(ctx, name)
	return snapshots, wrap("list", name, err)
}

func (b *Backup) list(ctx context.Context, name string) ([]*Snapshot, error) {
	groups, err := b.committed(ctx, name)
	var snapshots []*Snapshot
	for _, g := range groups {
		snapshots = append(snapshots, g.snapshot())
	}
	return snapshots, err
}

// committed lists what belongs to the snapshots of exactly this name, the oldest first.
func (b *Backup) committed(ctx context.Context, name string) ([]*group, error) {
	if err := layout.CheckName(name); err != nil {
		return nil, err
	}
	all, err := b.groups(ctx, name+"/")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(g *group) bool { return !g.committed || g.name != name }), nil
}

// futureLeeway is how far ahead of the local clock an id may be.
const futureLeeway = time.Hour

// checkTime refuses a snapshot from the future, which would stand before every later one.
func (b *Backup) checkTime(s *Snapshot) error {
	if s.Time.After(b.now().Add(futureLeeway)) {
		return fmt.Errorf("snapshot %s is from the future: the clock is wrong here or was where it was made, "+
			"or it is forged. It is still there under its id; delete it if it is not wanted", s.Ref())
	}
	return nil
}

// Latest returns the newest snapshot of this name. One older than maxAge, if that is > 0, is returned
// together with ErrStale; a name without any is ErrNotExist. A newest one from the future is an error: whether it is the
// latest cannot be known.
func (b *Backup) Latest(ctx context.Context, name string, maxAge time.Duration) (*Snapshot, error) {
	s, err := b.latest(ctx, name)
	if err != nil {
		return nil, wrap("latest", name, err)
	}
	if age := b.now().Sub(s.Time); maxAge > 0 && age > maxAge {
		return s, wrap("latest", name, fmt.Errorf("%w: %s was made %s ago, at most %s are allowed", ErrStale, s.ID, age.Round(time.Second), maxAge))
	}
	return s, nil
}

func (b *Backup) latest(ctx context.Context, name string) (*Snapshot, error) {
	snapshots, err := b.list(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(snapshots) == 0 {
		return nil, fmt.Errorf("no snapshot has the name %q, Names shows those that exist: %w", name, ErrNotExist)
	}
	newest := snapshots[len(snapshots)-1]
	return newest, b.checkTime(newest)
}

// Stat reads what a snapshot's manifest says, and checks its seal if there is a key for that: see Details.Seal.
func (b *Backup) Stat(ctx context.Context, ref string) (*Snapshot, error) {
	op := b.begin("stat", ref)
	m, err := b.load(ctx, op, ref)
	if err != nil {
		return nil, op.end(err)
	}
	s, err := b.describe(ctx, m)
	return s, op.end(err)
}

// describe checks a seal as far as that is possible here.
func (b *Backup) describe(ctx context.Context, m *manifest.Sealed) (*Snapshot, error) {
	o, err := b.unlock(ctx, m)
	switch {
	case err == nil:
		return o.snapshot(), nil
	case errors.Is(err, ErrUnsealed):
		plain, err := m.Unseal(nil)
		return snapshotOf(m.Manifest, SealNone, plain), err
	case isKeyError(err):
		return snapshotOf(m.Manifest, SealUnknown, manifest.Digest{}), nil
	}
	return nil, err
}

func (o *opened) snapshot() *Snapshot {
	if o.m.Encrypted() {
		return snapshotOf(o.m.Manifest, SealVerified, o.plain)
	}
	return snapshotOf(o.m.Manifest, SealNone, o.plain)
}

// verifyStored reads every chunk.
func (b *Backup) verifyStored(ctx context.Context, op *operation, m *manifest.Sealed) (*Snapshot, error) {
	s, err := b.describe(ctx, m)
	if err != nil {
		return nil, err
	}
	stored := b.stored(ctx, op, m.Manifest)
	defer stored.Close()
	for buf := make([]byte, 1<<20); ; op.emit(EventProgress, nil) {
		if _, err := stored.Read(buf); err == io.EOF {
			return s, nil
		} else if err != nil {
			return nil, firstCause(ctx, err)
		}
	}
}
