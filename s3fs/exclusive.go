package s3fs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/databasement/backup/storage"
)

// PutIfAbsent implements storage.ExclusivePutter by "If-None-Match: *". Some stores refuse that, some ignore it, and some look
// and write in two steps; so before its first use on a volume it is tried, with some small objects that are
// removed again. Where it does not work the error satisfies errors.ErrUnsupported.
func (v *Volume) PutIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	if err := v.check("put", name); err != nil {
		return storage.Object{}, v.error("put", name, notApplied(err))
	}
	if len(data) > storage.MaxExclusive {
		return storage.Object{}, v.error("put", name, notApplied(fmt.Errorf("%d bytes: %w", len(data), storage.ErrTooLarge)))
	}
	if err := v.probe.run(ctx, v); err != nil {
		return storage.Object{}, v.error("put", name, notApplied(err))
	}
	o, err := v.putIfAbsent(ctx, name, data)
	return o, v.error("put", name, err)
}

func (v *Volume) putIfAbsent(ctx context.Context, name string, data []byte) (storage.Object, error) {
	p := &putting{v: v, name: name, token: newToken()}
	o, err := p.whole(ctx, data, aws.String("*"))
	if !taken(err) {
		return o, err
	}
	// Taken, perhaps by an attempt of our own of which the answer was lost.
	h, headErr := v.head(ctx, name)
	switch {
	case headErr == nil && h.token == p.token:
		return h.Object, nil
	case headErr == nil && errors.Is(err, storage.ErrNotApplied):
		return storage.Object{}, fmt.Errorf("%w: %w", storage.ErrNotApplied, storage.ErrExist)
	case headErr == nil:
		return storage.Object{}, storage.ErrExist
	}
	return storage.Object{}, fmt.Errorf("%w, and looking whose it is failed: %w", storage.ErrExist, headErr)
}

func taken(err error) bool { return answerOf(err).status == http.StatusPreconditionFailed }

// probe finds out, once for a volume, whether conditional requests work.
type probe struct {
	turn chan struct{} // of one at a time; a mutex that waiting can leave
	done bool
	err  error
}

const (
	probeDir    = ".s3fs-probe/"
	probeRounds = 3
	probeRacers = 4
)

func (p *probe) run(ctx context.Context, v *Volume) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if cause := ended(ctx); cause != nil {
		return cause
	}
	if p.done {
		return p.err
	}
	err := p.try(ctx, v)
	if err == nil || errors.Is(err, errors.ErrUnsupported) { // anything else says nothing about the store
		p.done, p.err = true, err
	}
	return err
}

func (p *probe) try(ctx context.Context, v *Volume) (err error) {
	for range probeRounds {
		name := probeDir + newToken()
		err := p.race(ctx, v, name)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		deleted := v.Delete(ctx, name)
		cancel()
		if errors.Is(deleted, storage.ErrPermission) {
			deleted = nil // who may not delete leaves some bytes
		}
		if err := errors.Join(err, deleted); err != nil {
			return err
		}
	}
	return nil
}

// unconditional reports whether the store says that it does not know conditional requests. Others of its refusals, and a network
// that is down, say nothing of that.
func unconditional(err error) bool {
	switch a := answerOf(err); a.status {
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return true
	case http.StatusBadRequest:
		return slices.Contains([]string{"NotImplemented", "InvalidArgument", "InvalidRequest"}, a.code)
	}
	return false
}

// race has several requests for one name, of which one must win, and then one more, which must lose.
func (p *probe) race(ctx context.Context, v *Volume, name string) error {
	errs := make([]error, probeRacers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = v.putIfAbsent(ctx, name, []byte{byte(i)}) })
	}
	wg.Wait()
	_, err := v.putIfAbsent(ctx, name, []byte{probeRacers})
	winners := 0
	for _, err := range append(errs, err) {
		switch {
		case err == nil:
			winners++
		case errors.Is(err, storage.ErrExist):
		case unconditional(err):
			return fmt.Errorf("%w: the store refuses conditional requests: %w", errors.ErrUnsupported, err)
		default:
			return fmt.Errorf("trying whether conditional requests work: %w", err)
		}
	}
	if winners != 1 || err == nil {
		return fmt.Errorf("%w: of %d conditional requests for one name %d succeeded, so they cannot be relied on", errors.ErrUnsupported, probeRacers+1, winners)
	}
	return nil
}
