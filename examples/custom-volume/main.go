// Command custom-volume keeps backups in a volume of its own making: an HTTP server with a directory, such as one
// would run on another machine. It starts the server, makes a backup, lists and restores it, and shows two failures.
//
//	go run ./examples/custom-volume
//
// # What to copy
//
// volume.go is the volume, five methods on net/http; request.go says what the server's answers mean; body.go is what
// goes there and what comes back. For a store of yours, keep their shape and the test that runs storagetest.Run, and
// replace what speaks to the server. server.go is the other end, on package localfs.
//
// # What is hard about a volume
//
//   - All or nothing: a Put stores the whole object or none of it, and until then an older one stays. What ends a stream
//     early (a broken source, a cancelled ctx, a lost connection) looks like its end to some server; here the object's
//     digest follows it, and without that the server stores nothing.
//   - Durable: Put returns nil when the object is on the disk. The server answers after localfs has flushed it.
//   - An error of Put is storage.ErrNotApplied only if it is certain that nothing was and will be stored. A lost answer
//     is not; a backup then looks before it decides.
//   - Absent and refused are not the same, and a 404 of some proxy is neither. Retention deletes on the strength of that.
//   - A body that ends early is io.ErrUnexpectedEOF, never io.EOF, and a list that breaks off ends with an error.
//   - Ranges are clipped to the object, and may be empty, which HTTP's are not.
//   - A listing is in byte order of the whole name: "a-b" before "a/b".
//   - A reader is the caller's: Put does not close it, nor read it after its return. No goroutine stays.
//   - No secret in an error: those of net/http name the URL, and some error pages show the request.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/storage"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "custom-volume:", err)
		os.Exit(1)
	}
}

// run starts the server on a free port of this machine, for the time of the tour.
func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "custom-volume-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	token := rand.Text()
	handler, err := NewServer(dir, token)
	if err != nil {
		return err
	}
	defer handler.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := newHTTPServer(handler)
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(listener) }) // ends with Close
	defer wg.Wait()
	defer server.Close()
	return tour(ctx, out, "http://"+listener.Addr().String(), token)
}

// tour makes a backup in the volume at url and gets it back.
func tour(ctx context.Context, out io.Writer, url, token string) error {
	vol, err := OpenHTTP(url, token)
	if err != nil {
		return err
	}
	defer vol.Close()
	fmt.Fprintf(out, "volume    %v\n", vol)

	// A real program keeps key.Encode() somewhere safe.
	encryption := &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(crypto.NewKey()))}
	b, err := backup.New(vol, encryption)
	if err != nil {
		return err
	}
	dump := strings.Repeat("INSERT INTO orders VALUES (1, 'Zoë', 'paid');\n", 100_000)
	created, err := b.Create(ctx, "shop", strings.NewReader(dump), &backup.CreateOptions{Ext: ".sql"})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "created   %s\n", created.Ref())

	// A dump that fails half way leaves no snapshot.
	_, err = b.CreateFunc(ctx, "shop", nil, func(_ context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, dump[:len(dump)/2]); err != nil {
			return err
		}
		return errors.New("the database went away")
	})
	if err == nil {
		return errors.New("a dump that failed was stored")
	}
	fmt.Fprintf(out, "failed    %v\n", err)

	snapshots, err := b.List(ctx, "shop")
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		fmt.Fprintf(out, "listed    %s, %d bytes\n", s.Ref(), s.StoredSize)
	}

	var restored bytes.Buffer
	if err := b.Restore(ctx, "shop/latest", &restored); err != nil {
		return err
	}
	if restored.String() != dump {
		return errors.New("what was restored differs")
	}
	fmt.Fprintf(out, "restored  %d bytes: identical\n", restored.Len())
	return refused(ctx, out, url, encryption)
}

// refused shows that who lacks the token is told so, and not that there are no backups.
func refused(ctx context.Context, out io.Writer, url string, encryption *backup.Options) error {
	vol, err := OpenHTTP(url, "a guess")
	if err != nil {
		return err
	}
	defer vol.Close()
	b, err := backup.New(vol, encryption)
	if err != nil {
		return err
	}
	if _, err = b.List(ctx, "shop"); !errors.Is(err, storage.ErrPermission) {
		return fmt.Errorf("with a wrong token: %v, not a refusal", err)
	}
	fmt.Fprintf(out, "refused   %v\n", err)
	return nil
}
