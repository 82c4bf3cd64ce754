package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"slices"

	"github.com/databasement/backup/internal/blocks"
	"github.com/ulikunitz/xz/lzma"
)

// xzMaxBlock is the largest plain size of a block that is decompressed in one
// piece, so that several are at the same time: that of xz -6 -T.
const xzMaxBlock = 24 << 20

func (c xzCompressor) Decompress(src io.Reader) (io.ReadCloser, error) {
	r := &xzReader{src: newSource(src)}
	return blocks.NewReader(blocks.Decoding{
		Workers: blocks.Workers(c.Concurrency),
		Next:    func(b *blocks.Block) error { return r.src.explain("xz", r.next(b)) },
		Decode:  func(b *blocks.Block) error { return r.src.explain("xz", decodeXZBlock(b)) },
	}), nil
}

// xzReader finds the blocks of the streams.
type xzReader struct {
	src    source
	any    bool      // there has been a stream
	index  *xzDigest // of the stream's blocks so far; nil between streams
	check  xzCheck
	stream *xzBlock // the block that was streamed last
}

// next reads a block of known, moderate size into b.In, or lets b.Stream decompress it.
func (r *xzReader) next(b *blocks.Block) error {
	if r.stream != nil {
		r.index.add(r.stream.unpadded, r.stream.plain)
		r.stream = nil
	}
	for {
		if r.index == nil {
			if err := r.begin(); err != nil {
				return err
			}
		}
		size, err := r.src.Peek(1)
		if err != nil {
			return noEOF(err)
		}
		if size[0] != 0 {
			return r.block(b, 4*(int(size[0])+1))
		}
		if err := r.tail(); err != nil {
			return err
		}
		r.index = nil
	}
}

// begin reads padding (section 2.2) and a stream's header.
func (r *xzReader) begin() error {
	for n := 0; r.any; n++ {
		p, err := r.src.Peek(1)
		if err == nil && p[0] == 0 {
			r.src.Discard(1)
			continue
		}
		if n%4 != 0 {
			return errors.New("impossible padding after a stream")
		}
		break
	}
	err := r.src.atMagic(xzMagic)
	if err == io.EOF && !r.any {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	var p [xzHeaderSize]byte
	if _, err = io.ReadFull(r.src, p[:]); err != nil {
		return noEOF(err)
	}
	r.any, r.index = true, newXZDigest()
	r.check, err = parseXZHeader(p[:])
	return err
}

// block reads a block's header and decides how to decompress it.
func (r *xzReader) block(b *blocks.Block, headerSize int) error {
	p := make([]byte, headerSize)
	if _, err := io.ReadFull(r.src, p); err != nil {
		return noEOF(err)
	}
	h, err := parseXZBlockHeader(p)
	if err != nil {
		return err
	}
	x := &xzBlock{header: h, check: r.check}
	if h.stored < 0 || h.plain < 0 || h.plain > xzMaxBlock || h.stored > h.plain+h.plain>>8+1<<10 {
		r.stream, b.Stream = x, explained{x, r.src, "xz"}
		return x.open(r.src)
	}
	stored := int(h.stored) + int(-h.stored&3) + r.check.size()
	b.In = slices.Grow(b.In, stored)[:stored]
	if _, err := io.ReadFull(r.src, b.In); err != nil {
		return noEOF(err)
	}
	r.index.add(int64(h.size)+h.stored+int64(r.check.size()), h.plain)
	b.State = x
	return nil
}

// decodeXZBlock decompresses a block that next has read.
func decodeXZBlock(b *blocks.Block) error {
	x := b.State.(*xzBlock)
	if err := x.open(bytes.NewReader(b.In)); err != nil {
		return err
	}
	n := int(x.header.plain)
	b.Out = slices.Grow(b.Out, n)[:n]
	if _, err := io.ReadFull(x, b.Out); err != nil && err != io.EOF {
		return damaged(err)
	}
	var more [1]byte
	if _, err := io.ReadFull(x, more[:]); err != io.EOF {
		if err == nil {
			err = errXZSize
		}
		return damaged(err)
	}
	return nil
}

// damaged is for errors in a block that is complete: its end is not the stream's.
func damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errXZSize
	}
	return err
}

