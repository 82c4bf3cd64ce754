package compress

import (
	"fmt"
	"io"
	"os"
)

// decoding is a format read as blocks.
type decoding struct {
	workers int // blocks decoded at the same time
	// next reads the next block's stored bytes into b.in, or sets b.stream to a
	// reader of its plain bytes; next is then not called again before the
	// stream's io.EOF. io.EOF is the end.
	next   func(b *block) error
	decode func(*block) error // in to out, on any goroutine
	close  func()             // frees what the decoder holds; may be nil
}

// blockReader decodes the blocks of a stream side by side and returns them in
// order. Only callers of Read read the source.
type blockReader struct {
	decoding
	ring []*block // oldest first; ring[0] is being read
	rest []byte   // what is left of it
	free []*block
	end  error // what next ended with; the blocks before it are still good
	err  error
}

func newBlockReader(d decoding) *blockReader { return &blockReader{decoding: d} }

func (r *blockReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		if len(r.rest) > 0 {
			n = copy(p, r.rest)
			r.rest = r.rest[n:]
			return n, nil
		}
		if len(r.ring) > 0 && r.ring[0].stream != nil {
			n, err = r.ring[0].stream.Read(p)
			if err == io.EOF {
				r.ring[0].stream, err = nil, nil
			}
			if r.err = err; n > 0 {
				return n, nil
			}
			continue
		}
		r.advance()
	}
	return 0, r.err
}

// advance puts the next decoded block into rest, or its error into err. A block
// whose stream has ended, or that has been read to its end, is the first to go.
func (r *blockReader) advance() {
	if len(r.ring) > 0 && r.ring[0].done == nil {
		r.free = append(r.free, r.ring[0])
		r.ring = append(r.ring[:0], r.ring[1:]...)
	}
	r.fill()
	if len(r.ring) == 0 {
		r.err = r.end
		return
	}
	b := r.ring[0]
	if b.stream != nil {
		return
	}
	<-b.done
	b.done = nil
	r.rest, r.err = b.out, b.err
}

// fill reads ahead until workers blocks are being decoded.
func (r *blockReader) fill() {
	for r.end == nil && len(r.ring) <= r.workers {
		if k := len(r.ring); k > 0 && r.ring[k-1].stream != nil {
			return
		}
		b := new(block)
		if k := len(r.free); k > 0 {
			b, r.free = r.free[k-1], r.free[:k-1]
		}
		b.in, b.out, b.err = b.in[:0], b.out[:0], nil
		if r.end = r.next(b); r.end != nil {
			return
		}
		r.ring = append(r.ring, b)
		if b.stream == nil {
			b.run(r.decode)
		}
	}
}

func (r *blockReader) Close() error {
	for _, b := range r.ring {
		if b.done != nil {
			<-b.done
		}
	}
	if r.close != nil {
		r.close()
		r.close = nil
	}
	r.ring, r.free, r.rest = nil, nil, nil
	r.err = errReadClosed
	return nil
}

var errReadClosed = fmt.Errorf("compress: read after Close: %w", os.ErrClosed)
