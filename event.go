package backup

import (
	"log/slog"
	"sync"
	"sync/atomic"
)

// EventKind says what an [Event] tells.
type EventKind int

const (
	EventBegin    EventKind = iota // an operation begins
	EventProgress                  // bytes have passed
	EventWarning                   // something did not go as it should, but the operation goes on
	EventEnd                       // the operation is over; Err says how
)

func (k EventKind) String() string {
	switch k {
	case EventBegin:
		return "begin"
	case EventProgress:
		return "progress"
	case EventWarning:
		return "warning"
	case EventEnd:
		return "end"
	}
	return "unknown"
}

// Event is what [Options].OnEvent is told.
type Event struct {
	Kind     EventKind
	Op       string // create, restore, verify, copy, …
	Snapshot string // name/id, or the name
	Plain    int64  // bytes of the plain stream so far
	Stored   int64  // bytes of the stored stream so far
	Total    int64  // what Plain will be, or Stored where only that is read; 0 if unknown
	Err      error  // of a warning, or of the end; nil at a good end
}

// operation reports one operation's events.
type operation struct {
	b        *Backup
	name     string
	snapshot string
	total    int64
	plain    atomic.Int64
	stored   atomic.Int64
	mu       sync.Mutex
}

func (b *Backup) begin(op, snapshot string) *operation {
	o := &operation{b: b, name: op, snapshot: snapshot}
	o.emit(EventBegin, nil)
	return o
}

// quiet is an operation inside another one, which reports only its warnings.
func (b *Backup) quiet(op, snapshot string) *operation {
	return &operation{b: b, name: op, snapshot: snapshot}
}

func (o *operation) emit(kind EventKind, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := Event{kind, o.name, o.snapshot, o.plain.Load(), o.stored.Load(), o.total, err}
	if o.b.opts.OnEvent != nil {
		o.b.opts.OnEvent(e)
	}
	if o.b.opts.Logger != nil && kind != EventProgress {
		e.log(o.b.opts.Logger)
	}
}

func (e Event) log(l *slog.Logger) {
	args := []any{"op", e.Op, "snapshot", e.Snapshot, "plain_bytes", e.Plain, "stored_bytes", e.Stored}
	if e.Err != nil {
		args = append(args, "err", e.Err)
	}
	switch {
	case e.Kind == EventEnd && e.Err != nil:
		l.Error("backup failed", args...)
	case e.Kind == EventWarning:
		l.Warn("backup warning", args...)
	default:
		l.Info("backup "+e.Kind.String(), args...)
	}
}

// identify says which snapshot it is about, once that is known.
func (o *operation) identify(snapshot string, total int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.snapshot, o.total = snapshot, total
}

func (o *operation) warn(err error) { o.emit(EventWarning, err) }

func (o *operation) onPlain(n int64) {
	o.plain.Store(n)
	o.emit(EventProgress, nil)
}

func (o *operation) onStored(n int64) { o.stored.Store(n) }

// end reports the end and returns its error, wrapped.
func (o *operation) end(err error) error {
	err = wrap(o.name, o.snapshot, err)
	o.emit(EventEnd, err)
	return err
}
