package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/digest"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/internal/segment"
	"github.com/databasement/backup/internal/spool"
	"github.com/databasement/backup/storage"
)

// pipeline is one snapshot in the making:
// producer → count + hash → Compressor → Encryptor → chunk digests → segments → Volume.
type pipeline struct {
	b   *Backup
	op  *operation
	m   *manifest.Manifest
	ctx context.Context // done, with the cause, when the stream can no longer be stored
	end context.CancelCauseFunc

	plain      *digest.Writer
	compressor io.WriteCloser
	encryption crypto.Encryption
	segments   *segment.Writer
	unclosed   []io.Closer // of compressor and encryption, in that order

	head func() ([]byte, error)
	sums []string // objects that may exist
	sent bool     // the manifest may exist
}

func (b *Backup) newPipeline(ctx context.Context, op *operation, m *manifest.Manifest) (*pipeline, error) {
	p := &pipeline{b: b, op: op, m: m}
	c, e := b.opts.Compressor, b.opts.Encryptor
	m.Compression = manifest.Stage{Name: c.Name(), Ext: c.Extension(), Params: maps.Clone(c.Params())}
	m.Encryption = manifest.Stage{Name: e.Name(), Ext: e.Extension(), KeyIDs: e.KeyIDs()}
	if e, ok := e.(crypto.Compressing); ok {
		m.Encryption.Params = maps.Clone(e.Params())
	}
	m.Numbered = b.opts.SegmentSize > 0
	m.ChunkSize = b.chunkSize
	if _, _, kind, ok := layout.Parse(m.Object(1)); !ok || kind != layout.KindData {
		return nil, fmt.Errorf("extension %q with those of the stages makes %q, which is reserved", m.Ext, m.Object(1))
	}
	if err := p.open(ctx); err != nil {
		p.abort()
		return nil, err
	}
	return p, nil
}

// open starts the stages, the last one first.
func (p *pipeline) open(ctx context.Context) (err error) {
	m := p.m
	ctx, p.end = context.WithCancelCause(ctx)
	target, headSize, err := p.b.target()
	if err != nil {
		return err
	}
	p.segments = segment.New(ctx, segment.Config{
		Volume: target, Object: m.Object, Size: p.b.segmentSize(), Chunk: m.ChunkSize,
		HeadSize: headSize, Head: func() ([]byte, error) { return p.head() },
		Stored: p.storeSums, Progress: p.op.onStored,
	})
	p.ctx = p.segments.Context()
	p.encryption, err = p.b.opts.Encryptor.Encrypt(p.ctx, p.segments, identityOf(m))
	if err != nil {
		return fmt.Errorf("encryption %s: %w", m.Encryption.Name, err)
	}
	p.unclosed = []io.Closer{p.encryption}
	if headSize > 0 {
		late, ok := p.encryption.(crypto.LateHead)
		if !ok {
			return fmt.Errorf("encryption %s announced a late head and has none", m.Encryption.Name)
		}
		p.head = late.Head
	}
	if p.compressor, err = p.b.opts.Compressor.Compress(p.encryption); err != nil {
		return fmt.Errorf("compression %s: %w", m.Compression.Name, err)
	}
	p.unclosed = []io.Closer{p.compressor, p.encryption}
	p.plain = digest.NewWriter(p.compressor, p.op.onPlain)
	return nil
}

// target is where segments go, and the size of the late head that the encryption needs there.
func (b *Backup) target() (storage.Volume, int, error) {
	late, ok := b.opts.Encryptor.(crypto.LateHeader)
	if !ok {
		return b.vol, 0, nil
	}
	if _, ok := storage.As[storage.HeadPutter](b.vol); ok {
		return b.vol, late.HeadSize(), nil
	}
	if b.opts.SpoolDir == "" {
		return nil, 0, fmt.Errorf("encryption %s writes its first bytes last, which this volume cannot store: "+
			"set Options.SpoolDir to allow a temporary file, or choose another encryption", late.Name())
	}
	return spool.Volume(b.vol, b.opts.SpoolDir), late.HeadSize(), nil
}

// segmentSize is the most that an object of the stored stream may have.
func (b *Backup) segmentSize() int64 {
	size := min(int64(manifest.MaxChunks)*b.chunkSize, MaxSegmentSize)
	if b.opts.SegmentSize > 0 {
		size = min(size, b.opts.SegmentSize)
	}
	if limiter, ok := storage.As[storage.SizeLimiter](b.vol); ok {
		size = min(size, limiter.MaxObjectSize())
	}
	return size
}

