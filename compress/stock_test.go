package compress_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/databasement/backup/compress"
)

// tool runs a stock tool on input.
func tool(t *testing.T, input []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run `make tools` (Debian packages gzip, zstd and xz-utils)", err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(input)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, &msg)
	}
	return out.Bytes()
}

func TestStockToolsRead(t *testing.T) {
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, plain := range [][]byte{nil, []byte("x"), several(c)} {
				stored := pack(t, c, plain)
				tool(t, stored, c.Name(), "-t")
				if got := tool(t, stored, c.Name(), "-dc"); !bytes.Equal(got, plain) {
					t.Errorf("%d bytes came out of %s as %d", len(plain), c.Name(), len(got))
				}
			}
		})
	}
}

func TestStockToolsWrite(t *testing.T) {
	for _, line := range []string{
		"gzip -1", "gzip -9",
		"zstd -1", "zstd --fast=5", "zstd -19", "zstd -B1MiB -T2", "zstd --ultra -22 --long=27", "zstd --no-check", "zstd --rsyncable -T2",
		"xz -0", "xz -6", "xz -9", "xz -T2 --block-size=300KiB", "xz --check=crc32", "xz --check=sha256", "xz --check=none", "xz -e -1",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			args := strings.Fields(line)
			c, err := compress.ByName(args[0], compress.DefaultLevel)
			if err != nil {
				t.Fatal(err)
			}
			for _, plain := range [][]byte{nil, []byte("x"), text(700_000)} {
				stored := tool(t, plain, args[0], append(args[1:], "-c")...)
				if got, err := unpack(t, c, bytes.NewReader(stored)); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
				}
			}
		})
	}
}

// TestGolden reads the files under testdata; README.md there says how they were made.
func TestGolden(t *testing.T) {
	plain, err := os.ReadFile("testdata/plain.sql")
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"long28.zst": "the limit is 128 MiB",
		"dict256.xz": "the limit, 128 MiB",
		"x86.xz":     "filter other than LZMA2",
	}
	files, err := filepath.Glob("testdata/*.*z*")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		c, ok := compress.ByExtension(filepath.Ext(name))
		if !ok {
			t.Fatalf("no compressor for %s", name)
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := plain
		if strings.HasPrefix(name, "empty") || refused[name] != "" {
			want = nil
		}
		got, err := unpack(t, c, bytes.NewReader(stored))
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
		}
		if msg := refused[name]; msg == "" && err != nil || msg != "" && (err == nil || !strings.Contains(err.Error(), msg)) {
			t.Errorf("%s: %v, want %q", name, err, msg)
		}
	}
}

// TestRefusedBeforeAllocation: what a hostile header asks for is not allocated first.
func TestRefusedBeforeAllocation(t *testing.T) {
	for _, name := range []string{"long28.zst", "dict256.xz"} {
		stored, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := compress.ByExtension(filepath.Ext(name))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := unpack(t, c, bytes.NewReader(stored)); err == nil {
			t.Errorf("%s is accepted", name)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d MiB allocated", name, n>>20)
		}
	}
}

// fuzzLimit is more than the seeds decompress to; what follows is not read.
const fuzzLimit = 8 << 20

// fuzz feeds anything to a decompressor: no panic, no endless loop, and if it ends well
// then compressing the result again must give it back.
func fuzz(f *testing.F, c compress.Compressor) {
	files, err := filepath.Glob("testdata/*" + c.Extension())
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		stored, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored)
	}
	f.Add(pack(f, c, nil))
	f.Add(pack(f, c, []byte("INSERT INTO t VALUES (1);")))
	f.Fuzz(func(t *testing.T, stored []byte) {
		r, err := c.Decompress(bytes.NewReader(stored))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		plain, err := io.ReadAll(io.LimitReader(r, fuzzLimit))
		if err != nil || len(plain) == fuzzLimit {
			return
		}
		if len(stored) == 0 {
			t.Fatal("nothing at all is a valid stream")
		}
		if got, err := unpack(t, c, bytes.NewReader(pack(t, c, plain))); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes came back as %d: %v", len(plain), len(got), err)
		}
	})
}

func FuzzGzip(f *testing.F) { fuzz(f, compress.Gzip(nil)) }
func FuzzZstd(f *testing.F) { fuzz(f, compress.Zstd(nil)) }
func FuzzXZ(f *testing.F)   { fuzz(f, compress.XZ(&compress.XZOptions{Fastest: true})) }
