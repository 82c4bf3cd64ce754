//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip"
	"github.com/databasement/backup/localfs"
)

// archives compares with stock 7-Zip: from a file to an archive in a file, and back.
func (in *input) archives() []comparison {
	deflate := sevenzip.Options{}
	all := []comparison{
		{title: "7z deflate", want: ">= 2.5, size within 5 %", runs: []contender{
			{"7zz a -mx=1 -mhe=on", in.stock7z(1)}, {"sevenzip.Writer, deflate 6", in.writer7z(deflate)}}},
		{title: "7z deflate, Create to a directory", want: ">= 2.5, size within 5 %", runs: []contender{
			{"7zz a -mx=1 -mhe=on", in.stock7z(1)}, {"Create, 7z deflate 6, localfs", in.create7z(deflate)}}},
		{title: "7z restore deflate", want: ">= 0.8", runs: []contender{
			{"7zz x", in.extract7z(deflate)}, {"Restore, 7z deflate 6, localfs", in.restore7z(deflate)}}},
		{title: "7z restore lzma2", want: "stated", runs: []contender{
			{"7zz x", in.extract7z(sevenzip.Options{Method: sevenzip.LZMA2, Level: 4})},
			{"Restore, 7z lzma2 4, localfs", in.restore7z(sevenzip.Options{Method: sevenzip.LZMA2, Level: 4})}}},
	}
	for level := 1; level <= 9; level++ {
		all = append(all, comparison{title: fmt.Sprintf("7z lzma2 %d", level), want: ">= 0.6 at the level of about its size", runs: []contender{
			{"7zz a -mx=3 -mhe=on", in.stock7z(3)}, {fmt.Sprintf("sevenzip.Writer, lzma2 %d", level), in.writer7z(sevenzip.Options{Method: sevenzip.LZMA2, Level: level})}}})
	}
	return all
}

const benchPassword = "secret"

func (in *input) archive() string { return filepath.Join(in.dir, "bench.7z") }

// sized adds the size of the archive that run makes, and removes it.
func (in *input) sized(run func() error) (int64, error) {
	defer os.Remove(in.archive())
	if err := run(); err != nil {
		return 0, err
	}
	info, err := os.Stat(in.archive())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (in *input) stock7z(level int) func() (int64, error) {
	run := in.shell(fmt.Sprintf("7zz a -bso0 -bsp0 -t7z -mx=%d -mhe=on -p%s $DIR/bench.7z $FILE", level, benchPassword))
	return func() (int64, error) {
		return in.sized(func() error { _, err := run(); return err })
	}
}

// write7z is what a program does that makes an archive of a file.
func (in *input) write7z(o sevenzip.Options, path string) error {
	p, err := sevenzip.NewPassword(benchPassword)
	if err != nil {
		return err
	}
	src, err := os.Open(in.file)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(path)
	if err != nil {
		return err
	}
	defer dst.Close()
	w, err := sevenzip.NewWriter(dst, sevenzip.FileHeader{Name: "bench.sql"}, p, &o)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, src)
	return errors.Join(err, w.Close(), dst.Close())
}

func (in *input) writer7z(o sevenzip.Options) func() (int64, error) {
	return func() (int64, error) { return in.sized(func() error { return in.write7z(o, in.archive()) }) }
}

// local7z is a Backup to a directory.
func (in *input) local7z(o sevenzip.Options) (*backup.Backup, *localfs.Volume, error) {
	vol, err := localfs.Open(filepath.Join(in.dir, "volume"), nil)
	if err != nil {
		return nil, nil, err
	}
	e, err := sevenzip.New(sevenzip.FromKey(crypto.NewKey()), &o)
	if err != nil {
		return nil, nil, err
	}
	b, err := backup.New(vol, &backup.Options{Encryptor: e})
	return b, vol, err
}

func (in *input) create7z(o sevenzip.Options) func() (int64, error) {
	return func() (int64, error) {
		b, vol, err := in.local7z(o)
		if err != nil {
			return 0, err
		}
		defer vol.Close()
		snap, err := in.createFrom(b)
		if err != nil {
			return 0, err
		}
		return snap.StoredSize, b.Delete(context.Background(), snap.Ref())
	}
}

func (in *input) createFrom(b *backup.Backup) (*backup.Snapshot, error) {
	src, err := os.Open(in.file)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return b.Create(context.Background(), "bench", src, nil)
}

// restore7z makes a snapshot once, when it is first called, and reads it each time.
func (in *input) restore7z(o sevenzip.Options) func() (int64, error) {
	var b *backup.Backup
	var snap *backup.Snapshot
	return func() (int64, error) {
		if snap == nil {
			var err error
			if b, _, err = in.local7z(o); err != nil {
				return 0, err
			}
			if snap, err = in.createFrom(b); err != nil {
				return 0, err
			}
			if err = b.Restore(context.Background(), snap.Ref(), io.Discard); err != nil { // the key is derived once
				return 0, err
			}
		}
		return snap.StoredSize, b.Restore(context.Background(), snap.Ref(), io.Discard)
	}
}

func (in *input) extract7z(o sevenzip.Options) func() (int64, error) {
	path := filepath.Join(in.dir, "extract-"+string(o.Method)+".7z")
	made := false
	run := in.shell("7zz x -so -p" + benchPassword + " " + path + " >/dev/null")
	return func() (int64, error) {
		if !made {
			if err := in.write7z(o, path); err != nil {
				return 0, err
			}
			made = true
		}
		return run()
	}
}
