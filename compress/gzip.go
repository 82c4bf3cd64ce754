package compress

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"strconv"

	"github.com/databasement/backup/internal/blocks"
	"github.com/databasement/backup/internal/deflate"
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

const gzipDefault = 6

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
	return blocks.NewWriter(dst, blocks.Encoding{
		Size:    deflate.BlockSize,
		Overlap: deflate.Window,
		Workers: blocks.Workers(c.Concurrency),
		Head:    c.header(),
		Encode:  deflate.Encode(c.Level),
		Written: func(b *blocks.Block) {
			crc = crc32.Update(crc, crc32.IEEETable, b.Plain())
			size += uint32(len(b.Plain()))
		},
		Tail: func() []byte {
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
