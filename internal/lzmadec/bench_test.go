package lzmadec_test

import (
	"testing"

	"github.com/databasement/backup/internal/lzmadec"
)

func BenchmarkBlock(b *testing.B) {
	plain := sample(4 << 20)
	stored := encode(b, plain, 4<<20, properties[0])
	stored = stored[:len(stored)-1]
	var d lzmadec.Block
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if err := d.Decode(plain, stored, 4<<20); err != nil {
			b.Fatal(err)
		}
	}
}
