package method

import (
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/flate"
)

func openCopy(c *coder) (decoder, error) {
	if len(c.props) != 0 {
		return decoder{}, c.impossible()
	}
	return decoder{Reader: c.in[0]}, nil
}

func openDeflate(c *coder) (decoder, error) {
	if len(c.props) != 0 {
		return decoder{}, c.impossible()
	}
	return decoder{Reader: flate.NewReader(c.in[0].Reader), ends: true}, nil
}

func openBZip2(c *coder) (decoder, error) {
	if len(c.props) != 0 {
		return decoder{}, c.impossible()
	}
	return decoder{Reader: bzip2.NewReader(c.in[0].Reader), ends: true}, nil
}

// lazily opens a reader with the first Read.
type lazily struct {
	open func() (io.Reader, error)
	r    io.Reader
}

func (l *lazily) Read(p []byte) (n int, err error) {
	if l.r == nil {
		if l.r, err = l.open(); err != nil {
			return 0, noEOF(err)
		}
	}
	return l.r.Read(p)
}
