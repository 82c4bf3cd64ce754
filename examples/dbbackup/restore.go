package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/databasement/backup"
)

const restoreText = `restore a snapshot to standard output, or to a file
Every byte is verified before it is written. If the last ones are found damaged, though, standard
output has got the others already: the exit status tells. With -o the file appears only when all of it
is verified; with --verify-first nothing is written before the whole snapshot was.`

func restoreCommand(ctx context.Context, a *app, words []string) error {
	ref, err := refOf(words[0])
	if err != nil {
		return err
	}
	file := a.settings.output
	if err := checkOutput(file); err != nil {
		return err
	}
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	if a.settings.verifyFirst {
		snap, err := b.Verify(ctx, ref, nil)
		if err != nil {
			return err
		}
		ref = snap.Ref()     // latest may be another one by now
		debug.FreeOSMemory() // or its buffers would lie beside those of the restore
	}
	if file != "" && file != "-" {
		return b.RestoreFile(ctx, ref, file)
	}
	return a.pour(ctx, func(w io.Writer) error { return b.Restore(ctx, ref, w) })
}

// checkOutput finds early that a file cannot be made, and says it in better words.
func checkOutput(file string) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return usagef("-o %s is a directory: name a file", file)
	}
	if file == "" || file == "-" {
		return nil
	}
	dir := filepath.Dir(file)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("-o %s: there is no directory %s: make it first", file, dir)
	case err != nil:
		return fmt.Errorf("-o %s: %w", file, err)
	case !info.IsDir():
		return fmt.Errorf("-o %s: %s is not a directory", file, dir)
	}
	return nil
}

// pour has something written to standard output, and says of a failure what is there already.
//
// When it is interrupted while nobody takes the output, the write is abandoned: there is nothing to clean up,
// and the program ends.
func (a *app) pour(ctx context.Context, write func(w io.Writer) error) error {
	out := &counter{w: a.stdout}
	done := make(chan error, 1)
	go func() { done <- write(out) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(time.Second):
			err = context.Cause(ctx)
		}
	}
	if n := out.n.Load(); err != nil && n > 0 {
		err = fmt.Errorf("%w (standard output has got %d bytes: do not use them)", err, n)
	}
	return err
}

type counter struct {
	w io.Writer
	n atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	if err != nil {
		err = fmt.Errorf("standard output: %w", err)
	}
	return n, err
}

const verifyText = `read a snapshot and compare it with its digests
All of it is decrypted and decompressed. With --stored only what is stored is compared, which takes no
key and finds damage, but not tampering.`

func verifyCommand(ctx context.Context, a *app, words []string) error {
	b, ref, err := a.openFor(ctx, words[0], reading)
	if err != nil {
		return err
	}
	snap, err := b.Verify(ctx, ref, &backup.VerifyOptions{Stored: a.settings.stored})
	if err != nil {
		return err
	}
	if a.settings.stored {
		return a.println(fmt.Sprintf("ok %s: %d stored bytes", snap.Ref(), snap.StoredSize))
	}
	return a.println(fmt.Sprintf("ok %s: %d bytes, sha-256 %s", snap.Ref(), snap.Details.PlainSize, snap.Details.PlainSHA256))
}

const openText = `decrypt and decompress an object without its manifest, to standard output
For emergencies: a manifest that is lost or damaged, or an object that another tool made. The name says
what is undone, such as shop/….sql.zst.aes. Only what the formats themselves check is verified.`

func openCommand(ctx context.Context, a *app, words []string) error {
	if strings.HasPrefix(words[0], "/") || strings.Contains(words[0], "://") || filepath.IsAbs(words[0]) {
		return usagef("open %q: OBJECT is a name inside the volume, such as shop/….sql.zst.aes: --volume says where that is", words[0])
	}
	b, err := a.open(ctx, "", reading)
	if err != nil {
		return err
	}
	r, err := b.OpenObject(ctx, words[0])
	if err != nil {
		return err
	}
	return a.pour(ctx, func(w io.Writer) error {
		defer r.Close()
		if _, err := io.Copy(w, r); err != nil {
			return fmt.Errorf("open %q: %w", words[0], err)
		}
		return nil
	})
}

// refOf refuses what cannot be a snapshot's ID.
func refOf(s string) (string, error) {
	if _, _, err := backup.ParseRef(s); err != nil {
		return "", usagef("%v", err)
	}
	return s, nil
}
