//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// input is the dump, in memory and as a file, and a directory to write to.
type input struct {
	dump []byte
	file string
	dir  string
}

func comparisons(in *input) []comparison {
	aes := crypto.AES256(crypto.NewKeyring(crypto.NewKey()))
	level6 := compress.XZ(&compress.XZOptions{Level: 6})
	return append([]comparison{
		{title: "create zstd", want: ">= 1.25, size within 2 %", runs: []contender{
			{"one klauspost stream encoder", in.streamEncoder}, {"Create, zstd", in.create(compress.Zstd(nil), crypto.None)}}},
		{title: "create zstd + aes256", want: ">= 1.2", runs: []contender{
			{"one klauspost stream encoder", in.streamEncoder}, {"Create, zstd + aes256", in.create(compress.Zstd(nil), aes)}}},
		{title: "cpu", want: "<= +5 %", cpu: true, runs: []contender{
			{"compress.Zstd alone", in.compressor(compress.Zstd(nil))}, {"SHA-256 of the plain stream", in.hash(len(in.dump))},
			{"SHA-256 of the stored stream", in.hash(int(in.storedSize()))}, {"Create, zstd", in.create(compress.Zstd(nil), crypto.None)}}},
		{title: "create gzip 6", want: ">= 4", runs: []contender{
			{"gzip -6", in.shell("gzip -6 -c <$FILE >/dev/null")}, {"Create, gzip 6", in.create(compress.Gzip(&compress.GzipOptions{Level: 6}), crypto.None)}}},
		{title: "create none + aes256 to a directory", want: ">= 0.7", runs: []contender{
			{"cp --reflink=never; sync", in.shell("cp --reflink=never $FILE $DIR/copy && sync $DIR/copy && rm $DIR/copy")}, {"Create, none + aes256, localfs", in.createLocal(aes)}}},
		{title: "restore zstd + aes256", want: ">= 0.8", runs: []contender{
			{"one klauspost stream decoder", in.streamDecoder()}, {"Restore, zstd + aes256", in.restore(aes)}}},
		{title: "dbbackup to a directory", want: ">= 0.9", runs: []contender{
			{"zstd -3 -T0 | age > file; sync file", in.shellAge()}, {"dbbackup backup, zstd + aes256", in.dbbackup()}}},
		{title: "create xz 6", want: ">= 1.8", runs: []contender{
			{"one ulikunitz/xz writer, 8 MiB dictionary", in.xzWriter}, {"Create, xz 6", in.create(level6, crypto.None)}}},
	}, in.archives()...)
}

// discard is a volume that forgets data, but remembers how much there was.
type discard struct {
	*storage.MemoryVolume
	sizes map[string]int64
}

func (d discard) Put(ctx context.Context, name string, r io.Reader) (storage.Object, error) {
	if strings.HasSuffix(name, ".manifest.json") {
		return d.MemoryVolume.Put(ctx, name, r)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<20))
	if err != nil {
		return storage.Object{}, err
	}
	d.sizes[name] = n
	object, err := d.MemoryVolume.Put(ctx, name, strings.NewReader(""))
	object.Size = n
	return object, err
}

