package database

import (
	"bytes"
	"sync"
)

// excerptSize bounds each half of an excerpt, in bytes.
const excerptSize = 4 << 10

// excerpt keeps the first and the last lines of what is written to it: the first may be the cause, the last the
// consequence. Lines are whole, so that a secret is either there to be struck out, or not there at all.
type excerpt struct {
	mu         sync.Mutex
	head, tail []byte
	cut        bool // the tail has lost its beginning
}

func (e *excerpt) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(b)
	if room := excerptSize - len(e.head); room > 0 {
		take := min(room, len(b))
		e.head, b = append(e.head, b[:take]...), b[take:]
	}
	if e.tail = append(e.tail, b[max(0, len(b)-excerptSize):]...); len(b) > excerptSize || len(e.tail) > excerptSize {
		e.tail = append(e.tail[:0], e.tail[max(0, len(e.tail)-excerptSize):]...)
		e.cut = true
	}
	return n, nil
}

// String is all of it, or its first and last whole lines.
func (e *excerpt) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.cut {
		return string(e.head) + string(e.tail)
	}
	head := e.head[:bytes.LastIndexByte(e.head, '\n')+1]
	tail := e.tail[bytes.IndexByte(e.tail, '\n')+1:]
	if len(tail) == len(e.tail) { // it has no whole line
		tail = nil
	}
	return string(head) + "[…]\n" + string(tail)
}
