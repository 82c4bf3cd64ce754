package method

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// openLZMA: the properties are those of the .lzma format's header, without the size.
func openLZMA(c *coder) (decoder, error) {
	if len(c.props) != 5 || c.props[0] >= 9*5*5 {
		return decoder{}, c.impossible()
	}
	if err := c.dictionary(uint64(binary.LittleEndian.Uint32(c.props[1:]))); err != nil {
		return decoder{}, err
	}
	if c.size >= 1<<50 {
		return decoder{}, c.impossible()
	}
	return decoder{ends: true, Reader: &lazily{open: func() (io.Reader, error) {
		head := binary.LittleEndian.AppendUint64(bytes.Clone(c.props), c.size)
		return lzma.NewReader(withHead{bytes.NewReader(head), c.in[0]})
	}}}, nil
}

type withHead struct {
	head *bytes.Reader
	*source
}

func (r withHead) Read(p []byte) (int, error) {
	if r.head.Len() > 0 {
		return r.head.Read(p)
	}
	return r.source.Read(p)
}
