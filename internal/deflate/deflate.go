// Package deflate encodes streams as deflate (RFC 1951) in blocks that can be encoded side by side: each
// ends at a byte boundary and begins with the end of the one before as its dictionary.
package deflate

import (
	"bytes"

	"github.com/databasement/backup/internal/blocks"
	"github.com/klauspost/compress/flate"
)

// What a [blocks.Encoding] of deflate has, in bytes.
const (
	BlockSize = 1 << 20
	Window    = 32 << 10 // overlap
)

// Encode makes the encoding function of a [blocks.Encoding] with blocks of BlockSize that overlap by Window. level
// is 1 (fastest) to 9 (smallest). An encoder, kept with its block, takes about 3.5 MiB.
func Encode(level int) func(*blocks.Block) error {
	return func(b *blocks.Block) (err error) {
		d, ok := b.State.(*encoder)
		if !ok {
			if d, err = newEncoder(level); err != nil {
				return err
			}
			b.State = d
		}
		return d.encode(b)
	}
}

// encoder writes to a block's Out. letters codes literals alone, into lettersOut.
type encoder struct {
	*flate.Writer
	out, lettersOut bytes.Buffer
	letters         *flate.Writer
}

func newEncoder(level int) (*encoder, error) {
	d := &encoder{}
	var err error
	d.Writer, err = flate.NewWriter(&d.out, level)
	return d, err
}

// encode deflates a block to a byte boundary, or to the end of the stream.
func (d *encoder) encode(b *blocks.Block) error {
	d.out.Reset()
	d.ResetDict(&d.out, b.In[:b.Overlap])
	if _, err := d.Write(b.Plain()); err != nil {
		return err
	}
	if err := end(d.Writer, b.Last); err != nil {
		return err
	}
	b.Out = d.out.Bytes()
	if len(b.Out) > len(b.Plain())-len(b.Plain())/8 {
		return d.codeLetters(b)
	}
	return nil
}

// end ends a block at a byte boundary, or the stream.
func end(w *flate.Writer, last bool) error {
	if last {
		return w.Close()
	}
	return w.Flush()
}

// codeLetters helps where the deflater, for speed, stores what has no matches as it is: few letters, as of
// base64, take less room all the same.
func (d *encoder) codeLetters(b *blocks.Block) (err error) {
	d.lettersOut.Reset()
	if d.letters == nil {
		if d.letters, err = flate.NewWriter(&d.lettersOut, flate.HuffmanOnly); err != nil {
			return err
		}
	}
	d.letters.Reset(&d.lettersOut)
	if _, err = d.letters.Write(b.Plain()); err != nil {
		return err
	}
	if err = end(d.letters, b.Last); err == nil && d.lettersOut.Len() < len(b.Out) {
		b.Out = d.lettersOut.Bytes()
	}
	return err
}
