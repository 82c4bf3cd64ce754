package blocks

import "io"

// Decoding is a format read as blocks.
type Decoding struct {
	Workers int // blocks decoded at the same time
	// Next reads the next block's stored bytes into b.In, or sets b.Stream to a
	// reader of its plain bytes; Next is then not called again before the
	// stream's io.EOF. io.EOF is the end.
	Next   func(b *Block) error
	Decode func(*Block) error // In to Out, on any goroutine
	Close  func()             // frees what the decoder holds; may be nil
}

// Reader decodes the blocks of a stream side by side and returns them in
// order. Only callers of Read read the source.
type Reader struct {
	Decoding
	ring []*Block // oldest first; ring[0] is being read
	rest []byte   // what is left of it
	free []*Block
	end  error // what next ended with; the blocks before it are still good
	err  error
}

// NewReader makes a Reader.
func NewReader(d Decoding) *Reader { return &Reader{Decoding: d} }

func (r *Reader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.err == nil {
		if len(r.rest) > 0 {
			n = copy(p, r.rest)
			r.rest = r.rest[n:]
			return n, nil
		}
		if len(r.ring) > 0 && r.ring[0].Stream != nil {
			n, err = r.ring[0].Stream.Read(p)
			if err == io.EOF {
				r.ring[0].Stream, err = nil, nil
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
func (r *Reader) advance() {
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
	if b.Stream != nil {
		return
	}
	<-b.done
	b.done = nil
	r.rest, r.err = b.Out, b.err
}

// fill reads ahead until workers blocks are being decoded.
func (r *Reader) fill() {
	for r.end == nil && len(r.ring) <= r.Workers {
		if k := len(r.ring); k > 0 && r.ring[k-1].Stream != nil {
			return
		}
		b := new(Block)
		if k := len(r.free); k > 0 {
			b, r.free = r.free[k-1], r.free[:k-1]
		}
		b.In, b.Out, b.err = b.In[:0], b.Out[:0], nil
		if r.end = r.Next(b); r.end != nil {
			return
		}
		r.ring = append(r.ring, b)
		if b.Stream == nil {
			b.run(r.Decode)
		}
	}
}

// Close waits for the decoders.
func (r *Reader) Close() error {
	for _, b := range r.ring {
		if b.done != nil {
			<-b.done
		}
	}
	if r.Decoding.Close != nil {
		r.Decoding.Close()
		r.Decoding.Close = nil
	}
	r.ring, r.free, r.rest = nil, nil, nil
	r.err = errReadClosed
	return nil
}