// run lets produce write. The first error of all wins.
func (p *pipeline) run(produce func(context.Context, io.Writer) error) error {
	w := &sink{w: p.plain, ctx: p.ctx}
	err := produce(p.ctx, w)
	if latched := w.end(); latched != nil && !errors.Is(err, latched) {
		err = latched
	}
	return firstCause(p.ctx, err)
}

// finish ends the stages, the first one first, and fills the manifest. It returns the plain stream's SHA-256.
func (p *pipeline) finish(minSize int64) (sum manifest.Digest, err error) {
	if sum, err = p.plain.Flush(); err != nil {
		return sum, err
	}
	if p.m.PlainSize = p.plain.Size(); p.m.PlainSize < minSize {
		return sum, fmt.Errorf("%w: %d bytes, at least %d are wanted", ErrTooSmall, p.m.PlainSize, minSize)
	}
	if err := p.closeNext(); err != nil {
		return sum, fmt.Errorf("compression %s: %w", p.m.Compression.Name, err)
	}
	if err := p.closeNext(); err != nil {
		return sum, fmt.Errorf("encryption %s: %w", p.m.Encryption.Name, err)
	}
	segments, err := p.segments.Finish()
	if err != nil {
		return sum, err
	}
	p.m.Encryption.Header = p.encryption.Header()
	p.m.Segments = nil
	for _, s := range segments {
		part := manifest.Segment{Object: path.Base(s.Object), Size: s.Size, Digest: s.Digest}
		if len(segments) == 1 {
			part.Chunks = s.Chunks
		}
		p.m.Segments = append(p.m.Segments, part)
		p.m.StoredSize += s.Size
	}
	return sum, p.checkStored(segments)
}

// closeNext closes a stage, which must be done once.
func (p *pipeline) closeNext() error {
	c := p.unclosed[0]
	p.unclosed = p.unclosed[1:]
	return c.Close()
}

// storeSums writes the chunk digests of one of several segments.
func (p *pipeline) storeSums(ctx context.Context, i int, s segment.Segment) error {
	data, err := manifest.EncodeSums(p.m.ID, i, s.Chunks)
	if err != nil {
		return err
	}
	name := layout.Sums(p.m.Name, p.m.ID, i)
	p.sums = append(p.sums, name)
	return retry.Do(ctx, func() error {
		_, err := p.b.vol.Put(ctx, name, bytes.NewReader(data))
		return err
	}, p.op.warn)
}

// checkStored looks that every segment is there, and that no sweep can meet this backup: it removes what has no
// manifest and is older than 7 days.
func (p *pipeline) checkStored(segments []segment.Segment) error {
	var newest time.Time
	for _, s := range segments {
		var object storage.Object
		err := retry.Do(p.ctx, func() (err error) {
			object, err = p.b.vol.Stat(p.ctx, s.Object)
			return err
		}, nil)
		if err != nil {
			return fmt.Errorf("before the commit, looking for what was stored: %w", err)
		}
		if object.Size != s.Size {
			return fmt.Errorf("before the commit: %q has %d bytes, %d were stored", s.Object, object.Size, s.Size)
		}
		if object.ModTime.After(newest) {
			newest = object.ModTime
		}
	}
	if age := p.b.now().Sub(newest); age > commitAge {
		return fmt.Errorf("before the commit: the newest object of the snapshot is %s old, at most %s are allowed, "+
			"as a sweep may take it for abandoned; check the clocks if that is not so", age.Round(time.Second), commitAge)
	}
	return nil
}

// abort ends every stage and goroutine that has not ended.
func (p *pipeline) abort() {
	p.end(errAborted)
	for len(p.unclosed) > 0 {
		_ = p.closeNext()
	}
	if p.plain != nil {
		p.plain.Abort()
	}
	if p.segments != nil {
		p.segments.Abort(errAborted)
	}
}

var errAborted = errors.New("the backup has ended")

// cleanUp removes what a failed backup stored, as far as it may. Sweep finds the rest.
func (p *pipeline) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), detachedTime)
	defer cancel()
	for _, name := range slices.Concat(p.segments.Begun(), p.sums) {
		if err := p.b.vol.Delete(ctx, name); err != nil {
			p.op.warn(fmt.Errorf("removing what a failed backup left, which a sweep will do later: %w", err))
		}
	}
}
