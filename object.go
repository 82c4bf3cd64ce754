package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/internal/verified"
	"github.com/databasement/backup/storage"
)

// OpenObject decrypts and decompresses a bare object by the extensions of its name (.aes, .age, .zst, .gz, .xz), without any
// manifest: what is left when a manifest is lost, or what a stock tool made. Further segments (.002, …) are read
// behind the first. Nothing but what the formats themselves check is verified: a stream cut
// between two frames of a compressor, for one, looks complete.
func (b *Backup) OpenObject(ctx context.Context, object string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &objectReader{closers: []func() error{func() error { cancel(); return nil }}}
	if err := b.openObject(ctx, r, object); err != nil {
		return nil, wrap("open", object, errors.Join(err, r.Close()))
	}
	return r, nil
}

func (b *Backup) openObject(ctx context.Context, r *objectReader, object string) error {
	segments, err := b.bareSegments(ctx, object)
	if err != nil {
		return err
	}
	stored := verified.New(ctx, verified.Config{Volume: b.vol, Segments: segments, Chunk: manifest.ChunkSize})
	r.push(stored, stored)
	rest := firstSegment.ReplaceAllString(object, "")
	for _, e := range b.encryptors {
		if base, ok := strings.CutSuffix(rest, e.Extension()); ok && e.Extension() != "" {
			return b.decryptBare(ctx, r, e, stored, base)
		}
	}
	if slices := []string{".aes", ".age", ".7z"}; hasSuffix(rest, slices) {
		return fmt.Errorf("%q is encrypted: set Options.Encryptor or ReadWith to what opens it", rest)
	}
	return r.decompress(rest)
}

func hasSuffix(s string, endings []string) bool {
	for _, e := range endings {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}

// decryptBare tries every Encryptor of e's kind that has the key. A key is known to fit only once something was read, which a
// keyring makes one Encryptor's affair.
func (b *Backup) decryptBare(ctx context.Context, r *objectReader, e crypto.Encryptor, stored crypto.Source, rest string) error {
	key, err := e.Open(ctx, crypto.Envelope{})
	if err != nil {
		return err
	}
	plain, err := key.Decrypt(ctx, stored)
	if err != nil {
		return err
	}
	r.push(plain, plain)
	return r.decompress(rest)
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

// objectReader reads the top of a stack of readers, and closes all.
type objectReader struct {
	io.Reader
	closers []func() error
}

func (r *objectReader) push(reader io.Reader, closer io.Closer) {
	r.Reader = reader
	r.closers = append(r.closers, closer.Close)
}

func (r *objectReader) decompress(name string) error {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return nil
	}
	c, ok := compress.ByExtension(name[dot:])
	if !ok {
		return nil
	}
	plain, err := c.Decompress(r.Reader)
	if err != nil {
		return err
	}
	r.push(plain, plain)
	return nil
}

// Close ends what was started, the last first.
func (r *objectReader) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i]())
	}
	r.closers = nil
	return errors.Join(errs...)
}
