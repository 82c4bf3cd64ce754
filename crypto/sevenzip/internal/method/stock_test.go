package method_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// tool runs a stock tool on input.
func tool(t testing.TB, input []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run `make tools` (Debian packages 7zip, bzip2, xz-utils and zstd)", err)
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

// stored is a coder, and the streams that a stock tool has made for it.
type stored struct {
	id    uint64
	props []byte
	in    [][]byte
	plain []byte
}

func (s stored) open(t testing.TB, wrap func(io.Reader) io.Reader) io.ReadCloser {
	t.Helper()
	var in []io.Reader
	for _, b := range s.in {
		in = append(in, wrap(bytes.NewReader(b)))
	}
	r, err := method.Open(s.id, s.props, uint64(len(s.plain)), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// read reads all there is.
func (s stored) read(t testing.TB, wrap func(io.Reader) io.Reader) ([]byte, error) {
	t.Helper()
	r := s.open(t, wrap)
	got, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return got, err
}

func asIs(r io.Reader) io.Reader { return r }

// stock is a way to make streams.
type stock struct {
	id    uint64
	props []byte
	plain func(n int) []byte // text where it is nil
	make  func(t testing.TB, plain []byte) [][]byte
	empty bool // it can make a stream of nothing
	noEnd bool // the format does not say where a stream ends
	slow  bool
}

// slowness is by what the sizes of tests are divided.
func (s stock) slowness() int {
	if s.slow {
		return 20
	}
	return 1
}

func (s stock) stored(t testing.TB, n int) stored {
	t.Helper()
	if s.plain == nil {
		s.plain = text
	}
	plain := s.plain(n)
	return stored{s.id, s.props, s.make(t, plain), plain}
}

// of7zz makes a .7z archive of one file with one coder and returns the packed streams.
func of7zz(coder string) func(testing.TB, []byte) [][]byte {
	return func(t testing.TB, plain []byte) [][]byte {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "plain"), plain, 0o600); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "a.7z")
		tool(t, nil, "7zz", "a", "-mhc=off", "-mf=off", "-m0="+coder, path, filepath.Join(dir, "plain"))
		archive, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		packed, header := archive[32:], archive[32+binary.LittleEndian.Uint64(archive[12:]):]
		if !bytes.HasPrefix(header, []byte{1, 4, 6, 0}) || header[5] != 9 {
			t.Fatalf("a header that begins with %x", header[:6])
		}
		sizes := header[6:]
		var streams [][]byte
		for range header[4] {
			n := number(&sizes)
			streams, packed = append(streams, packed[:n]), packed[n:]
		}
		return streams
	}
}

// number reads one of the header's numbers.
func number(b *[]byte) (n uint64) {
	first := (*b)[0]
	*b = (*b)[1:]
	for i, mask := 0, byte(0x80); i < 8; i, mask = i+1, mask>>1 {
		if first&mask == 0 {
			return n | uint64(first&(mask-1))<<(8*i)
		}
		n |= uint64((*b)[0]) << (8 * i)
		*b = (*b)[1:]
	}
	return n
}

// pipe makes a stream with a tool that reads and writes one.
func pipe(line string, head, tail int) func(testing.TB, []byte) [][]byte {
	return func(t testing.TB, plain []byte) [][]byte {
		args := strings.Fields(line)
		out := tool(t, plain, args[0], args[1:]...)
		return [][]byte{out[head : len(out)-tail]}
	}
}

