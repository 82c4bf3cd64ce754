package sevenzip

import (
	"bytes"
	"io"

	"github.com/databasement/backup/crypto/sevenzip/internal/header"
	"github.com/databasement/backup/internal/blocks"
	"github.com/ulikunitz/xz/lzma"
)

func (s settings) lzma2(dst io.Writer) (io.WriteCloser, header.Coder) {
	encode := func(b *blocks.Block) error {
		if len(b.In) == 0 {
			return nil
		}
		var data bytes.Buffer
		w, err := lzma.Writer2Config{DictCap: 1 << 20}.NewWriter2(&data)
		if err != nil {
			return err
		}
		w.Write(b.In)
		w.Close()
		b.Out = append(b.Out, data.Bytes()[:data.Len()-1]...)
		return nil
	}
	return blocks.NewWriter(dst, blocks.Encoding{
		Size:    1 << 20,
		Workers: s.workers,
		Encode:  encode,
		Tail:    func() []byte { return []byte{0} }, // the end of the stream
	}), header.Coder{Method: header.LZMA2, Inputs: 1, Properties: []byte{16}}
}
