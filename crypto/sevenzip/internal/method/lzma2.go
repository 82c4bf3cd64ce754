package method

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/databasement/backup/internal/blocks"
	"github.com/ulikunitz/xz/lzma"
)

// openLZMA2: the property is that of an LZMA2 filter in the .xz format (section 5.3.1). What begins with a reset of the
// dictionary is a block that needs nothing of those before it, so several are decoded at the same time.
func openLZMA2(c *coder) (decoder, error) {
	if len(c.props) != 1 || c.props[0] > 40 {
		return decoder{}, c.impossible()
	}
	dictionary := uint64(2|c.props[0]&1) << (c.props[0]/2 + 11)
	if err := c.dictionary(min(dictionary, 1<<32-1)); err != nil {
		return decoder{}, err
	}
	workers := min(blocks.Workers(0), lzma2MaxWorkers)
	r := &lzma2Reader{src: c.in[0], left: c.size, dictionary: int(min(dictionary, c.size)), room: MaxMemory / (workers + 1)}
	all := blocks.NewReader(blocks.Decoding{Workers: workers, Next: r.next, Decode: r.decode})
	return decoder{Reader: all, ends: true, close: func() { all.Close() }}, nil
}

// lzma2MaxWorkers keeps the room for one block above 28 MiB.
const lzma2MaxWorkers = 8

// lzma2Reader finds the blocks of a stream.
type lzma2Reader struct {
	src        *source
	left       uint64 // plain bytes that have not been announced yet
	dictionary int
	room       int  // for one block, stored and plain
	streamed   bool // all that is left
}

// next reads a block into b.In. If it has no room, b.Stream decodes it and all that follows.
func (r *lzma2Reader) next(b *blocks.Block) error {
	if r.streamed {
		return io.EOF
	}
	plain := 0
	for {
		chunk, err := r.chunk()
		if err == nil && chunk.plain > r.left {
			err = errors.New("more bytes than the header says")
		}
		if err == nil && plain == 0 && !chunk.reset {
			err = errors.New("a block that does not reset the dictionary")
		}
		if plain > 0 && (err != nil || chunk.reset) {
			b.State = plain // an error comes again with the next block
			return nil
		}
		if err == io.EOF {
			r.src.Discard(1)
		}
		if err != nil {
			return err
		}
		if plain+int(chunk.plain)+len(b.In)+chunk.stored > r.room {
			return r.stream(b)
		}
		n := len(b.In)
		b.In = slices.Grow(b.In, chunk.stored)[:n+chunk.stored]
		if k, err := io.ReadFull(r.src, b.In[n:]); err != nil {
			b.In = b.In[:n+k]
			return noEOF(err)
		}
		plain += int(chunk.plain)
		r.left -= chunk.plain
	}
}

// lzma2Chunk is what a chunk's header says.
type lzma2Chunk struct {
	reset  bool   // of the dictionary
	stored int    // bytes, with the header
	plain  uint64 // bytes
}

// chunk looks at the next chunk's header. io.EOF is the end of the stream, of one byte.
func (r *lzma2Reader) chunk() (c lzma2Chunk, err error) {
	p, err := r.src.Peek(1)
	if err != nil {
		return c, noEOF(err)
	}
	control := p[0]
	switch {
	case control == 0:
		return c, io.EOF
	case control >= 0x80:
		if p, err = r.src.Peek(5); err != nil {
			return c, noEOF(err)
		}
		c.plain = uint64(control&0x1f)<<16 | uint64(p[1])<<8 | uint64(p[2]) + 1
		c.stored = 5 + int(p[3])<<8 + int(p[4]) + 1
		if control >= 0xc0 {
			c.stored++ // new properties
		}
		c.reset = control >= 0xe0
	case control <= 2:
		if p, err = r.src.Peek(3); err != nil {
			return c, noEOF(err)
		}
		c.plain = uint64(p[1])<<8 | uint64(p[2]) + 1
		c.stored = 3 + int(c.plain)
		c.reset = control == 1
	default:
		return c, errors.New("impossible chunk")
	}
	return c, nil
}

// stream decodes what is left, of which b.In has been read.
func (r *lzma2Reader) stream(b *blocks.Block) (err error) {
	r.streamed = true
	in := io.MultiReader(bytes.NewReader(b.In), r.src)
	b.Stream, err = lzma.Reader2Config{DictCap: max(r.dictionary, lzma.MinDictCap)}.NewReader2(in)
	return noEOF(err)
}

// decode decodes a block that next has read.
func (r *lzma2Reader) decode(b *blocks.Block) error {
	n := b.State.(int)
	in := io.MultiReader(bytes.NewReader(b.In), bytes.NewReader([]byte{0}))
	d, err := lzma.Reader2Config{DictCap: max(min(r.dictionary, n), lzma.MinDictCap)}.NewReader2(in)
	if err != nil {
		return errors.New(err.Error()) // not the end of the stream, whatever it is
	}
	b.Out = slices.Grow(b.Out, n)[:n]
	if _, err := io.ReadFull(d, b.Out); err != nil {
		return errors.New(err.Error())
	}
	return nil
}
