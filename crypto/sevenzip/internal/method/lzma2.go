package method

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/databasement/backup/internal/blocks"
	"github.com/databasement/backup/internal/lzmadec"
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
	r := &lzma2Reader{src: c.in[0], left: c.size, dictionary: uint32(min(dictionary, c.size)), room: MaxMemory / (workers + 1)}
	all := blocks.NewReader(blocks.Decoding{Workers: workers, Next: r.next, Decode: r.decode})
	return decoder{Reader: all, ends: true, close: func() { all.Close() }}, nil
}

// lzma2MaxWorkers keeps the room for one block above 28 MiB.
const lzma2MaxWorkers = 8

// lzma2Reader finds the blocks of a stream.
type lzma2Reader struct {
	src        *source
	left       uint64 // plain bytes that have not been announced yet
	dictionary uint32
	room       int           // for one block, stored and plain
	streamed   *bufio.Reader // all that is left, if that is streamed
}

// lzma2Block is kept with a block's buffers.
type lzma2Block struct {
	decoder lzmadec.Block
	plain   int // bytes
}

// next reads a block into b.In. If it has no room, b.Stream decodes it and all that follows.
func (r *lzma2Reader) next(b *blocks.Block) error {
	if r.streamed != nil {
		return r.end()
	}
	s, ok := b.State.(*lzma2Block)
	if !ok {
		s = &lzma2Block{}
		b.State = s
	}
	plain := 0
	for {
		chunk, err := lzmadec.PeekChunk(r.src.Reader)
		if err == nil && uint64(chunk.Plain) > r.left {
			err = errors.New("more bytes than the header says")
		}
		if err == nil && plain == 0 && !chunk.ResetDictionary {
			err = errors.New("a block that does not reset the dictionary")
		}
		if plain > 0 && (err != nil || chunk.ResetDictionary) {
			s.plain = plain
			return nil // an error comes again with the next block
		}
		if err == io.EOF {
			r.src.Discard(1)
		}
		if err != nil {
			return err
		}
		if plain+chunk.Plain+len(b.In)+chunk.Stored > r.room {
			return r.stream(b)
		}
		n := len(b.In)
		b.In = slices.Grow(b.In, chunk.Stored)[:n+chunk.Stored]
		if k, err := io.ReadFull(r.src, b.In[n:]); err != nil {
			b.In = b.In[:n+k]
			return noEOF(err)
		}
		plain += chunk.Plain
		r.left -= uint64(chunk.Plain)
	}
}

// stream decodes what is left, of which b.In has been read.
func (r *lzma2Reader) stream(b *blocks.Block) error {
	r.streamed = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(b.In), r.src), lzmadec.MaxStored)
	b.Stream = lzmadec.NewReader2(r.streamed, r.dictionary)
	return nil
}

// end checks that nothing follows what was streamed.
func (r *lzma2Reader) end() error {
	_, err := r.streamed.Peek(1)
	if err == nil {
		err = errMore
	}
	return err
}

// decode decodes a block that next has read.
func (r *lzma2Reader) decode(b *blocks.Block) error {
	s := b.State.(*lzma2Block)
	if cap(b.Out) < s.plain {
		b.Out = make([]byte, s.plain)
	}
	b.Out = b.Out[:s.plain]
	return s.decoder.Decode(b.Out, b.In, r.dictionary)
}
