package lzma

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

// noise is n bytes that nothing compresses, the same for the same seed.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// text is n bytes as of a dump.
func text(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO shop VALUES (%d, 'customer-%d', %d.%02d);\n", i, rnd.IntN(1000), rnd.IntN(500), rnd.IntN(100))
	}
	return b.Bytes()[:n]
}

// decode reads a stream, to which the byte that ends it is added, with a decoder that allows no distance beyond the dictionary.
func decode(t testing.TB, stored []byte, dictionary int) []byte {
	t.Helper()
	src := io.MultiReader(bytes.NewReader(stored), bytes.NewReader([]byte{0}))
	r, err := lzma.Reader2Config{DictCap: dictionary}.NewReader2(src)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("ulikunitz/xz, after %d bytes: %v", len(plain), err)
	}
	return plain
}

// decodeStock is decode with liblzma.
func decodeStock(t *testing.T, stored []byte, dictionary int) []byte {
	t.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package xz-utils)", err)
	}
	cmd := exec.CommandContext(t.Context(), "xz", "--format=raw", "-dc", fmt.Sprintf("--lzma2=dict=%d", dictionary))
	cmd.Stdin = io.MultiReader(bytes.NewReader(stored), bytes.NewReader([]byte{0}))
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		t.Fatalf("xz, after %d bytes: %v: %s", out.Len(), err, &msg)
	}
	return out.Bytes()
}

// roundTrip encodes plain as a block, and fails unless it is well made and both decoders give plain back.
func roundTrip(t *testing.T, p Params, plain []byte) []chunk {
	t.Helper()
	stored := NewEncoder(p).Encode(nil, plain)
	chunks := wellMade(t, stored, len(plain))
	if got := decode(t, stored, p.Dictionary); !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came out of ulikunitz/xz as %d others", len(plain), len(got))
	}
	if got := decodeStock(t, stored, p.Dictionary); !bytes.Equal(got, plain) {
		t.Errorf("%d bytes came out of xz as %d others", len(plain), len(got))
	}
	return chunks
}

// chunk is one of a block. Its control byte is 1 or 2 if it is stored, else what it resets.
type chunk struct {
	stored        bool
	reset         byte
	plain, length int
}

// wellMade takes a block of size bytes apart, and fails where it breaks a rule of the format, which decoders may not check.
func wellMade(t testing.TB, b []byte, size int) (chunks []chunk) {
	t.Helper()
	need := byte(resetAll) // what the next coded chunk must reset at least
	for len(b) > 0 {
		var c chunk
		switch control := b[0]; {
		case control >= 0x80 && len(b) > 5:
			c = chunk{reset: control >> 5 & 3, plain: int(control&0x1f)<<16 + int(b[1])<<8 + int(b[2]) + 1, length: 5 + int(b[3])<<8 + int(b[4]) + 1}
			if c.reset >= resetProperties {
				if b[5] != 93 { // lc 3, lp 0, pb 2
					t.Fatalf("chunk %d has properties %d", len(chunks), b[5])
				}
				c.length++
			}
			if c.reset < need {
				t.Fatalf("chunk %d resets %d, and must %d", len(chunks), c.reset, need)
			}
			need = 0
		case control == 1 && len(chunks) == 0 || control == 2 && len(chunks) > 0:
			c = chunk{stored: true, reset: control, plain: int(b[1])<<8 + int(b[2]) + 1}
			c.length = 3 + c.plain
			need = min(max(need, resetState), resetProperties)
		default:
			t.Fatalf("chunk %d: control byte %#x", len(chunks), control)
		}
		if c.length > len(b) {
			t.Fatalf("chunk %d has %d bytes of %d", len(chunks), len(b), c.length)
		}
		chunks, b, size = append(chunks, c), b[c.length:], size-c.plain
	}
	if size != 0 {
		t.Fatalf("chunks of %d bytes too few", size)
	}
	return chunks
}

// length is how many bytes chunks have in a stream.
func length(chunks []chunk) (n int) {
	for _, c := range chunks {
		n += c.length
	}
	return n
}
