package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/databasement/backup/internal/digest"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
)

// CreateOptions describe a new snapshot; nil is the zero value.
type CreateOptions struct {
	Ext          string            // of the plain stream, such as ".sql" or ".tar"; up to two of '.' with 1 to 10 of a-z, 0-9
	Source       string            // what was backed up, for people; no secrets: it is stored in the clear; at most 1 KiB
	OriginalName string            // what CleanName was given; at most 1 KiB
	Labels       map[string]string // at most 64, keys and values of at most 1 KiB, all texts of 32 KiB; stored in the clear
	MinSize      int64             // a stream of fewer bytes is ErrTooSmall

	copiedFrom string
	at         time.Time // of the id; zero: now
}

// Create backs up what r yields, until io.EOF, under name. Any other error of r, io.ErrUnexpectedEOF included, and a
// ctx done before the end, commit nothing. It returns once the snapshot is durable. r is not closed. A Read in
// progress is waited for; when ctx ends it is cut short if r has a SetReadDeadline that works, as connections and pipes
// of os.Pipe have, but not regular files or an inherited standard input.
//
// For a producer whose success is known only after its last byte, such as a dump program, use CreateFunc.
func (b *Backup) Create(ctx context.Context, name string, r io.Reader, opts *CreateOptions) (*Snapshot, error) {
	if r == nil {
		return nil, wrap("create", name, errors.New("the reader is nil"))
	}
	return b.CreateFunc(ctx, name, opts, func(ctx context.Context, w io.Writer) error {
		return copyFrom(ctx, w.(*sink), r)
	})
}

// CreateFunc backs up what produce writes. A nil from produce, and only that, commits it: its error, or ctx's, is
// in the error returned. produce's ctx is done when the stream can no longer be stored. It must not use w after
// it has returned.
func (b *Backup) CreateFunc(ctx context.Context, name string, opts *CreateOptions, produce func(ctx context.Context, w io.Writer) error) (*Snapshot, error) {
	if opts == nil {
		opts = new(CreateOptions)
	}
	if err := layout.CheckName(name); err != nil {
		return nil, wrap("create", name, fmt.Errorf("%w (backup.CleanName makes a valid name of any string)", err))
	}
	if err := errors.Join(layout.CheckExt(opts.Ext), manifest.CheckTexts(opts.OriginalName, opts.Source, opts.Labels)); err != nil {
		return nil, wrap("create", name, err)
	}
	begun := b.now()
	id := layout.NewID(b.idTime(begun))
	if !opts.at.IsZero() {
		id = layout.NewID(opts.at)
	}
	op := b.begin("create", name+"/"+id)
	snap, err := b.create(ctx, op, &manifest.Manifest{
		Format: manifest.Format, ID: id, Name: name, Ext: opts.Ext, Begun: manifest.Time(begun),
		OriginalName: opts.OriginalName, CopiedFrom: opts.copiedFrom, Source: opts.Source, Labels: maps.Clone(opts.Labels),
	}, opts.MinSize, produce)
	return snap, op.end(err)
}

// idTime is now, or just after the last one of this Backup, so that ids made in one millisecond keep their order too.
func (b *Backup) idTime(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	now = now.Truncate(time.Millisecond)
	if ahead := b.lastID.Sub(now); ahead >= 0 && ahead < time.Second { // more is a clock that was set back
		now = b.lastID.Add(time.Millisecond)
	}
	b.lastID = now
	return now
}

func (b *Backup) create(ctx context.Context, op *operation, m *manifest.Manifest, minSize int64, produce func(context.Context, io.Writer) error) (*Snapshot, error) {
	if err := b.canary(ctx, op); err != nil {
		return nil, err
	}
	p, err := b.newPipeline(ctx, op, m)
	if err != nil {
		return nil, err
	}
	defer func() { // after a panic of produce too
		p.abort()
		if !p.sent {
			p.cleanUp()
		}
	}()
	if err := p.run(produce); err != nil {
		return nil, err
	}
	plain, err := p.finish(minSize)
	if err != nil {
		return nil, firstCause(p.ctx, err)
	}
	if err := p.commit(plain); err != nil {
		return nil, err
	}
	seal := SealNone
	if m.Encrypted() {
		seal = SealVerified
	}
	return snapshotOf(m, seal, plain), nil
}

// copyFrom copies r to w until io.EOF.
func copyFrom(ctx context.Context, w *sink, r io.Reader) error {
	if d, ok := r.(interface{ SetReadDeadline(time.Time) error }); ok {
		stop := context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	src := &source{ctx: ctx, r: r}
	err := w.take(src)
	if src.err != nil {
		return firstCause(ctx, fmt.Errorf("reading the source: %w", src.err))
	}
	return err
}

// source reads r until ctx is done, and keeps its error apart from those of the writer.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		s.err = context.Cause(s.ctx)
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// sink is the writer that a producer gets: it latches the first error, and ends with the producer.
type sink struct {
	mu  sync.Mutex
	w   *digest.Writer
	ctx context.Context
	err error
}

var errReturned = errors.New("write by a producer that has returned")

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check() != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// ReadFrom gives io.Copy a larger buffer. It does not hold the lock while it waits for r: a goroutine that a
// producer left behind, in a Read that does not end, must not keep Create.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{r}, make([]byte, 256<<10))
}

// take reads r to its end, without a copy between. An error of r is the caller's to judge.
func (s *sink) take(r io.Reader) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.check() != nil {
		return s.err
	}
	_, err := s.w.ReadFrom(r)
	return err
}

func (s *sink) check() error {
	if s.err == nil && s.ctx.Err() != nil {
		s.err = context.Cause(s.ctx)
	}
	return s.err
}

// end makes later use an error, and returns the first one.
func (s *sink) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.err
	if err == nil {
		err = s.w.Err()
	}
	s.err = errReturned
	return err
}
