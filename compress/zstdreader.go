package compress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/databasement/backup/internal/blocks"
	"github.com/klauspost/compress/zstd"
)

// ZstdMaxWindow is the largest window, in bytes, of a zstd frame that can be
// decompressed: that of zstd --long=27.
const ZstdMaxWindow = 128 << 20

// zstdMaxBlock is the largest plain size of a frame that is decompressed in one
// piece, so that several are at the same time.
const zstdMaxBlock = 8 << 20

func (c zstdCompressor) Decompress(src io.Reader) (io.ReadCloser, error) {
	n := blocks.Workers(c.Concurrency)
	whole, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n),
		zstd.WithDecoderMaxMemory(zstdMaxBlock), zstd.WithDecoderMaxWindow(ZstdMaxWindow))
	if err != nil {
		return nil, err
	}
	r := &zstdReader{src: newSource(src), workers: n}
	return blocks.NewReader(blocks.Decoding{
		Workers: n,
		Next:    func(b *blocks.Block) error { return r.src.explain("zstd", r.next(b)) },
		Decode: func(b *blocks.Block) (err error) {
			b.Out, err = whole.DecodeAll(b.In, b.Out)
			return r.src.explain("zstd", err)
		},
		Close: func() {
			whole.Close()
			if r.stream != nil {
				r.stream.Close()
			}
		},
	}), nil
}

// zstdReader finds the frames of a stream.
type zstdReader struct {
	src     source
	workers int
	any     bool          // there has been a frame
	frame   zstdFrame     // the current one
	stream  *zstd.Decoder // for frames that are not decompressed in one piece
}

// next reads a small frame into b.In, or lets b.Stream decompress a large one.
func (r *zstdReader) next(b *blocks.Block) error {
	h, err := r.header()
	if err != nil {
		return err
	}
	r.frame = zstdFrame{src: r.src, left: h.HeaderSize, checksum: h.HasCheckSum}
	if !h.HasFCS || h.FrameContentSize > zstdMaxBlock {
		return r.streamFrame(b, &r.frame)
	}
	// An honest encoder adds no more than this to what it cannot compress.
	room := int(h.FrameContentSize) + int(h.FrameContentSize)>>7 + 1<<10
	for {
		if len(b.In) == cap(b.In) { // in two steps at most, as what smaller ones leave is garbage
			size := room / 4
			if cap(b.In) >= size {
				size = room + 1
			}
			b.In = slices.Grow(b.In, max(size, 32<<10)-len(b.In))
		}
		n, err := r.frame.Read(b.In[len(b.In):cap(b.In)])
		b.In = b.In[:len(b.In)+n]
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(b.In) > room:
			return r.streamFrame(b, io.MultiReader(bytes.NewReader(b.In), &r.frame))
		}
	}
}

// zstdMagics begin a frame: with data, then the 16 kinds without.
var zstdMagics = func() [][]byte {
	m := [][]byte{{0x28, 0xb5, 0x2f, 0xfd}}
	for i := range byte(16) {
		m = append(m, []byte{0x50 + i, 0x2a, 0x4d, 0x18})
	}
	return m
}()

// header reads up to the next frame with data and describes it, without consuming its header.
func (r *zstdReader) header() (h zstd.Header, err error) {
	for {
		err = r.src.atMagic(zstdMagics...)
		if err == io.EOF && !r.any {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return h, err
		}
		r.any = true
		p, err := r.src.Peek(zstd.HeaderMaxSize)
		if err != nil && err != io.EOF {
			return h, err
		}
		if err = h.Decode(p); err != nil || !h.Skippable {
			return h, err
		}
		skip := int64(h.HeaderSize) + int64(h.SkippableSize)
		if _, err = io.CopyN(io.Discard, r.src, skip); err != nil {
			return h, noEOF(err)
		}
	}
}

// streamFrame lets b.Stream decompress the frame that src yields.
func (r *zstdReader) streamFrame(b *blocks.Block, src io.Reader) (err error) {
	if r.stream == nil {
		r.stream, err = zstd.NewReader(src, zstd.WithDecoderConcurrency(r.workers), zstd.WithDecoderMaxWindow(ZstdMaxWindow))
	} else {
		err = r.stream.Reset(src)
	}
	b.Stream = explained{zstdErrors{r.stream}, r.src, "zstd"}
	return err
}

// zstdFrame yields the stored bytes of one frame, then io.EOF.
type zstdFrame struct {
	src      source
	left     int  // of the header, block or checksum that is being read
	last     bool // the last block has begun
	checksum bool // follows the last block
}

func (f *zstdFrame) Read(p []byte) (int, error) {
	if f.left == 0 {
		if err := f.advance(); err != nil {
			return 0, err
		}
	}
	n, err := f.src.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, noEOF(err)
}

// advance begins the next part of the frame: RFC 8878, section 3.1.1.
func (f *zstdFrame) advance() error {
	if f.last {
		if !f.checksum {
			return io.EOF
		}
		f.left, f.checksum = 4, false
		return nil
	}
	p, err := f.src.Peek(3)
	if err != nil {
		return noEOF(err)
	}
	h := int(p[0]) | int(p[1])<<8 | int(p[2])<<16
	f.last = h&1 == 1
	size := h >> 3
	if size > 128<<10 {
		return errZstdBlock
	}
	switch h >> 1 & 3 {
	case 1: // one byte, repeated
		size = 1
	case 3:
		return errZstdBlock
	}
	f.left = 3 + size
	return nil
}

var errZstdBlock = errors.New("impossible block header")

// zstdErrors says of the limit what it is.
type zstdErrors struct{ io.Reader }

func (r zstdErrors) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = fmt.Errorf("%w: the limit is %d MiB, as of zstd --long=27", err, ZstdMaxWindow>>20)
	}
	return n, err
}