var stocks = map[string]stock{
	"Copy":                  {id: 0x00, make: of7zz("Copy"), noEnd: true},
	"Delta":                 {id: 0x03, props: []byte{0}, make: of7zz("Delta:1"), noEnd: true},
	"Delta of 256":          {id: 0x03, props: []byte{255}, make: of7zz("Delta:256"), noEnd: true},
	"BCJ":                   {id: 0x03030103, plain: x86, make: of7zz("BCJ"), noEnd: true},
	"BCJ by its new id":     {id: 0x04, plain: x86, make: of7zz("BCJ"), noEnd: true},
	"BCJ2":                  {id: 0x0303011b, plain: x86, make: of7zz("BCJ2"), noEnd: true},
	"PPC":                   {id: 0x03030205, plain: words(0x48000001, 0x03fffffc, 4), make: of7zz("PPC"), noEnd: true},
	"IA64":                  {id: 0x03030401, plain: ia64, make: of7zz("IA64"), noEnd: true},
	"ARM":                   {id: 0x03030501, plain: words(0x000000eb, 0xffffff00, 4), make: of7zz("ARM"), noEnd: true},
	"ARMT":                  {id: 0x03030701, plain: words(0x00f000f8, 0xff07ff07, 2), make: of7zz("ARMT"), noEnd: true},
	"SPARC":                 {id: 0x03030805, plain: sparc, make: of7zz("SPARC"), noEnd: true},
	"ARM64":                 {id: 0x0a, plain: arm64, make: of7zz("ARM64"), noEnd: true},
	"ARM64 from 4096":       {id: 0x0a, props: []byte{0, 16, 0, 0}, plain: arm64, make: of7zz("ARM64:4096"), noEnd: true},
	"RISCV":                 {id: 0x0b, plain: riscv, make: of7zz("RISCV"), noEnd: true},
	"LZMA2":                 {id: 0x21, props: []byte{16}, make: pipe("xz --format=raw --lzma2=dict=1MiB -c", 0, 0), empty: true},
	"LZMA2 in blocks":       {id: 0x21, props: []byte{4}, make: of7zz("LZMA2:d=16k:c=64k")},
	"LZMA2 of 7zz":          {id: 0x21, props: []byte{16}, plain: noisy, make: of7zz("LZMA2:d=1m:lc=1:lp=2:pb=1")},
	"LZMA":                  {id: 0x030101, props: []byte{93, 0, 0, 16, 0}, make: of7zz("LZMA:d=1m")},
	"LZMA with an end":      {id: 0x030101, props: []byte{93, 0, 0, 16, 0}, make: pipe("xz --format=raw --lzma1=dict=1MiB -c", 0, 0), empty: true},
	"Deflate":               {id: 0x040108, make: of7zz("Deflate")},
	"Deflate of gzip":       {id: 0x040108, make: pipe("gzip -1", 10, 8), empty: true},
	"BZip2":                 {id: 0x040202, make: of7zz("BZip2")},
	"BZip2 of nothing":      {id: 0x040202, make: pipe("7zz a x -tbzip2 -si -so", 0, 0), empty: true},
	"PPMd":                  {id: 0x030401, props: []byte{6, 0, 0, 16, 0}, make: of7zz("PPMd:o=6:mem=1m"), slow: true},
	"PPMd of little memory": {id: 0x030401, props: []byte{32, 0, 0, 1, 0}, plain: noisy, make: of7zz("PPMd:o=32:mem=64k"), slow: true},
	"PPMd of some":          {id: 0x030401, props: []byte{16, 0, 0, 2, 0}, plain: noisy, make: of7zz("PPMd:o=16:mem=128k"), slow: true},
	"Zstandard":             {id: 0x04f71101, props: []byte{1, 5, 3, 0, 0}, make: pipe("zstd -c", 0, 0), empty: true},
}

func TestStock(t *testing.T) {
	for name, s := range stocks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sizes := []int{1, 2, 5, 5003, 3_000_001}
			sizes[4] /= s.slowness()
			if s.empty {
				sizes = append(sizes, 0)
			}
			for _, size := range sizes {
				made := s.stored(t, size)
				if got, err := made.read(t, asIs); err != nil || !bytes.Equal(got, made.plain) {
					t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
				}
			}
		})
	}
}

// TestFiltersConvert: what the filters' tests read has been converted.
func TestFiltersConvert(t *testing.T) {
	for name, s := range stocks {
		if made := s.stored(t, 5003); s.noEnd && s.id != 0 && bytes.Equal(made.in[0], made.plain) {
			t.Errorf("%s: nothing is converted", name)
		}
	}
}
