package ppmd_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/databasement/backup/crypto/sevenzip/internal/ppmd"
)

// What stock 7-Zip writes is decoded by the tests of package method.

func TestParameters(t *testing.T) {
	for _, test := range []struct {
		order  int
		memory uint64
		ok     bool
	}{
		{ppmd.MinOrder, ppmd.MinMemory, true},
		{ppmd.MaxOrder, ppmd.MinMemory + 1, true},
		{ppmd.MinOrder - 1, ppmd.MinMemory, false},
		{ppmd.MaxOrder + 1, ppmd.MinMemory, false},
		{ppmd.MinOrder, ppmd.MinMemory - 1, false},
		{ppmd.MinOrder, ppmd.MaxMemory + 1, false},
	} {
		_, err := ppmd.NewReader(bytes.NewReader(make([]byte, 5)), test.order, test.memory, 0)
		if (err == nil) != test.ok {
			t.Errorf("order %d, %d bytes: %v", test.order, test.memory, err)
		}
	}
}

// decode decodes data, which means something whatever it is.
func decode(t *testing.T, order int, memory, size uint64, data []byte) {
	t.Helper()
	r, err := ppmd.NewReader(bytes.NewReader(data), order, memory, size)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if uint64(len(got)) > size || err == nil && uint64(len(got)) < size {
		t.Errorf("%d of %d bytes: %v", len(got), size, err)
	}
	if n, again := r.Read(make([]byte, 1)); n != 0 || again == nil || err != nil && again != err {
		t.Errorf("read after %v: %d, %v", err, n, again)
	}
}

// TestAnything decodes random data with models that run out of memory in every way.
func TestAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		data := make([]byte, 60_000)
		skew := byte(r.IntN(256)) // what is likely comes more often
		for i := range data[1:] {
			data[i+1] = byte(r.IntN(256)) & (skew | byte(r.IntN(256)))
		}
		decode(t, 2+i, ppmd.MinMemory<<(i%8)+uint64(r.IntN(2000)), 300_000, data)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(6, uint16(0), []byte("\x00a stream that begins with a zero"))
	f.Add(64, uint16(60_000), make([]byte, 200))
	f.Add(2, uint16(5_000), bytes.Repeat([]byte{0, 0xff, 0x80}, 500))
	f.Fuzz(func(t *testing.T, order int, memory uint16, data []byte) {
		order = ppmd.MinOrder + int(uint(order)%(ppmd.MaxOrder-ppmd.MinOrder+1))
		decode(t, order, ppmd.MinMemory+uint64(memory), 1<<16, data)
	})
}
