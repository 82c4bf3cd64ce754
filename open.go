package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/digest"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/retry"
	"github.com/databasement/backup/internal/verified"
	"github.com/databasement/backup/storage"
)

// maxWraps bounds how many wraps of one snapshot are read.
const maxWraps = 64

// opened is a snapshot of which the manifest was read.
type opened struct {
	b     *Backup
	m     *manifest.Sealed
	with  crypto.Encryptor  // whose key opened the seal
	key   crypto.Decryption // likewise
	plain manifest.Digest   // of the plain stream, from the seal
}

// resolve makes "name/latest" an id.
func (b *Backup) resolve(ctx context.Context, ref string) (name, id string, err error) {
	name, id, err = ParseRef(ref)
	if err != nil || id != layout.Latest {
		return name, id, err
	}
	latest, err := b.latest(ctx, name)
	if err != nil {
		return name, id, err
	}
	return name, latest.ID, nil
}

// load reads the manifest of ref. Nothing in it is authentic yet.
func (b *Backup) load(ctx context.Context, op *operation, ref string) (*manifest.Sealed, error) {
	name, id, err := b.resolve(ctx, ref)
	if err != nil {
		return nil, err
	}
	object := layout.Manifest(name, id)
	var m *manifest.Sealed
	err = retry.Do(ctx, func() error {
		data, err := storage.ReadObject(ctx, b.vol, object, manifest.MaxSize)
		if err == nil {
			m, err = manifest.Parse(data) // again too: it may have been damaged on its way
		}
		if errors.Is(err, ErrNewerFormat) {
			err = retry.Stop(err)
		}
		return err
	}, op.warn)
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return nil, b.explainMissing(ctx, name, id, err)
	case errors.Is(err, storage.ErrTooLarge):
		return nil, fmt.Errorf("%w: the manifest: %w", ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("manifest %q: %w", object, err)
	}
	if m.Name != name || m.ID != id {
		return nil, fmt.Errorf("%w: %q is the manifest of %s/%s", ErrDamaged, object, m.Name, m.ID)
	}
	return m, nil
}

// explainMissing tells a snapshot that never was from one that lost its manifest.
func (b *Backup) explainMissing(ctx context.Context, name, id string, err error) error {
	objects, listErr := storage.ListAll(ctx, b.vol, name+"/"+id)
	if listErr == nil && len(objects) > 0 {
		return fmt.Errorf("there is no such snapshot: %q and others of it are there, but no manifest, so it was never finished, "+
			"or its manifest is lost (OpenObject reads an object without): %w", objects[0].Name, err)
	}
	return fmt.Errorf("there is no such snapshot, List shows those that exist: %w", err)
}

// open reads the manifest of ref and checks its seal.
func (b *Backup) open(ctx context.Context, op *operation, ref string) (*opened, error) {
	m, err := b.load(ctx, op, ref)
	if err != nil {
		return nil, err
	}
	return b.unlock(ctx, m)
}

// unlock finds the key for a manifest, and checks its seal.
func (b *Backup) unlock(ctx context.Context, m *manifest.Sealed) (*opened, error) {
	if !m.Encrypted() {
		if b.encrypts() && !b.opts.AllowUnsealed {
			return nil, ErrUnsealed
		}
		key, err := crypto.None.Open(ctx, crypto.Envelope{})
		if err != nil {
			return nil, err
		}
		plain, err := m.Unseal(nil)
		return &opened{b, m, crypto.None, key, plain}, err
	}
	envelope := crypto.Envelope{Header: m.Encryption.Header, Want: identityOf(m.Manifest)}
	o, err := b.tryKeys(ctx, m, envelope)
	if !isKeyError(err) {
		return o, err
	}
	wraps, listErr := b.wraps(ctx, m.Name, m.ID)
	if listErr != nil {
		return nil, fmt.Errorf("%w; looking for what Rekey may have added: %w", err, listErr)
	}
	if len(wraps) == 0 {
		return nil, err
	}
	envelope.Wraps = wraps
	return b.tryKeys(ctx, m, envelope)
}

// encrypts reports whether new snapshots are encrypted.
func (b *Backup) encrypts() bool { return b.opts.Encryptor.Name() != crypto.None.Name() }

func identityOf(m *manifest.Manifest) crypto.Identity {
	at, _ := layout.IDTime(m.ID)
	return crypto.Identity{Name: m.Name, ID: m.ID, Ext: m.Ext, Time: at}
}

func isKeyError(err error) bool {
	e := (*crypto.KeyError)(nil)
	return errors.As(err, &e)
}

