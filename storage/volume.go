// Package storage defines where snapshots live: the Volume interface, its
// capabilities and errors, and helpers that work over any Volume.
//
// What belongs here is the contract and what can be built on the contract
// alone. Concrete volumes live in packages of their own (localfs); the
// suite that every volume must pass is storage/storagetest.
package storage

import (
	"context"
	"io"
	"iter"
	"time"
)

// Object describes one stored object.
type Object struct {
	// Name is the whole name, as given to Put.
	Name string
	// Size is the length in bytes.
	Size int64
	// ModTime is when the object was stored, by the volume's clock.
	ModTime time.Time
	// ETag identifies the stored bytes where the volume has such a thing, and
	// is empty where it does not. It is opaque: compare it, never parse it.
	ETag string
}

// Volume is a flat store of named byte strings.
//
// Names are valid by [CheckName]; every method refuses others with
// [ErrInvalidName]. Two names of which one is a directory of the other ("a" and
// "a/b") may exclude each other. All methods may be called concurrently, on
// the same name too. Errors are [*Error] around the sentinels of this package;
// they contain no secrets, and are wrapped once. A method whose ctx is done returns promptly (Put as soon as
// r.Read does) with an error that satisfies errors.Is(err, context.Cause(ctx)) or ctx.Err(), and no goroutine
// that it started outlives it.
//
// An implementation passes storagetest.Run.
type Volume interface {
	// Put stores all that r yields up to io.EOF under name, replacing an older
	// object of that name. It is all or nothing, and durable once it returns
	// nil: others see the object whole or not at all, and until then see an
	// older object of that name intact. Any error of r but io.EOF
	// (io.ErrUnexpectedEOF included) and a ctx done before the end store
	// nothing; the error of r is wrapped. Put reads r from one goroutine at a
	// time, never after it has returned, and never closes it.
	//
	// An error that satisfies [ErrNotApplied] says that nothing was stored and
	// that nothing will appear later. Any other error leaves that open.
	Put(ctx context.Context, name string, r io.Reader) (Object, error)

	// Open returns n bytes of the object from offset off, or all from off to
	// its end if n is negative. Bytes past the end are not an error: the range
	// is clipped. n == 0, and off == the object's size, give an empty reader.
	// off < 0 or past the end is [ErrInvalidRange], a missing object
	// [ErrNotExist]. A body that ends before the promised length yields
	// io.ErrUnexpectedEOF, never io.EOF. The caller closes the reader; ctx
	// governs reading too.
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)

	// Stat describes the object; a missing one is [ErrNotExist].
	Stat(ctx context.Context, name string) (Object, error)

	// List yields the objects whose names start with prefix (any string, not
	// only whole components) in ascending byte order of the whole name. An
	// error is the last pair. Code that deletes on the strength of a listing
	// uses [ListAll].
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// Delete removes the object, durably. A missing object is not an error.
	Delete(ctx context.Context, name string) error
}

// What a volume can do beyond [Volume] is one of the interfaces below, found
// with [As].

// ExclusivePutter stores an object only where there is none.
type ExclusivePutter interface {
	// PutIfAbsent stores data (at most [MaxExclusive] bytes) under name, or returns
	// [ErrExist] if there is an object of that name. Of any number of
	// concurrent callers, in any number of processes, exactly one succeeds.
	// Otherwise it is as Put. A volume that finds out only then that what it is built on cannot do that
	// returns errors.ErrUnsupported.
	PutIfAbsent(ctx context.Context, name string, data []byte) (Object, error)
}

// MaxExclusive is the largest object that [ExclusivePutter] takes, in bytes.
const MaxExclusive = 1 << 20

// HeadPutter stores an object whose first bytes are known last.
type HeadPutter interface {
	// PutHead is Put for an r whose first size bytes are placeholders. After
	// r's io.EOF and before the object becomes visible it calls head, once,
	// and stores the returned bytes, exactly size of them, in their place. An
	// error of head, or a result of another length, stores nothing. An r
	// shorter than size is an error. size is between 1 and [MaxHead].
	PutHead(ctx context.Context, name string, r io.Reader, size int, head func() ([]byte, error)) (Object, error)
}

// MaxHead is the largest late head, in bytes.
const MaxHead = 4096

// Presigner makes links that work without credentials.
type Presigner interface {
	// Presign returns a URL from which the object can be fetched with a plain
	// GET, and when it stops working: after expires, or earlier when the
	// credentials that signed it end before.
	Presign(ctx context.Context, name string, expires time.Duration) (url string, until time.Time, err error)
}

// SizeLimiter is a volume with a largest object.
type SizeLimiter interface {
	// MaxObjectSize is the largest object in bytes that Put takes, > 0.
	MaxObjectSize() int64
}

// Sweeper is a volume that can leave something behind when a process dies.
type Sweeper interface {
	// SweepUnfinished removes the volume's own temporary files or unfinished uploads
	// that were last written before the given time, and returns how many it
	// removed. It touches no object and nothing that it did not make itself.
	SweepUnfinished(ctx context.Context, before time.Time) (removed int, err error)
}

// Checker is a volume that can try more of itself than its methods as a [Volume] show.
type Checker interface {
	// Check tries what only this kind of volume has, with objects of its own that it removes
	// again, and reports each thing apart. What a backup can do without is a Note, not an Err.
	Check(ctx context.Context) []CheckItem
}

// CheckItem is one thing that was tried.
type CheckItem struct {
	Name string // such as "put"
	Note string // what was found, for people
	Err  error  // nil if it works
}

// Unwrapper is a volume built over another one without changing names or
// bytes (logging, metrics, faults). [As] looks through it.
type Unwrapper interface {
	Unwrap() Volume
}