func (d discard) Stat(ctx context.Context, name string) (storage.Object, error) {
	object, err := d.MemoryVolume.Stat(ctx, name)
	if n, ok := d.sizes[name]; ok {
		object.Size = n
	}
	return object, err
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

func (in *input) streamEncoder() (int64, error) {
	var c counter
	w, err := zstd.NewWriter(&c)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(w, bytes.NewReader(in.dump))
	return c.n, errors.Join(err, w.Close())
}

func (in *input) xzWriter() (int64, error) {
	var c counter
	w, err := xz.WriterConfig{DictCap: 8 << 20}.NewWriter(&c)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(w, bytes.NewReader(in.dump))
	return c.n, errors.Join(err, w.Close())
}

func (in *input) compressor(comp compress.Compressor) func() (int64, error) {
	return func() (int64, error) {
		var c counter
		w, err := comp.Compress(&c)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(w, bytes.NewReader(in.dump))
		return c.n, errors.Join(err, w.Close())
	}
}

func (in *input) storedSize() int64 {
	n, _ := in.compressor(compress.Zstd(nil))()
	return n
}

func (in *input) hash(n int) func() (int64, error) {
	return func() (int64, error) {
		sha256.Sum256(in.dump[:n])
		return 0, nil
	}
}

func (in *input) backup(vol storage.Volume, c compress.Compressor, e crypto.Encryptor) func() (int64, error) {
	return func() (int64, error) {
		b, err := backup.New(vol, &backup.Options{Compressor: c, Encryptor: e})
		if err != nil {
			return 0, err
		}
		s, err := b.Create(context.Background(), "bench", bytes.NewReader(in.dump), nil)
		if err != nil {
			return 0, err
		}
		return s.StoredSize, b.Delete(context.Background(), s.Ref())
	}
}

func (in *input) create(c compress.Compressor, e crypto.Encryptor) func() (int64, error) {
	return in.backup(discard{storage.Memory(), map[string]int64{}}, c, e)
}

func (in *input) createLocal(e crypto.Encryptor) func() (int64, error) {
	return func() (int64, error) {
		vol, err := localfs.Open(filepath.Join(in.dir, "volume"), nil)
		if err != nil {
			return 0, err
		}
		defer vol.Close()
		return in.backup(vol, compress.None, e)()
	}
}

func (in *input) streamDecoder() func() (int64, error) {
	var stored bytes.Buffer
	w, err := zstd.NewWriter(&stored)
	if err == nil {
		_, err = w.Write(in.dump)
	}
	err = errors.Join(err, w.Close())
	return func() (int64, error) {
		if err != nil {
			return 0, err
		}
		r, err := zstd.NewReader(bytes.NewReader(stored.Bytes()))
		if err != nil {
			return 0, err
		}
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		if n != int64(len(in.dump)) {
			err = errors.Join(err, fmt.Errorf("decoded %d bytes", n))
		}
		return int64(stored.Len()), err
	}
}

func (in *input) restore(e crypto.Encryptor) func() (int64, error) {
	b, err := backup.New(storage.Memory(), &backup.Options{Encryptor: e})
	var s *backup.Snapshot
	if err == nil {
		s, err = b.Create(context.Background(), "bench", bytes.NewReader(in.dump), nil)
	}
	return func() (int64, error) {
		if err != nil {
			return 0, err
		}
		return s.StoredSize, b.Restore(context.Background(), s.Ref(), io.Discard)
	}
}

// shell runs a command with FILE and DIR set. It is told apart from us by what it costs to start, a few ms.
func (in *input) shell(command string, env ...string) func() (int64, error) {
	return func() (int64, error) {
		cmd := exec.Command("bash", "-c", "set -o pipefail; "+command)
		cmd.Env = append(os.Environ(), append(env, "FILE="+in.file, "DIR="+in.dir)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", command, err, out)
		}
		return 0, err
	}
}

func (in *input) shellAge() func() (int64, error) {
	key := in.shell("test -s $DIR/key || age-keygen -o $DIR/key 2>/dev/null")
	run := in.shell("zstd -q -3 -T0 -c <$FILE | age -r $(age-keygen -y $DIR/key) >$DIR/out.age; sync $DIR/out.age; rm $DIR/out.age")
	return func() (int64, error) {
		if _, err := key(); err != nil {
			return 0, err
		}
		return run()
	}
}

func (in *input) dbbackup() func() (int64, error) {
	build := in.shell("test -x $DIR/dbbackup || go build -o $DIR/dbbackup ./examples/dbbackup")
	run := in.shell("$DIR/dbbackup backup --name bench <$FILE >/dev/null && rm -r $DIR/volume",
		"BACKUP_VOLUME=file://"+in.dir+"/volume", "BACKUP_ENCRYPTION=aes256", "BACKUP_ENCRYPTION_KEY="+crypto.NewKey().Encode())
	return func() (int64, error) {
		if _, err := build(); err != nil {
			return 0, err
		}
		return run()
	}
}
