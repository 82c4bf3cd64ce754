package compress

import (
	"io"
	"strconv"

	"github.com/databasement/backup/internal/blocks"
	"github.com/klauspost/compress/zstd"
)

// ZstdOptions are the settings of [Zstd].
type ZstdOptions struct {
	// Level is 1 (fastest) to 19 (smallest) as in zstd(1), served by the nearest of four
	// encoders: fastest (1–2), default (3–5), better (6–9) and best (10–19). 0 is
	// the default, 3.
	Level int
	// Concurrency is how many frames are compressed at the same time; 0 is GOMAXPROCS.
	Concurrency int
	// SingleFrame writes one frame, for readers that stop after one. It is
	// slower: a frame is compressed by little more than one core.
	SingleFrame bool
}

// Zstd is the format of zstd(1), RFC 8878. nil is the default options.
//
// The output is a frame for each 4 MiB, compressed side by side, with size and
// checksum (a frame of no data has none). Measured with two workers, compressing
// takes 18 MiB for each at level 3 and 53 MiB from level 10 on; decompressing 14 MiB.
//
// Decompressing reads frames of any size, skippable ones too, that need a window
// of at most [ZstdMaxWindow]; frames of more than 8 MiB or of unknown size one by
// one. A stream that was cut exactly between two frames is itself a
// valid stream: only its length, which the manifest has, tells.
func Zstd(o *ZstdOptions) Compressor {
	c := zstdCompressor{}
	if o != nil {
		c.ZstdOptions = *o
	}
	if c.Level == 0 {
		c.Level = zstdDefault
	}
	return c
}

const (
	zstdDefault = 3
	zstdBlock   = 4 << 20
)

type zstdCompressor struct{ ZstdOptions }

func (zstdCompressor) Name() string      { return "zstd" }
func (zstdCompressor) Extension() string { return ".zst" }

func (c zstdCompressor) encoder() zstd.EncoderLevel { return zstd.EncoderLevelFromZstd(c.Level) }

func (c zstdCompressor) Params() map[string]string {
	return map[string]string{"level": strconv.Itoa(c.Level), "encoder": c.encoder().String()}
}

// Validate implements [Validator].
func (c zstdCompressor) Validate() error { return checkLevel("zstd", c.Level, 1, 19) }

func (c zstdCompressor) Compress(dst io.Writer) (io.WriteCloser, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n := blocks.Workers(c.Concurrency)
	options := []zstd.EOption{
		zstd.WithEncoderLevel(c.encoder()),
		zstd.WithAllLitEntropyCompression(true), // else base64 and the like, without matches, stay as they are
		zstd.WithEncoderConcurrency(n),
		zstd.WithZeroFrames(true), // empty input is an empty frame
	}
	if c.SingleFrame {
		return newZstdFrameWriter(dst, options)
	}
	// With a window as large as a frame, less memory costs no speed.
	e, err := zstd.NewWriter(nil, append(options, zstd.WithWindowSize(zstdBlock), zstd.WithLowerEncoderMem(true))...)
	if err != nil {
		return nil, err
	}
	return blocks.NewWriter(dst, blocks.Encoding{
		Size:    zstdBlock,
		Workers: n,
		Encode: func(b *blocks.Block) error {
			b.Out = e.EncodeAll(b.In, b.Out)
			return nil
		},
	}), nil
}

// zstdFrameWriter writes a single frame.
type zstdFrameWriter struct {
	z      *zstd.Encoder
	dst    plainWriter // keeps the first error, after which nothing is written
	closed bool
	err    error
}

func newZstdFrameWriter(dst io.Writer, options []zstd.EOption) (io.WriteCloser, error) {
	w := &zstdFrameWriter{dst: plainWriter{dst: dst}}
	var err error
	w.z, err = zstd.NewWriter(&w.dst, options...)
	return w, err
}

func (w *zstdFrameWriter) Write(p []byte) (n int, err error) {
	switch {
	case w.err != nil:
		return 0, w.err
	case w.closed:
		return 0, errWriteClosed
	}
	n, w.err = w.z.Write(p)
	return n, w.err
}

func (w *zstdFrameWriter) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	err := w.z.Close()
	// Close does not wait for its goroutines after an error; Reset does.
	w.z.Reset(nil)
	if w.err == nil {
		w.err = err
	}
	return w.err
}
