package compress

import (
	"bytes"
	"encoding/binary"
	"hash/crc64"
	"io"
	"strconv"

	"github.com/databasement/backup/internal/blocks"
	"github.com/ulikunitz/xz/lzma"
)

// XZOptions are the settings of [XZ].
type XZOptions struct {
	// Level is a preset of xz(1), 1 to 9: it sets the dictionary, which is 1, 2, 4, 4, 8, 8,
	// 16, 32 and 64 MiB. 0 is the default, 6.
	Level int
	// Fastest is preset 0 of xz(1), a dictionary of 256 KiB. Level must be 0 then.
	Fastest bool
	// Concurrency is how many blocks are compressed at the same time; 0 is GOMAXPROCS.
	Concurrency int
}

// XZ is the format of xz(1), version 1.1.0 of its specification
// (https://tukaani.org/xz/xz-file-format.txt). nil is the default options.
//
// The output is one stream of blocks, each three times the dictionary (but 1 to 64 MiB), as of
// xz -T. They are compressed side by side, and each says its sizes, so that
// readers can decompress them side by side too. Levels change the
// dictionary only: the matches are found by a simpler method than xz's, so the
// output is larger. Measured with two workers, compressing takes 190 MiB for each at level
// 6 and 800 MiB at level 9; decompressing takes 120 MiB for each where blocks are of at
// most 24 MiB (levels up to 6), else one worker and about thrice the dictionary.
//
// Decompressing reads any number of streams, with LZMA2 as the only filter (xz's
// default), with CRC-32, CRC-64, SHA-256 or no check, and with a
// dictionary of at most [XZMaxDictionary].
func XZ(o *XZOptions) Compressor {
	c := xzCompressor{}
	if o != nil {
		c.XZOptions = *o
	}
	if c.Level == 0 && !c.Fastest {
		c.Level = xzDefault
	}
	return c
}

const xzDefault = 6

// xzDictionary is the dictionary of xz(1)'s presets, in bytes.
var xzDictionary = [10]int{256 << 10, 1 << 20, 2 << 20, 4 << 20, 4 << 20, 8 << 20, 8 << 20, 16 << 20, 32 << 20, 64 << 20}

type xzCompressor struct{ XZOptions }

func (xzCompressor) Name() string      { return "xz" }
func (xzCompressor) Extension() string { return ".xz" }

func (c xzCompressor) Params() map[string]string {
	return map[string]string{"level": strconv.Itoa(c.Level)}
}

// Validate implements [Validator].
func (c xzCompressor) Validate() error {
	if c.Fastest {
		return checkLevel("xz with Fastest", c.Level, 0, 0)
	}
	return checkLevel("xz", c.Level, 0, 9)
}

func (c xzCompressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	dictionary := xzDictionary[c.Level]
	var index xzIndex
	return blocks.NewWriter(dst, blocks.Encoding{
		Size:    min(max(3*dictionary, 1<<20), 64<<20),
		Workers: blocks.Workers(c.Concurrency),
		Head:    appendXZHeader(nil, xzCRC64),
		Encode:  func(b *blocks.Block) error { return encodeXZBlock(b, dictionary) },
		Written: func(b *blocks.Block) {
			if unpadded, ok := b.State.(int64); ok {
				index.add(unpadded, int64(len(b.In)))
			}
		},
		Tail: func() []byte { return index.appendTail(nil, xzCRC64) },
	}), nil
}

// encodeXZBlock appends the block with its header, padding and check to b.Out, and leaves its
// unpadded size in b.State. An empty input has no block.
func encodeXZBlock(b *blocks.Block, dictionary int) error {
	b.State = nil
	if len(b.In) == 0 {
		return nil
	}
	for dictionary/2 >= max(len(b.In), lzma.MinDictCap) {
		dictionary /= 2
	}
	var data bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: dictionary}.NewWriter2(&data)
	if err != nil {
		return err
	}
	if _, err = w.Write(b.In); err != nil {
		return err
	}
	if err = w.Close(); err != nil {
		return err
	}
	h := xzBlockHeader{dictionary: int64(dictionary), stored: int64(data.Len()), plain: int64(len(b.In))}
	b.Out = h.appendTo(b.Out)
	unpadded := int64(len(b.Out) + data.Len() + xzCRC64.size())
	b.Out = appendPadding(append(b.Out, data.Bytes()...))
	b.Out = binary.LittleEndian.AppendUint64(b.Out, crc64.Checksum(b.In, crc64ECMA))
	b.State = unpadded
	return nil
}
