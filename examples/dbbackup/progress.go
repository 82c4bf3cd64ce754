package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/databasement/backup"
	"golang.org/x/term"
)

// redrawEvery is how often the progress line changes.
const redrawEvery = 200 * time.Millisecond

// report writes to standard error: errors, warnings, and on a terminal how far an operation is.
type report struct {
	mu    sync.Mutex
	w     io.Writer
	width func() int // columns of the terminal; nil if it is none
	op    string     // the outermost operation, empty if there is none: a copy has a create in it
	begun time.Time  // op
	drawn time.Time  // the progress line, last
	shown bool       // there is one
}

func newReport(w io.Writer) *report {
	r := &report{w: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		r.width = func() int {
			columns, _, err := term.GetSize(int(f.Fd()))
			if err != nil || columns <= 0 {
				return 80
			}
			return columns
		}
	}
	return r
}

func (r *report) print(text string) { r.line("dbbackup: " + text) }

func (r *report) note(text string) { r.line(text) }

func (r *report) warn(err error) { r.print("warning: " + explain(err)) }

func (r *report) line(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	fmt.Fprintln(r.w, text)
}

// event is for Options.OnEvent. The end's error is not shown here: the command returns it.
func (r *report) event(e backup.Event) {
	if e.Kind == backup.EventWarning {
		r.warn(e.Err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case e.Kind == backup.EventBegin && r.op == "":
		r.op, r.begun = e.Op, time.Now()
	case e.Op != r.op:
	case e.Kind == backup.EventProgress:
		r.progress(e)
	case e.Kind == backup.EventEnd:
		r.op = ""
		r.clear()
	}
}

// progress redraws the line, now and then.
func (r *report) progress(e backup.Event) {
	if r.width == nil || time.Since(r.drawn) < redrawEvery {
		return
	}
	r.drawn = time.Now()
	r.clear()
	text := []rune(progressText(e, time.Since(r.begun)))
	fmt.Fprint(r.w, string(text[:min(len(text), r.width()-1)]))
	r.shown = true
}

// clear takes the progress line away.
func (r *report) clear() {
	if r.shown {
		fmt.Fprint(r.w, "\r\x1b[K")
		r.shown = false
	}
}

// progressText says how far it is: bytes, rate, and where the total is known, a bar and the time left, else what
// share of the bytes is stored.
func progressText(e backup.Event, taken time.Duration) string {
	done := e.Plain
	if done == 0 { // only what is stored is read
		done = e.Stored
	}
	rate := float64(done) / max(taken.Seconds(), 0.001)
	text := fmt.Sprintf("%s %s  %s/s", e.Op, size(done), size(int64(rate)))
	switch {
	case done <= 0:
		return text
	case e.Total <= 0:
		return text + fmt.Sprintf("  stored %.0f %%", 100*float64(e.Stored)/float64(done))
	}
	part := min(float64(done)/float64(e.Total), 1)
	left := time.Duration(float64(e.Total-done) / rate * float64(time.Second))
	const cells = 20
	full := int(part * cells)
	bar := strings.Repeat("#", full) + strings.Repeat(".", cells-full)
	return fmt.Sprintf("[%s] %3.0f %%  %s  %s left", bar, 100*part, text, max(left, 0).Round(time.Second))
}