var errXZSize = errors.New("a block is not of the size that its header says")

// byteReader is what a block is read from.
type byteReader interface {
	io.Reader
	io.ByteReader
}

// counter counts what is read.
type counter struct {
	r byteReader
	n int64
}

func (c *counter) Read(p []byte) (n int, err error) {
	n, err = c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

// xzBlock yields a block's plain bytes, then checks it and gives io.EOF.
type xzBlock struct {
	header   xzBlockHeader
	check    xzCheck
	src      counter
	lzma2    *lzma.Reader2
	sum      hash.Hash
	plain    int64 // so far
	unpadded int64 // once it has been read
	done     bool
}

// open begins to read the block's data from r.
func (x *xzBlock) open(r byteReader) (err error) {
	dictionary := max(x.header.dictionary, lzma.MinDictCap)
	if x.header.plain >= 0 {
		dictionary = min(dictionary, max(x.header.plain, lzma.MinDictCap))
	}
	x.src = counter{r: r}
	x.sum = x.check.hash()
	x.lzma2, err = lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(&x.src)
	return err
}

func (x *xzBlock) Read(p []byte) (int, error) {
	if x.done {
		return 0, io.EOF
	}
	n, err := x.lzma2.Read(p)
	x.plain += int64(n)
	if x.sum != nil {
		x.sum.Write(p[:n])
	}
	if x.header.plain >= 0 && x.plain > x.header.plain {
		return 0, errXZSize
	}
	if err == io.EOF {
		if err = x.finish(); err == nil {
			x.done, err = true, io.EOF
		}
	}
	return n, err
}

// finish checks the sizes and reads padding and check.
func (x *xzBlock) finish() error {
	stored := x.src.n
	h := x.header
	if h.plain >= 0 && x.plain != h.plain || h.stored >= 0 && stored != h.stored {
		return errXZSize
	}
	var tail [3 + 32]byte
	padding, check := int(-stored&3), x.check.size()
	if _, err := io.ReadFull(&x.src, tail[:padding+check]); err != nil {
		return noEOF(err)
	}
	if !zero(tail[:padding]) {
		return errors.New("impossible padding of a block")
	}
	if check > 0 && !bytes.Equal(tail[padding:padding+check], x.check.stored(x.sum)) {
		return errors.New("wrong checksum of a block")
	}
	x.unpadded = int64(h.size) + stored + int64(check)
	return nil
}

// tail reads a stream's index and footer.
func (r *xzReader) tail() error {
	sum := crc32.NewIEEE()
	in := &counter{r: teeByteReader{r.src, sum}}
	if _, err := in.ReadByte(); err != nil { // the zero that says that no block follows
		return noEOF(err)
	}
	n, err := readVLI(in)
	count := uint64(n)
	if err != nil {
		return err
	}
	got := newXZDigest()
	for got.count < min(count, r.index.count+1) {
		unpadded, err := readVLI(in)
		if err != nil {
			return err
		}
		plain, err := readVLI(in)
		if err != nil {
			return err
		}
		got.add(unpadded, plain)
	}
	if !got.equal(r.index) {
		return errors.New("the index does not describe the blocks")
	}
	p := make([]byte, int(-in.n&3)+4+xzHeaderSize)
	if _, err := io.ReadFull(r.src, p); err != nil {
		return noEOF(err)
	}
	padding, p := p[:int(-in.n&3)], p[int(-in.n&3):]
	sum.Write(padding)
	switch {
	case !zero(padding) || binary.LittleEndian.Uint32(p) != sum.Sum32():
		return errors.New("wrong checksum of the index")
	case !bytes.Equal(p[4:], xzFooter(in.n+int64(len(padding))+4, r.check)):
		return errors.New("the footer does not fit the index")
	}
	return nil
}

// teeByteReader is io.TeeReader with ReadByte, into a hash.
type teeByteReader struct {
	byteReader
	sum hash.Hash
}

func (t teeByteReader) ReadByte() (byte, error) {
	b, err := t.byteReader.ReadByte()
	if err == nil {
		t.sum.Write([]byte{b})
	}
	return b, err
}
