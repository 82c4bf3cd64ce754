package sevenzip

import (
	"io"

	"github.com/databasement/backup/crypto/sevenzip/internal/header"
	"github.com/databasement/backup/internal/blocks"
	"github.com/databasement/backup/internal/lzma"
)

// lzma2 compresses in independent blocks, one behind the other.
func (s settings) lzma2(dst io.Writer) (io.WriteCloser, header.Coder) {
	p := lzma.Level(s.level)
	encode := func(b *blocks.Block) error {
		e, ok := b.State.(*lzma.Encoder)
		if !ok {
			e = lzma.NewEncoder(p)
			b.State = e
		}
		b.Out = e.Encode(b.Out, b.In)
		return nil
	}
	return blocks.NewWriter(dst, blocks.Encoding{
		Size:    p.Block,
		Workers: s.workers,
		Encode:  encode,
		Tail:    func() []byte { return []byte{0} }, // the end of the stream
	}), header.Coder{Method: header.LZMA2, Inputs: 1, Properties: []byte{lzma.DictionaryProp(p.Dictionary)}}
}
