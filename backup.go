// Package backup streams database dumps, or any stream, through compression and
// encryption into a volume, and lists, verifies, copies, prunes and restores what
// it stored.
//
// A [Backup] is a [storage.Volume] with a [compress.Compressor] and a
// [crypto.Encryptor]. What it commits is a [Snapshot]: addressed as "name/id", or
// "name/latest". One pass, fixed memory, no temporary file, and no ceiling on the length.
// A snapshot exists if and only if its manifest does, and that is written last, so what
// lists is restorable, and what failed does not list.
//
// This package is the vocabulary and the shared behaviour. Volumes are in packages
// of their own (localfs); the formats are specified in docs/FORMAT.md.
package backup

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
	"github.com/databasement/backup/storage"
)

// MaxSegmentSize is the largest object that a snapshot's stored stream is cut into, in bytes: 9,000 chunks of 8
// MiB. It bounds the manifest, and the memory for digests, at any length of the stream, and is what S3 takes in
// 9,000 parts of 8 MiB.
const MaxSegmentSize = manifest.MaxChunks * manifest.ChunkSize

// Options configure a [Backup]. The zero value of each field but Encryptor is its default.
type Options struct {
	// Compressor is for new snapshots; nil is compress.Zstd(nil). Existing ones are read
	// whatever their compressor.
	Compressor compress.Compressor

	// Encryptor is for new snapshots, and reads those that its keys open. It is required:
	// crypto.None stores in the clear, on purpose.
	Encryptor crypto.Encryptor

	// ReadWith are further Encryptors for reading older snapshots.
	ReadWith []crypto.Encryptor

	// AllowUnsealed lets a Backup that encrypts read snapshots that are not encrypted. They
	// could have been put there by anybody who can write to the volume.
	AllowUnsealed bool

	// SegmentSize cuts the stored stream into numbered objects (.001, .002, …) of this many
	// bytes, at most MaxSegmentSize. 0: one object, that rolls over (to .002, …) at the
	// volume's limit or MaxSegmentSize.
	SegmentSize int64

	// SpoolDir is a directory for a temporary copy of the first segment. It is needed only where an archive format's first
	// bytes are known last (7z) and the volume is not a storage.HeadPutter. "": such a combination is refused.
	SpoolDir string

	// OnEvent is told of beginnings, progress, warnings and ends. It is called by one
	// goroutine at a time within an operation, and should return soon.
	OnEvent func(Event)

	// Logger gets every event but progress; nil: none.
	Logger *slog.Logger
}

// Backup makes and reads snapshots in one volume. It is safe for concurrent use, and so is one volume
// by several processes.
type Backup struct {
	vol        storage.Volume
	opts       Options
	encryptors []crypto.Encryptor // the first one writes
	chunkSize  int64
	now        func() time.Time

	canaryTurn chan struct{} // of one at a time, as a key service may take long; then, whether it passed:
	canaryOK   bool

	mu     sync.Mutex
	lastID time.Time
}

// New makes a Backup. It does no I/O.
func New(vol storage.Volume, opts *Options) (*Backup, error) {
	if vol == nil {
		return nil, errors.New("backup: the volume is nil")
	}
	if opts == nil || opts.Encryptor == nil {
		return nil, errors.New("backup: Options.Encryptor is not set: name one, or crypto.None to store in the clear on purpose")
	}
	b := &Backup{vol: vol, opts: *opts, chunkSize: manifest.ChunkSize, now: time.Now, canaryTurn: make(chan struct{}, 1)}
	b.encryptors = append([]crypto.Encryptor{opts.Encryptor}, opts.ReadWith...)
	if err := b.setCompressor(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if opts.SegmentSize < 0 || opts.SegmentSize > MaxSegmentSize {
		return nil, fmt.Errorf("backup: Options.SegmentSize is %d, it must be between 0 and %d bytes", opts.SegmentSize, int64(MaxSegmentSize))
	}
	if late, ok := opts.Encryptor.(crypto.LateHeader); ok && opts.SegmentSize > 0 && opts.SegmentSize < int64(late.HeadSize()) {
		return nil, fmt.Errorf("backup: Options.SegmentSize is %d, with encryption %s it must be at least %d bytes", opts.SegmentSize, late.Name(), late.HeadSize())
	}
	for _, e := range b.encryptors {
		if e == nil {
			return nil, errors.New("backup: an Encryptor in Options.ReadWith is nil")
		}
	}
	c, e := b.opts.Compressor, b.opts.Encryptor
	for _, stage := range []manifest.Stage{{Name: c.Name(), Ext: c.Extension()}, {Name: e.Name(), Ext: e.Extension(), KeyIDs: e.KeyIDs()}} {
		if err := stage.Check("Options, stage"); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
	}
	return b, nil
}

func (b *Backup) setCompressor() error {
	if e, ok := b.opts.Encryptor.(crypto.Compressing); ok {
		if c := b.opts.Compressor; c != nil && c.Name() != compress.None.Name() {
			return fmt.Errorf("encryption %s compresses by itself: leave Options.Compressor unset instead of %s", e.Name(), c.Name())
		}
		b.opts.Compressor = compress.None
	}
	if b.opts.Compressor == nil {
		b.opts.Compressor = compress.Zstd(nil)
	}
	return compress.Validate(b.opts.Compressor)
}

// Volume is what the Backup was made with.
func (b *Backup) Volume() storage.Volume { return b.vol }

// CheckName reports why name cannot be a snapshot's name. A name is 1 to 200 bytes: components of a-z, 0-9, '.',
// '_' and '-' that begin with a letter or digit, joined by '/'. No component may be an id, "latest", or a name
// that Windows disks refuse.
func CheckName(name string) error { return layout.CheckName(name) }

// CleanName makes a valid name of any string: a valid one stays as it is, every other gets a suffix of eight hex digits that
// depends on all of the string, so that different strings hardly ever share a name. Keep the string in CreateOptions.OriginalName.
func CleanName(s string) string { return layout.CleanName(s) }
