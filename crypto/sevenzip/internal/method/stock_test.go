package method_test

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// tool runs a stock tool on input.
func tool(t testing.TB, input []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%v: run `make tools` (Debian packages 7zip and xz-utils)", err)
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

// text is what a dump looks like.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO t VALUES (%d, 'customer %x', %d.%02d);\n", i, i*i*2654435761, i%977, i*7%100)
	}
	return b.Bytes()[:n]
}

// stream is a stored stream of one coder.
type stream struct {
	id     uint64
	props  []byte
	stored func(t testing.TB, plain []byte) []byte
}

func raw(args string) func(testing.TB, []byte) []byte {
	return func(t testing.TB, plain []byte) []byte {
		return tool(t, plain, "xz", append(strings.Fields(args), "--format=raw", "-c")...)
	}
}

var streams = map[string]stream{
	"Copy":  {id: 0x00, stored: func(_ testing.TB, plain []byte) []byte { return plain }},
	"LZMA2": {id: 0x21, props: []byte{16}, stored: raw("--lzma2=dict=1MiB")},
	"LZMA":  {id: 0x030101, props: []byte{93, 0, 0, 16, 0}, stored: raw("--lzma1=dict=1MiB")},
	"BZip2": {id: 0x040202, stored: func(t testing.TB, plain []byte) []byte {
		return tool(t, plain, "7zz", "a", "x", "-tbzip2", "-si", "-so")
	}},
	"Deflate": {id: 0x040108, stored: func(t testing.TB, plain []byte) []byte {
		gz := tool(t, plain, "7zz", "a", "x", "-tgzip", "-si", "-so")
		return gz[10 : len(gz)-8]
	}},
}

func open(t testing.TB, s stream, stored []byte, size int) io.ReadCloser {
	t.Helper()
	r, err := method.Open(s.id, s.props, uint64(size), []io.Reader{bytes.NewReader(stored)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStock(t *testing.T) {
	for name, s := range streams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{0, 1, 5000, 5_000_000} {
				plain := text(size)
				r := open(t, s, s.stored(t, plain), size)
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
