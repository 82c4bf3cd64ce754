package storagetest

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/databasement/backup/storage"
)

// ErrInjected is the error of a [Fault] that names none.
var ErrInjected = errors.New("injected fault")

// Kind is what a [Fault] does.
type Kind int

const (
	// Fail returns an error, and nothing is applied.
	Fail Kind = iota
	// LostAnswer applies the call and then returns an error. Of calls that
	// change nothing it is Fail.
	LostAnswer
	// LateApply returns an error, and applies the call when [Faulty.ApplyLate]
	// is called, like a request that was on its way all the time. Of calls
	// that change nothing it is Fail.
	LateApply
	// ShortBody ends what Open serves early, with a clean io.EOF, which
	// honest volumes never do. It strikes on Open and Read only.
	ShortBody
	// FlipBit flips one bit of what Open serves, somewhere after the first After bytes. It
	// strikes on Open and Read only.
	FlipBit
	// Delay waits, and does nothing else.
	Delay
)

// Fault says when something goes wrong, and what.
type Fault struct {
	// Op is the method that it strikes: "Put", "PutHead", "PutIfAbsent",
	// "Open", "Stat", "List" or "Delete"; or "Read", the reading of the body
	// that one call of Open returned. "" is any but "Read".
	Op string
	// Match selects by the object's name, or List's prefix; nil is all. It
	// must not use the Faulty.
	Match func(name string) bool
	// Nth is the matching call on which it strikes, from 1; 0 is every one.
	Nth int
	// After is what passes before it strikes: bytes read from Put's or PutHead's r, bytes
	// served by Open, objects yielded by List. With fewer it strikes at their end
	// (ShortBody and FlipBit: at the last byte), so that it never misses a small object.
	After int64
	// Kind is what happens.
	Kind Kind
	// Err is the error; nil is ErrInjected. It comes wrapped in a [storage.Error].
	Err error
	// Delay is how long it waits first, unless the ctx ends. It may go with any Kind.
	Delay time.Duration
}

func (ft *Fault) matches(op, name string) bool {
	if ft.Op != op && (ft.Op != "" || op == "Read") {
		return false
	}
	if (ft.Kind == ShortBody || ft.Kind == FlipBit) && op != "Open" && op != "Read" {
		return false
	}
	return ft.Match == nil || ft.Match(name)
}

// strike waits, and returns the error, if the Kind has one.
func (ft *Fault) strike(ctx context.Context, op, name string) error {
	if ft.Delay > 0 {
		timer := time.NewTimer(ft.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return faultError(op, name, context.Cause(ctx))
		}
	}
	switch {
	case ft.Kind > LateApply:
		return nil
	case ft.Err != nil:
		return faultError(op, name, ft.Err)
	}
	return faultError(op, name, ErrInjected)
}

func faultError(op, name string, err error) error {
	if strings.HasPrefix(op, "Put") {
		op = "Put"
	}
	return &storage.Error{Op: strings.ToLower(op), Volume: "faulty", Name: name, Err: err}
}

// trap is a reader that calls spring once: after the given bytes, or at r's end if that comes first.
type trap struct {
	r      io.Reader
	after  int64
	spring func() error
	sprung bool
	err    error // of spring: final
}

func (t *trap) Read(p []byte) (int, error) {
	if t.after <= 0 && !t.fire() {
		return 0, t.err
	}
	if !t.sprung {
		p = p[:min(t.after, int64(len(p)))]
	}
	if t.err != nil {
		return 0, t.err
	}
	n, err := t.r.Read(p)
	t.after -= int64(n)
	if err == io.EOF && !t.fire() {
		err = t.err
	}
	return n, err
}

// fire springs the trap, the first time, and reports whether reading goes on.
func (t *trap) fire() bool {
	if !t.sprung {
		t.sprung = true
		t.err = t.spring()
	}
	return t.err == nil
}

// flipper flips one bit of what it reads.
type flipper struct {
	r   io.Reader
	at  int64 // how many bytes before the one
	bit uint
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.at >= 0 && f.at < int64(n) {
		p[f.at] ^= 1 << f.bit
	}
	f.at -= int64(n)
	return n, err
}
