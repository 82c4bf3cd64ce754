// Command embed-in-http-server is a web application that looks after its own backups: notes in a SQLite file, which is
// backed up on a schedule while it is written to, and download links for the snapshots.
//
//	go run -C examples/embed-in-http-server .                       in a temporary directory
//	go run -C examples/embed-in-http-server . -data DIR -cron '0 2 * * *'
//
//	curl -d 'buy milk' http://127.0.0.1:8080/notes
//	curl -X POST http://127.0.0.1:8080/backups                      a snapshot, now
//	curl http://127.0.0.1:8080/backups                              the snapshots, and the state of the schedule
//	curl -X POST http://127.0.0.1:8080/backups/ID/link              a link that anybody can use for 15 minutes
//
// Whoever reaches the port may do all this: a real application asks who it is first. Notes are in notes.go, which knows nothing
// of backups; all about these is in backups.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:], nil); err != nil {
		fmt.Fprintln(os.Stderr, "embed-in-http-server:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. ready, if not nil, is told the address.
func run(ctx context.Context, out io.Writer, args []string, ready func(address string)) error {
	flags := flag.NewFlagSet("embed-in-http-server", flag.ContinueOnError)
	address := flags.String("address", "127.0.0.1:8080", "to listen on")
	data := flags.String("data", "", "directory of notes, key and snapshots; default: a temporary one")
	cron := flags.String("cron", "0 2 * * *", "when to back up, in UTC")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *data == "" {
		dir, err := os.MkdirTemp("", "notes-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*data = dir
		fmt.Fprintf(out, "all is in %s, which goes when this program ends; -data names a directory that stays\n", dir)
	}
	n, err := openNotes(ctx, filepath.Join(*data, "notes.sqlite"))
	if err != nil {
		return err
	}
	defer n.db.Close()
	b, err := openBackups(*data, n.db, *cron)
	if err != nil {
		return err
	}
	defer b.close()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving http://%s\n", listener.Addr())
	if ready != nil {
		ready(listener.Addr().String())
	}
	return serve(ctx, listener, routes(n, b), b)
}

func routes(n *notes, b *backups) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", n.list)
	mux.HandleFunc("POST /notes", n.add)
	mux.HandleFunc("GET /backups", b.list)
	mux.HandleFunc("POST /backups", b.create)
	mux.HandleFunc("POST /backups/{id}/link", b.link)
	mux.HandleFunc("GET /download/{id}", b.download)
	return mux
}

// serve runs the server and the scheduler beside each other, and ends both: running requests and backups get some time.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, b *backups) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	scheduled := make(chan error, 1)
	go func() {
		scheduled <- b.scheduler.Run(ctx)
		cancel()
	}()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var err error
	select {
	case <-ctx.Done():
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		err = errors.Join(server.Shutdown(last), server.Close())
		<-served
	case err = <-served:
		cancel()
	}
	return errors.Join(err, <-scheduled)
}