// tryKeys asks every Encryptor of the manifest's kind. The error is a *crypto.KeyError if none has the key.
func (b *Backup) tryKeys(ctx context.Context, m *manifest.Sealed, envelope crypto.Envelope) (*opened, error) {
	missing := &crypto.KeyError{Format: m.Encryption.Name, Need: m.Encryption.KeyIDs}
	for _, e := range b.encryptors {
		if e.Name() != m.Encryption.Name {
			continue
		}
		key, err := e.Open(ctx, envelope)
		if err == nil {
			var plain manifest.Digest
			if plain, err = m.Unseal(key); err == nil {
				return &opened{b, m, e, key, plain}, nil
			}
		}
		noKey := (*crypto.KeyError)(nil)
		if !errors.As(err, &noKey) {
			return nil, err
		}
		missing.Have = append(missing.Have, noKey.Have...)
		missing.Need = union(missing.Need, noKey.Need)
	}
	return nil, missing
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// wraps reads what Rekey has added, those for our own keys first. What is too large to be one is passed over.
func (b *Backup) wraps(ctx context.Context, name, id string) (wraps [][]byte, err error) {
	objects, err := storage.ListAll(ctx, b.vol, layout.Wrap(name, id, ""))
	if err != nil {
		return nil, err
	}
	objects = slices.DeleteFunc(objects, func(o storage.Object) bool {
		_, _, kind, ok := layout.Parse(o.Name)
		return !ok || kind != layout.KindWrap || o.Size > crypto.MaxHeader
	})
	var own []string
	for _, e := range b.encryptors {
		if h, ok := e.(crypto.KeyHolder); ok {
			own = append(own, h.HeldKeyIDs()...)
		}
	}
	slices.SortStableFunc(objects, func(x, y storage.Object) int {
		return cmp.Compare(slices.Index(own, layout.WrapKeyID(y.Name)), slices.Index(own, layout.WrapKeyID(x.Name)))
	})
	for _, o := range objects[:min(len(objects), maxWraps)] {
		data, err := storage.ReadObject(ctx, b.vol, o.Name, crypto.MaxHeader)
		if err != nil {
			return nil, err
		}
		wraps = append(wraps, data)
	}
	return wraps, nil
}

// stored is the snapshot's stored stream, verified by chunk.
func (b *Backup) stored(ctx context.Context, op *operation, m *manifest.Manifest) *verified.Reader {
	config := verified.Config{Volume: b.vol, Chunk: m.ChunkSize, Again: op.warn, Progress: op.onStored}
	for i, s := range m.Segments {
		config.Segments = append(config.Segments, verified.Segment{
			Object: m.Object(i + 1), Size: s.Size,
			Digests: func(ctx context.Context) ([]manifest.Digest, error) {
				if len(m.Segments) == 1 {
					return s.Chunks, nil
				}
				object := layout.Sums(m.Name, m.ID, i+1)
				data, err := storage.ReadObject(ctx, b.vol, object, manifest.MaxSize)
				if err != nil {
					return nil, err
				}
				return m.ParseSums(data, i+1)
			},
		})
	}
	return verified.New(ctx, config)
}

// read gives the plain stream of an opened snapshot to use, and returns nil only if all of it was
// verified: what use has not read is read here.
func (o *opened) read(ctx context.Context, op *operation, use func(r io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	compressor, err := o.b.compressorOf(o.m.Compression.Name)
	if err != nil {
		return err
	}
	stored := o.b.stored(ctx, op, o.m.Manifest)
	defer stored.Close()
	decrypted, err := o.key.Decrypt(ctx, stored)
	if err != nil {
		return err
	}
	defer decrypted.Close()
	decompressed, err := compressor.Decompress(decrypted)
	if err != nil {
		return err
	}
	defer decompressed.Close()
	plain := digest.NewReader(decompressed, o.m.PlainSize, op.onPlain, o.checkPlain)
	defer plain.Close()
	defer cancel() // first of all, so that no Close waits for a fetch
	lent := &lentReader{r: plain}
	defer lent.end() // after a panic too
	err = use(lent)
	if err != nil {
		err = firstCause(ctx, err)
		cancel() // who still reads must not be waited for
		return err
	}
	lent.end()
	_, err = plain.WriteTo(io.Discard)
	return firstCause(ctx, err)
}

// lentReader is the reader that a user gets. It ends with the call: what a goroutine that was left behind reads later, as that of an HTTP
// client may, is an error, and waited for if it is under way.
type lentReader struct {
	mu    sync.Mutex
	r     *digest.Reader
	ended bool
}

var errRead = errors.New("read after the function that got the reader has returned")

func (l *lentReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, errRead
	}
	return l.r.Read(p)
}

// WriteTo spares io.Copy a copy.
func (l *lentReader) WriteTo(w io.Writer) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return 0, errRead
	}
	return l.r.WriteTo(w)
}

func (l *lentReader) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

// checkPlain is the last word on a restored stream, whatever the stages said.
func (o *opened) checkPlain(size int64, sum digest.Sum) error {
	if size > o.m.PlainSize {
		return fmt.Errorf("%w: the plain stream goes on after its %d bytes", ErrDamaged, o.m.PlainSize)
	}
	if size < o.m.PlainSize {
		return fmt.Errorf("%w: the plain stream has %d bytes, not %d", ErrDamaged, size, o.m.PlainSize)
	}
	if sum != digest.Sum(o.plain) {
		return fmt.Errorf("%w: the plain stream does not match its SHA-256, though what is stored is what was written: "+
			"it was damaged before it got to the volume", ErrDamaged)
	}
	return nil
}

// compressorOf finds what can decompress.
func (b *Backup) compressorOf(name string) (compress.Compressor, error) {
	for _, c := range append([]compress.Compressor{b.opts.Compressor}, compress.All()...) {
		if c.Name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("there is no compressor %q here: set Options.Compressor to the one that wrote the snapshot", name)
}
