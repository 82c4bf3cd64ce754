package compress

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// GzipOptions are the settings of [Gzip].
type GzipOptions struct {
	// Level is 1 (fastest) to 9 (smallest); 0 is the default, 6.
	Level int
	// Concurrency is how many blocks are compressed at the same time; 0 is GOMAXPROCS.
	Concurrency int
}

// Gzip is the format of gzip(1), RFC 1952. nil is the default options.
//
// The output is one member, compressed in blocks of 1 MiB side by side, each with the
// 32 KiB before it as dictionary, in about 5 MiB per worker. Decompressing
// takes less than 1 MiB and reads any number of members, each verified by its
// CRC-32 and length. Zeros after the last, which gzip(1) ignores, are an error.
func Gzip(o *GzipOptions) Compressor {
	c := gzipCompressor{}
	if o != nil {
		c.GzipOptions = *o
	}
	if c.Level == 0 {
		c.Level = gzipDefault
	}
	return c
}

const (
	gzipDefault = 6
	gzipBlock   = 1 << 20
	gzipWindow  = 32 << 10
)

type gzipCompressor struct{ GzipOptions }

func (gzipCompressor) Name() string      { return "gzip" }
func (gzipCompressor) Extension() string { return ".gz" }

func (c gzipCompressor) Params() map[string]string {
	return map[string]string{"level": strconv.Itoa(c.Level)}
}

// Validate implements [Validator].
func (c gzipCompressor) Validate() error { return checkLevel("gzip", c.Level, 1, 9) }

func (c gzipCompressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var crc, size uint32
	return newBlockWriter(dst, encoding{
		size:    gzipBlock,
		overlap: gzipWindow,
		workers: workers(c.Concurrency),
		head:    c.header(),
		encode:  c.encode,
		written: func(b *block) {
			crc = crc32.Update(crc, crc32.IEEETable, b.plain())
			size += uint32(len(b.plain()))
		},
		tail: func() []byte {
			return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, crc), size)
		},
	}), nil
}

// header is that of RFC 1952, without name and time, from an unknown system.
func (c gzipCompressor) header() []byte {
	extra := byte(0)
	switch c.Level {
	case 1:
		extra = 4
	case 9:
		extra = 2
	}
	return []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra, 0xff}
}

// deflater writes to a block's out. letters codes literals alone, into lettersOut.
type deflater struct {
	*flate.Writer
	out, lettersOut bytes.Buffer
	letters         *flate.Writer
}

// end ends a block at a byte boundary, or the stream.
func end(w *flate.Writer, last bool) error {
	if last {
		return w.Close()
	}
	return w.Flush()
}

// encode deflates a block to a byte boundary, or to the end of the stream.
func (c gzipCompressor) encode(b *block) (err error) {
	d, ok := b.state.(*deflater)
	if !ok {
		d = &deflater{}
		if d.Writer, err = flate.NewWriter(&d.out, c.Level); err != nil {
			return err
		}
		b.state = d
	}
	d.out.Reset()
	d.ResetDict(&d.out, b.in[:b.overlap])
	if _, err = d.Write(b.plain()); err != nil {
		return err
	}
	if err = end(d.Writer, b.last); err != nil {
		return err
	}
	b.out = d.out.Bytes()
	if len(b.out) > len(b.plain())-len(b.plain())/8 {
		return d.codeLetters(b)
	}
	return nil
}

// codeLetters helps where the deflater, for speed, stores what has no matches as it is: few letters, as of
// base64, take less room all the same.
func (d *deflater) codeLetters(b *block) (err error) {
	d.lettersOut.Reset()
	if d.letters == nil {
		if d.letters, err = flate.NewWriter(&d.lettersOut, flate.HuffmanOnly); err != nil {
			return err
		}
	}
	d.letters.Reset(&d.lettersOut)
	if _, err = d.letters.Write(b.plain()); err != nil {
		return err
	}
	if err = end(d.letters, b.last); err == nil && d.lettersOut.Len() < len(b.out) {
		b.out = d.lettersOut.Bytes()
	}
	return err
}

func (gzipCompressor) Decompress(src io.Reader) (io.ReadCloser, error) {
	return &gzipReader{src: newSource(src)}, nil
}

// gzipReader reads one member after the other, so that it can tell a further
// member from garbage.
type gzipReader struct {
	src source
	z   *gzip.Reader
	err error
}

var gzipMagic = []byte{0x1f, 0x8b, 8}

func (r *gzipReader) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for n == 0 && r.err == nil {
		if r.z == nil {
			r.err = r.src.explain("gzip", r.member())
			continue
		}
		n, err = r.z.Read(p)
		if err == io.EOF {
			err = r.member()
		}
		r.err = r.src.explain("gzip", err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

// member begins the next member.
func (r *gzipReader) member() (err error) {
	err = r.src.atMagic(gzipMagic)
	if err == io.EOF && r.z == nil {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if r.z == nil {
		r.z, err = gzip.NewReader(r.src.Reader)
	} else {
		err = r.z.Reset(r.src.Reader)
	}
	if err == nil {
		r.z.Multistream(false)
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (r *gzipReader) Close() error {
	r.z, r.err = nil, errReadClosed
	return nil
}
