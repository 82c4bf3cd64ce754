// Package compress has the compressors: None, Gzip, Zstd and XZ. All write what
// the stock tools read, in parallel over blocks, and read whatever the stock
// tools write.
//
// What belongs here is a Compressor interface and its implementations; nothing
// here knows of volumes, snapshots or keys.
package compress

import "io"

// Compressor is a compressing stage. It is immutable and safe for concurrent use.
type Compressor interface {
	// Name is what the manifest calls the format, such as "zstd": 1 to 32 of [a-z0-9-].
	Name() string
	// Extension is what an object's name gets, such as ".zst", empty for None;
	// it matches (\.[a-z0-9]{1,10})?.
	Extension() string
	// Params describes the effective settings for the manifest and for people,
	// such as {"level": "3"}; decompressing never needs them. It may be nil.
	Params() map[string]string

	// Compress returns a writer that compresses to dst. Close flushes, ends the
	// stream and every goroutine, and never closes dst; it must be called
	// once, after a failed Write too. Errors of dst come back from Write or Close and are sticky.
	Compress(dst io.Writer) (io.WriteCloser, error)
	// Decompress returns a reader of what Compress wrote, and of what the
	// stock tools write: concatenated frames, members or streams included. Truncated input is
	// io.ErrUnexpectedEOF, damaged input and trailing garbage another error, never io.EOF, and all errors are
	// sticky. Memory is bounded whatever the input says. Close ends every
	// goroutine (waiting for a Read of src in progress) and never closes src.
	Decompress(src io.Reader) (io.ReadCloser, error)
}
