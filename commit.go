package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/storage"
)

const (
	// sweepAge is how old the newest object of an id without a manifest must be to be taken for abandoned.
	sweepAge = 7 * 24 * time.Hour
	// commitAge is how old it may be when the manifest is written. The day between is for clocks and slow requests.
	commitAge = 6 * 24 * time.Hour
	// detachedTime bounds what goes on after the caller's ctx has ended.
	detachedTime = 30 * time.Second
)

// commit writes the manifest, which makes the snapshot exist. From then on p.sent says that it may be in the
// volume, now or later: nothing may be cleaned up then, whatever happens.
func (p *pipeline) commit(plain manifest.Digest) error {
	seal := p.encryption.Seal
	if !p.m.Encrypted() {
		seal = nil
	}
	p.m.Ended = manifest.Time(p.b.now())
	data, err := p.m.Encode(plain, seal)
	if err != nil {
		return err
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	p.sent = true
	err = p.putManifest(p.ctx, data)
	if err == nil {
		return nil
	}
	if errors.Is(err, storage.ErrNotApplied) { // no other error is certain: a 403 may be the answer to a repetition
		p.sent = false
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return p.settle(data, err)
}

func (p *pipeline) putManifest(ctx context.Context, data []byte) error {
	_, err := p.b.vol.Put(ctx, layout.Manifest(p.m.Name, p.m.ID), bytes.NewReader(data))
	return err
}

// settle finds out what became of a manifest whose Put had no clear answer: the same bytes are sent again,
// then read back. The caller's ctx no longer matters: the manifest is out.
func (p *pipeline) settle(data []byte, first error) error {
	p.op.warn(fmt.Errorf("no clear answer to writing the manifest, asking again: %w", first))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), detachedTime)
	defer cancel()
	again := retry.Do(ctx, func() error { return p.putManifest(ctx, data) }, nil)
	if again == nil {
		return nil
	}
	var stored []byte
	err := retry.Do(ctx, func() (err error) {
		stored, err = storage.ReadObject(ctx, p.b.vol, layout.Manifest(p.m.Name, p.m.ID), manifest.MaxSize)
		return err
	}, nil)
	if err == nil && bytes.Equal(stored, data) {
		return nil
	}
	return fmt.Errorf("writing the manifest: %w: %w", ErrOutcomeUnknown, first)
}
