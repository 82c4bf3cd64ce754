package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup"
)

func TestProgressText(t *testing.T) {
	for _, tt := range []struct {
		event backup.Event
		taken time.Duration
		want  string
	}{
		{backup.Event{Op: "create"}, 0, "create 0 B  0 B/s"},
		{backup.Event{Op: "create", Plain: 100 << 20, Stored: 25 << 20}, 10 * time.Second, "create 100.0 MiB  10.0 MiB/s  stored 25 %"},
		{backup.Event{Op: "restore", Plain: 50 << 20, Stored: 50 << 20, Total: 100 << 20}, 5 * time.Second,
			"[##########..........]  50 %  restore 50.0 MiB  10.0 MiB/s  5s left"},
		{backup.Event{Op: "verify", Stored: 1 << 20, Total: 1 << 20}, time.Second, "[####################] 100 %  verify 1.0 MiB  1.0 MiB/s  0s left"},
		{backup.Event{Op: "verify", Plain: 2 << 20, Total: 1 << 20}, time.Second, "[####################] 100 %  verify 2.0 MiB  2.0 MiB/s  0s left"},
	} {
		if got := progressText(tt.event, tt.taken); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.event, got, tt.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newReport(&out)
		if r.width != nil {
			t.Fatal("a buffer is no terminal")
		}
		r.width = func() int { return 30 }
		send := func(kind backup.EventKind, op string, plain int64, err error) {
			r.event(backup.Event{Kind: kind, Op: op, Plain: plain, Err: err})
		}
		time.Sleep(time.Hour)
		send(backup.EventBegin, "copy", 0, nil)
		send(backup.EventBegin, "create", 0, nil)
		time.Sleep(time.Second)
		send(backup.EventProgress, "create", 1, nil) // is inside the copy
		send(backup.EventProgress, "copy", 1<<20, nil)
		send(backup.EventProgress, "copy", 2<<20, nil) // too soon
		send(backup.EventWarning, "copy", 0, errors.New("slow"))
		send(backup.EventEnd, "create", 0, nil)
		time.Sleep(time.Second)
		send(backup.EventProgress, "copy", 4<<20, nil)
		send(backup.EventEnd, "copy", 0, nil)
		const clear = "\r\x1b[K"
		want := "copy 1.0 MiB  1.0 MiB/s  stor" + clear + "dbbackup: warning: slow\ncopy 4.0 MiB  2.0 MiB/s  stor" + clear
		if out.String() != want {
			t.Errorf("%q, want %q", &out, want)
		}
		for line := range strings.SplitSeq(out.String(), clear) {
			if len(line) >= 60 {
				t.Errorf("wider than the terminal: %q", line)
			}
		}
	})
}

func TestNoProgressInAPipe(t *testing.T) {
	s := newShell(t)
	s.ok(strings.Repeat("x", 20<<20), "backup", "--name=shop") // fails if anything is on standard error
}
