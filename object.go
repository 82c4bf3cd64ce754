package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/verified"
	"github.com/databasement/backup/storage"
)

// OpenObject decrypts and decompresses a bare object by the extensions of its name (.aes, .age, .zst, .gz, .xz), without any
// manifest: what is left when a manifest is lost, or what a stock tool made. Further segments (.002, …) are read
// behind the first. Nothing but what the formats themselves check is verified: a stream cut
// between two frames of a compressor, for one, looks complete.
func (b *Backup) OpenObject(ctx context.Context, object string) (io.ReadCloser, error) {
	r, err := b.openObject(ctx, object)
	if err != nil {
		return nil, wrap("open", object, err)
	}
	return r, nil
}

func (b *Backup) openObject(ctx context.Context, object string) (io.ReadCloser, error) {
	if ext := path.Ext(object); nextSegment.MatchString(ext) && ext != ".001" {
		return nil, fmt.Errorf("this is a further segment of %q: open that", strings.TrimSuffix(object, ext))
	}
	segments, err := b.bareSegments(ctx, object)
	if err != nil {
		return nil, err
	}
	name := firstSegment.ReplaceAllString(object, "")
	encryptors := b.encryptorsFor(name)
	if len(encryptors) == 0 {
		if ext := path.Ext(name); slices.Contains(encryptedExts, ext) {
			return nil, fmt.Errorf("%q is encrypted: set Options.Encryptor or ReadWith to what opens %s", name, ext)
		}
		return b.openBare(ctx, segments, crypto.None, name)
	}
	for _, e := range encryptors {
		var r io.ReadCloser
		r, err = b.openBare(ctx, segments, e, strings.TrimSuffix(name, e.Extension()))
		if !isKeyError(err) {
			return r, err
		}
	}
	return nil, err
}

// encryptedExts are never plain, whatever Encryptors there are.
var encryptedExts = []string{".aes", ".age", ".7z"}

// encryptorsFor lists the Encryptors that may open an object of this name.
func (b *Backup) encryptorsFor(name string) (fit []crypto.Encryptor) {
	for _, e := range b.encryptors {
		if e.Extension() != "" && path.Ext(name) == e.Extension() {
			fit = append(fit, e)
		}
	}
	return fit
}

// openBare opens the segments with e, and decompresses by what is left of the name.
func (b *Backup) openBare(ctx context.Context, segments []verified.Segment, e crypto.Encryptor, name string) (io.ReadCloser, error) {
	stored := verified.New(ctx, verified.Config{Volume: b.vol, Segments: segments, Chunk: manifest.ChunkSize})
	r := &stack{}
	r.push(stored)
	var envelope crypto.Envelope
	if of, id, _, ok := layout.Parse(segments[0].Object); ok && e.Name() != crypto.None.Name() {
		wraps, err := b.wraps(ctx, of, id) // of an earlier Rekey
		if err != nil {
			return nil, err
		}
		envelope.Wraps = wraps
	}
	key, err := e.Open(ctx, envelope)
	if err == nil {
		var plain io.ReadCloser
		if plain, err = key.Decrypt(ctx, stored); err == nil {
			r.push(plain)
			err = r.decompress(name)
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

var (
	firstSegment = regexp.MustCompile(`\.001$`)
	nextSegment  = regexp.MustCompile(`^\.[0-9]{3}$`)
)

// bareSegments finds the object and those that follow it.
func (b *Backup) bareSegments(ctx context.Context, object string) ([]verified.Segment, error) {
	first, err := b.vol.Stat(ctx, object)
	if err != nil {
		return nil, err
	}
	segments := []verified.Segment{{Object: object, Size: first.Size}}
	base := firstSegment.ReplaceAllString(object, "")
	listed, err := storage.ListAll(ctx, b.vol, base+".")
	if err != nil {
		return nil, err
	}
	for _, o := range listed {
		want := fmt.Sprintf("%s.%03d", base, len(segments)+1)
		switch ending := strings.TrimPrefix(o.Name, base); {
		case o.Name == object || !nextSegment.MatchString(ending):
		case o.Name != want:
			return nil, fmt.Errorf("segment %q is missing: there is %q", want, o.Name)
		default:
			segments = append(segments, verified.Segment{Object: o.Name, Size: o.Size})
		}
	}
	return segments, nil
}

// stack reads from the last of several readers that read from each other, and closes all.
type stack struct {
	readers []io.ReadCloser
}

func (s *stack) push(r io.ReadCloser) { s.readers = append(s.readers, r) }

func (s *stack) top() io.ReadCloser { return s.readers[len(s.readers)-1] }

func (s *stack) decompress(name string) error {
	c, ok := compress.ByExtension(path.Ext(name))
	if !ok {
		return nil
	}
	r, err := c.Decompress(s.top())
	if err == nil {
		s.push(r)
	}
	return err
}

func (s *stack) Read(p []byte) (int, error) { return s.top().Read(p) }

// Close closes the last first.
func (s *stack) Close() error {
	var errs []error
	for _, r := range slices.Backward(s.readers) {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}
