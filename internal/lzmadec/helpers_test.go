package lzmadec_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/databasement/backup/internal/lzmadec"
	"github.com/ulikunitz/xz/lzma"
)

// What stock 7-Zip and xz write is decoded by the tests of crypto/sevenzip/internal/method.

// sample has text, noise and repetitions near and far.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		switch r.IntN(4) {
		case 0:
			b = fmt.Appendf(b, "INSERT INTO t VALUES (%d, 'customer %x');\n", len(b), r.Uint32())
		case 1:
			for range r.IntN(50) {
				b = append(b, byte(r.Uint32()))
			}
		case 2:
			b = append(b, bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(600))...)
		default:
			from := r.IntN(len(b) + 1)
			b = append(b, b[from:min(from+r.IntN(400), len(b))]...)
		}
	}
	return b[:n]
}

// encode makes a stream of LZMA2.
func encode(t testing.TB, plain []byte, dictionary int, p lzma.Properties) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: dictionary, Properties: &p}.NewWriter2(&b)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encode1 makes a stream of LZMA, without the header, which it returns apart.
func encode1(t testing.TB, plain []byte, dictionary int, p lzma.Properties, marker bool) (props byte, stored []byte) {
	t.Helper()
	var b bytes.Buffer
	w, err := lzma.WriterConfig{DictCap: dictionary, Properties: &p, Size: int64(len(plain)), SizeInHeader: true, EOSMarker: marker}.NewWriter(&b)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[0], b.Bytes()[13:]
}

// decode2 decodes a stream of LZMA2 as a stream.
func decode2(stored io.Reader, dictionary uint32) ([]byte, error) {
	return io.ReadAll(lzmadec.NewReader2(bufio.NewReader(stored), dictionary))
}

// decode1 decodes a stream of LZMA.
func decode1(stored io.Reader, props byte, dictionary uint32, size int) ([]byte, error) {
	r, err := lzmadec.NewReader(stored, props, dictionary, uint64(size))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
