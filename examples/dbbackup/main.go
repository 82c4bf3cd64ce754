// Command dbbackup backs up streams to a volume, and gets them back.
//
//	go install github.com/databasement/backup/examples/dbbackup@latest
//	export BACKUP_VOLUME=file:///srv/backup
//	export BACKUP_ENCRYPTION_KEY=…       # of dbbackup keygen: keep a copy elsewhere
//	dbbackup backup --name shop < shop.sql
//	dbbackup restore shop/latest > shop.sql
//
// "dbbackup help" shows all commands. The exit status is 0 if all went well, 1 if not, and 2 if the
// command cannot be understood. Only public packages of the module are used here, so it is an example
// too: each file has one subject.
//
// In a shell, "pg_dump shop | dbbackup backup --name shop" commits what came out of a pg_dump that
// failed: a pipe does not tell. Not even "set -o pipefail" prevents that, it only reports it. Let
// pg_dump write to a file first, delete the snapshot when pg_dump has failed, or use the library's
// CreateFunc, to which the producer's failure is known before anything is committed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	limitMemory()
	// A closed standard output is an error to report, not a reason to be killed.
	signal.Ignore(syscall.SIGPIPE)
	ctx := untilSignal(context.Background())
	os.Exit(run(ctx, os.Args[1:], interruptible(os.Stdin), os.Stdout, os.Stderr, os.Getenv))
}

// untilSignal is done at the first interrupt. The second one kills, as if nobody had listened.
func untilSignal(parent context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup wants to outlive the terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		s := <-signals
		signal.Stop(signals)
		cancel(fmt.Errorf("stopped by a signal (%s)", s))
	}()
	return ctx
}

// run executes one command, and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	a := newApp(stdin, stdout, stderr, env)
	err := a.execute(ctx, args)
	if closed := a.close(); err == nil {
		err = closed
	}
	if err == nil {
		return exitOK
	}
	a.report.print(explain(err))
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// usageError is a command that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// oneLine keeps an error on one line, whatever was joined, and harmless to a terminal.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
