package method

import (
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/databasement/backup/crypto/sevenzip/internal/ppmd"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
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
	return decoder{Reader: bzip2.NewReader(c.in[0].Reader)}, nil
}

// openZstandard: the properties are the encoder's version and level.
func openZstandard(c *coder) (decoder, error) {
	if len(c.props) > 5 {
		return decoder{}, c.impossible()
	}
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(MaxMemory))
	if err == nil {
		err = r.Reset(c.in[0])
	}
	return decoder{Reader: zstdErrors{r}, close: r.Close}, err
}

// zstdErrors says of the limit what it is.
type zstdErrors struct{ io.Reader }

func (r zstdErrors) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = &UnsupportedError{Method: "Zstandard", Reason: fmt.Sprintf("a window of more than %d MiB", MaxMemory>>20)}
	}
	return n, err
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

// openPPMd: the properties are the order and the memory of the model.
func openPPMd(c *coder) (decoder, error) {
	if len(c.props) != 5 {
		return decoder{}, c.impossible()
	}
	order, memory := int(c.props[0]), uint64(le.Uint32(c.props[1:]))
	if order < ppmd.MinOrder || order > ppmd.MaxOrder || memory < ppmd.MinMemory {
		return decoder{}, c.impossible()
	}
	if err := c.dictionary(memory); err != nil {
		return decoder{}, err
	}
	return decoder{ends: true, Reader: &lazily{open: func() (io.Reader, error) {
		return ppmd.NewReader(c.in[0], order, memory, c.size)
	}}}, nil
}
