package compress_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/databasement/backup/compress"
)

// checked are the formats that notice damage.
func checked() map[string]compress.Compressor {
	m := map[string]compress.Compressor{}
	for name, c := range compressors {
		if c != compress.None {
			m[name] = c
		}
	}
	return m
}

// TestTruncated cuts a small output at every byte, none at all included.
func TestTruncated(t *testing.T) {
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, plain := range [][]byte{nil, text(3000)} {
				stored := pack(t, c, plain)
				for n := range len(stored) {
					got, err := unpack(t, c, bytes.NewReader(stored[:n]))
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%d of %d bytes: %v", n, len(stored), err)
					}
					if !bytes.HasPrefix(plain, got) {
						t.Errorf("%d of %d bytes: wrong data", n, len(stored))
					}
				}
			}
		})
	}
}

// TestTruncatedLarge cuts where blocks and frames meet. A cut exactly between zstd frames is
// the one that a codec cannot see: the prefix is itself a valid stream.
func TestTruncatedLarge(t *testing.T) {
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := several(c)
			stored := pack(t, c, plain)
			for n := 1; n < len(stored); n += len(stored)/9 + 1 {
				got, err := unpack(t, c, bytes.NewReader(stored[:n]))
				if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(plain, got) {
					t.Errorf("%d of %d bytes: %d bytes, %v", n, len(stored), len(got), err)
				}
			}
		})
	}
}

// TestFlipped flips each bit of a small output: the end is an error, or the data is right (gzip's
// header has fields that mean nothing to the data).
func TestFlipped(t *testing.T) {
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := text(700)
			stored := pack(t, c, plain)
			harmless := 0
			for i := range 8 * len(stored) {
				bad := slices.Clone(stored)
				bad[i/8] ^= 1 << (i % 8)
				got, err := unpack(t, c, bytes.NewReader(bad))
				if err != nil {
					continue
				}
				harmless++
				if !bytes.Equal(got, plain) {
					t.Errorf("bit %d: other data, no error", i)
				}
			}
			// gzip: time, extra flags, system and the flag for text; others: unused bits.
			if limit := 64; harmless > limit {
				t.Errorf("%d flips went unnoticed, more than %d", harmless, limit)
			}
		})
	}
}

func TestTrailingGarbage(t *testing.T) {
	for name, c := range checked() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, plain := range [][]byte{nil, text(5000)} {
				stored := pack(t, c, plain)
				for _, garbage := range []string{"x", "\x00", "\x00\x00", "\n", "garbage", "some more garbage, long enough to be a header", "\x00\x00\x00\x00x"} {
					got, err := unpack(t, c, bytes.NewReader(append(slices.Clone(stored), garbage...)))
					if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%q after %d bytes: %v", garbage, len(stored), err)
					}
					if !bytes.Equal(got, plain) {
						t.Errorf("%q after %d bytes: the data before it is lost", garbage, len(stored))
					}
				}
				// The beginning of another member is a truncated one.
				for n := 1; n < 3; n++ {
					_, err := unpack(t, c, bytes.NewReader(append(slices.Clone(stored), stored[:n]...)))
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%d bytes of another: %v", n, err)
					}
				}
			}
		})
	}
}

func TestNotTheFormat(t *testing.T) {
	for name, c := range checked() {
		for _, in := range []string{"x", "PGDMP", "-- MySQL dump 10.13, and so on and so on", "\x00\x00\x00\x00"} {
			got, err := unpack(t, c, bytes.NewReader([]byte(in)))
			if err == nil || errors.Is(err, io.ErrUnexpectedEOF) || len(got) > 0 {
				t.Errorf("%s of %q: %q, %v", name, in, got, err)
			}
		}
	}
}

// TestConcatenated: cat a b is a stream of what a and b were.
func TestConcatenated(t *testing.T) {
	a, b := text(100_000), []byte("the end")
	for name, c := range compressors {
		stored := slices.Concat(pack(t, c, nil), pack(t, c, a), pack(t, c, nil), pack(t, c, b))
		if got, err := unpack(t, c, bytes.NewReader(stored)); err != nil || !bytes.Equal(got, slices.Concat(a, b)) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
