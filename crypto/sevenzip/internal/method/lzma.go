package method

import (
	"io"

	"github.com/databasement/backup/internal/lzmadec"
)

// openLZMA: the properties are those of the .lzma format's header, without the size.
func openLZMA(c *coder) (decoder, error) {
	if len(c.props) != 5 || c.props[0] >= 9*5*5 {
		return decoder{}, c.impossible()
	}
	dictionary := le.Uint32(c.props[1:])
	if err := c.dictionary(uint64(dictionary)); err != nil {
		return decoder{}, err
	}
	return decoder{ends: true, Reader: &lazily{open: func() (io.Reader, error) {
		return lzmadec.NewReader(c.in[0], c.props[0], dictionary, c.size)
	}}}, nil
}
