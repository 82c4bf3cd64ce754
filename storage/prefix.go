package storage

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
)

// Prefix returns the part of v below the directory dir as a volume of its own:
// its object "x" is v's "dir/x". Objects, listings and errors have names as the
// caller knows them. It has each capability of this package exactly when v
// has it, and no other, since it could not translate the names. An empty dir
// is v itself; with a dir that is not a valid name every method fails.
func Prefix(v Volume, dir string) Volume {
	if dir == "" {
		return v
	}
	return &prefixed{v, strings.TrimSuffix(dir, "/") + "/"}
}

// prefixed does not Unwrap: what is found below would have other names.
type prefixed struct {
	v   Volume
	dir string // ends in a slash
}

// As gives the capabilities of the volume below, see [As].
func (p *prefixed) As(target any) bool {
	switch t := target.(type) {
	case *ExclusivePutter:
		return translate(p, t, func(u ExclusivePutter) ExclusivePutter { return prefixedExclusive{p, u} })
	case *HeadPutter:
		return translate(p, t, func(u HeadPutter) HeadPutter { return prefixedHead{p, u} })
	case *Presigner:
		return translate(p, t, func(u Presigner) Presigner { return prefixedPresigner{p, u} })
	case *SizeLimiter:
		return translate(p, t, func(u SizeLimiter) SizeLimiter { return u })
	case *Sweeper:
		return translate(p, t, func(u Sweeper) Sweeper { return prefixedSweeper{p, u} })
	case *Checker:
		return translate(p, t, func(u Checker) Checker { return u })
	}
	return false
}

func translate[T any](p *prefixed, target *T, over func(T) T) bool {
	u, ok := As[T](p.v)
	if ok {
		*target = over(u)
	}
	return ok
}

func (p *prefixed) Put(ctx context.Context, name string, r io.Reader) (Object, error) {
	if err := p.check("put", name); err != nil {
		return Object{}, err
	}
	return p.result(p.v.Put(ctx, p.dir+name, r))
}

func (p *prefixed) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := p.check("open", name); err != nil {
		return nil, err
	}
	body, err := p.v.Open(ctx, p.dir+name, off, n)
	if err != nil {
		return nil, p.error(err)
	}
	return &prefixedBody{p, body}, nil
}

func (p *prefixed) Stat(ctx context.Context, name string) (Object, error) {
	if err := p.check("stat", name); err != nil {
		return Object{}, err
	}
	return p.result(p.v.Stat(ctx, p.dir+name))
}

func (p *prefixed) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range p.v.List(ctx, p.dir+prefix) {
			if err == nil && !strings.HasPrefix(o.Name, p.dir) {
				err = listError(prefix, "the volume listed %q, which is not below %q", o.Name, p.dir)
			}
			if err != nil {
				yield(Object{}, p.error(err))
				return
			}
			o.Name = o.Name[len(p.dir):]
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (p *prefixed) Delete(ctx context.Context, name string) error {
	if err := p.check("delete", name); err != nil {
		return err
	}
	return p.error(p.v.Delete(ctx, p.dir+name))
}

// check refuses a bad name here, so that the reason counts its components as the caller does.
func (p *prefixed) check(op, name string) error {
	if err := CheckName(name); err != nil {
		return &Error{Op: op, Name: name, Err: err}
	}
	if err := CheckName(p.dir + name); err != nil {
		return &Error{Op: op, Name: name, Err: fmt.Errorf("below %q: %w", p.dir, err)}
	}
	return nil
}

func (p *prefixed) result(o Object, err error) (Object, error) {
	if err != nil {
		return Object{}, p.error(err)
	}
	o.Name = strings.TrimPrefix(o.Name, p.dir)
	return o, nil
}

// error gives the volume's own error the caller's name, and says in Volume what it is below.
func (p *prefixed) error(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	t := *e
	if name, ok := strings.CutPrefix(e.Name, p.dir); ok {
		t.Name = name
	}
	if e.Volume != "" {
		t.Volume = strings.TrimSuffix(e.Volume, "/") + "/" + strings.TrimSuffix(p.dir, "/")
	}
	return &t
}

type prefixedBody struct {
	p *prefixed
	io.ReadCloser
}

func (b *prefixedBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	return n, b.p.error(err)
}

func (b *prefixedBody) Close() error { return b.p.error(b.ReadCloser.Close()) }

type prefixedExclusive struct {
	p *prefixed
	u ExclusivePutter
}

func (x prefixedExclusive) PutIfAbsent(ctx context.Context, name string, data []byte) (Object, error) {
	if err := x.p.check("put", name); err != nil {
		return Object{}, err
	}
	return x.p.result(x.u.PutIfAbsent(ctx, x.p.dir+name, data))
}

type prefixedHead struct {
	p *prefixed
	u HeadPutter
}

func (x prefixedHead) PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (Object, error) {
	if err := x.p.check("put", name); err != nil {
		return Object{}, err
	}
	return x.p.result(x.u.PutHead(ctx, x.p.dir+name, r, size, head))
}

type prefixedPresigner struct {
	p *prefixed
	u Presigner
}

func (x prefixedPresigner) Presign(ctx context.Context, name string, expires time.Duration) (string, time.Time, error) {
	if err := x.p.check("presign", name); err != nil {
		return "", time.Time{}, err
	}
	url, until, err := x.u.Presign(ctx, x.p.dir+name, expires)
	return url, until, x.p.error(err)
}

// prefixedSweeper sweeps the whole volume below: unfinished things have no
// place in it that could be told.
type prefixedSweeper struct {
	p *prefixed
	u Sweeper
}

func (x prefixedSweeper) SweepUnfinished(ctx context.Context, before time.Time) (int, error) {
	n, err := x.u.SweepUnfinished(ctx, before)
	return n, x.p.error(err)
}
