package lzmadec

import (
	"bufio"
	"io"
)

// Chunk is what the header of a chunk of LZMA2 says.
type Chunk struct {
	Stored          int  // bytes, with the header
	Plain           int  // bytes; at most 2 MiB
	ResetDictionary bool // nothing before it is needed
	control         byte
	header          int // bytes
}

// MaxStored is the length of the longest chunk, with its header.
const MaxStored = 6 + 1<<16

// PeekChunk looks at the header of the next chunk in src, without consuming it. io.EOF stands for the end of the stream,
// of which one byte is left; an end of src is io.ErrUnexpectedEOF.
func PeekChunk(src *bufio.Reader) (Chunk, error) {
	p, err := src.Peek(5)
	c, n, ok := parseChunk(p)
	switch {
	case len(p) < n && err == io.EOF:
		return c, io.ErrUnexpectedEOF
	case len(p) < n:
		return c, err
	case !ok:
		return c, errDamaged
	case c.control == 0:
		return c, io.EOF
	}
	return c, nil
}

// parseChunk reads n bytes of p; ok is false if that is more than there are, or the chunk is impossible.
func parseChunk(p []byte) (c Chunk, n int, ok bool) {
	if len(p) < 1 {
		return c, 1, false
	}
	c.control = p[0]
	switch {
	case c.control == 0:
		return c, 1, true
	case c.control >= 0x80:
		n = 5
		c.header = 5
		if c.control >= 0xc0 {
			c.header = 6 // with properties
		}
		if len(p) < n {
			return c, n, false
		}
		c.ResetDictionary = c.control >= 0xe0
		c.Plain = int(c.control&0x1f)<<16 + int(p[1])<<8 + int(p[2]) + 1
		c.Stored = c.header + int(p[3])<<8 + int(p[4]) + 1
	case c.control <= 2:
		n = 3
		c.header = 3
		if len(p) < n {
			return c, n, false
		}
		c.ResetDictionary = c.control == 1
		c.Plain = int(p[1])<<8 + int(p[2]) + 1
		c.Stored = c.header + c.Plain
	default:
		return c, 1, false
	}
	return c, n, true
}

// chunkDecoder decodes chunks.
type chunkDecoder struct {
	decoder
	begun   bool   // the dictionary has been reset
	learned bool   // the properties have been set since
	left    int    // plain bytes of the chunk that are still to be decoded
	end     int    // of the chunk in r.in
	copied  bool   // the chunk is not compressed
	data    []byte // what is left of it then
}

// begin begins a chunk, which is in p, followed by margin bytes.
func (d *chunkDecoder) begin(c Chunk, p []byte) error {
	if c.ResetDictionary {
		d.before = -int64(d.pos)
		d.begun, d.learned = true, false
	}
	if !d.begun {
		return errDamaged
	}
	d.left = c.Plain
	if d.copied = c.control < 0x80; d.copied {
		d.data = p[c.header:c.Stored]
		return nil
	}
	if c.control >= 0xc0 {
		if props := p[5]; !d.setProps(props) || props%9+props/9%5 > 4 {
			return errDamaged
		}
		d.learned = true
	}
	if !d.learned {
		return errDamaged
	}
	if c.control >= 0xa0 {
		d.reset()
	}
	d.r.in, d.r.pos, d.end = p, c.header, c.Stored
	if c.Stored < c.header+5 || !d.r.begin() {
		return errDamaged
	}
	return nil
}

// step decodes more of the chunk, into window[:limit].
func (d *chunkDecoder) step(limit int) error {
	start := d.pos
	limit = min(limit, d.pos+d.left)
	if d.copied {
		n := copy(d.window[d.pos:limit], d.data)
		d.data = d.data[n:]
		d.pos += n
	} else if d.decode(limit, d.end) != more || d.pos < limit {
		return errDamaged
	}
	d.left -= d.pos - start
	if d.left > 0 || d.copied {
		return nil
	}
	d.r.normalize()
	if d.r.pos != d.end || d.r.code != 0 || d.copying > 0 {
		return errEnd
	}
	return nil
}

// Block decodes blocks of LZMA2: chunks of which the first resets the dictionary. It may be used for one after the other.
type Block struct{ d chunkDecoder }

// Decode fills dst with what the chunks in src, without the end of a stream, decode to, exactly. distance is the size of
// the dictionary in bytes.
func (b *Block) Decode(dst, src []byte, dictionary uint32) error {
	d := &b.d
	d.window, d.pos, d.dictionary, d.begun, d.copying = dst, 0, dictionary, false, 0
	defer func() { d.window, d.r.in, d.data = nil, nil, nil }()
	padded := append(src, make([]byte, margin)...)
	for at := 0; at < len(src); {
		c, _, ok := parseChunk(src[at:])
		if !ok || c.control == 0 || c.Stored > len(src)-at || c.Plain > len(dst)-d.pos {
			return errDamaged
		}
		if err := d.begin(c, padded[at:]); err != nil {
			return err
		}
		if err := d.step(len(dst)); err != nil {
			return err
		}
		at += c.Stored
	}
	if d.pos < len(dst) {
		return errEnd
	}
	return nil
}

// Reader2 decodes a stream of LZMA2.
type Reader2 struct {
	src   *bufio.Reader
	d     chunkDecoder
	chunk []byte
	out   output
}

// NewReader2 returns a reader of the plain bytes of the stream of LZMA2 in src, of which it reads no more than that. dictionary is the
// size of the dictionary in bytes, which is allocated; the stream's plain size is enough. Its errors are those of src,
// io.ErrUnexpectedEOF where src ends within the stream, and others for impossible data.
func NewReader2(src *bufio.Reader, dictionary uint32) *Reader2 {
	r := &Reader2{src: src, chunk: make([]byte, MaxStored+margin)}
	r.d.dictionary = dictionary
	r.d.window = make([]byte, max(dictionary, 1))
	return r
}

func (r *Reader2) Read(p []byte) (int, error) {
	return r.out.read(p, &r.d.decoder, r.fill)
}

// fill decodes more.
func (r *Reader2) fill() error {
	d := &r.d
	if d.left == 0 {
		if err := r.next(); err != nil {
			return err
		}
	}
	r.out.wrap(&d.decoder)
	return d.step(len(d.window))
}

// next reads the next chunk.
func (r *Reader2) next() error {
	c, err := PeekChunk(r.src)
	if err == io.EOF {
		r.src.Discard(1)
	}
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(r.src, r.chunk[:c.Stored]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return r.d.begin(c, r.chunk[:c.Stored+margin])
}
