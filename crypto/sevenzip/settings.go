package sevenzip

import (
	"fmt"
	"io"
	"strconv"

	"github.com/databasement/backup/crypto/sevenzip/internal/header"
	"github.com/databasement/backup/internal/blocks"
	"github.com/databasement/backup/internal/deflate"
)

// Method is how an archive's contents are compressed.
type Method string

// The methods that are written; see [Options].
const (
	Deflate Method = "deflate"
	LZMA2   Method = "lzma2"
	Copy    Method = "copy" // not at all
)

// DefaultLevel is the level of compression where none is given.
const DefaultLevel = 6

// Options are the settings of [New] and [NewWriter]; nil is the defaults.
type Options struct {
	// Method is [Deflate] if empty.
	Method Method
	// Level is 1 (fastest) to 9 (smallest); 0 is [DefaultLevel]. Copy has none.
	Level int
	// Concurrency is how many blocks are compressed at the same time; 0 is GOMAXPROCS.
	Concurrency int

	// ReadWith are further passwords for reading, such as former ones.
	ReadWith []Password
	// File names the file to read from archives that have several; a path as the archive has it, with slashes.
	File string
}

// settings are Options that were checked.
type settings struct {
	method  Method
	level   int
	workers int
}

func newSettings(o *Options) (settings, error) {
	if o == nil {
		o = &Options{}
	}
	s := settings{method: o.Method, level: o.Level, workers: blocks.Workers(o.Concurrency)}
	if s.method == "" {
		s.method = Deflate
	}
	if s.method != Deflate && s.method != LZMA2 && s.method != Copy {
		return s, fmt.Errorf("7z: there is no method %.40q: it must be %q, %q or %q", s.method, Deflate, LZMA2, Copy)
	}
	if s.method == Copy && s.level != 0 {
		return s, fmt.Errorf("7z: level %d: the method %q has no levels", s.level, Copy)
	}
	if s.level < 0 || s.level > 9 {
		return s, fmt.Errorf("7z: level %d: it must be between 1 and 9, or 0 for the default, %d", s.level, DefaultLevel)
	}
	if s.level == 0 && s.method != Copy {
		s.level = DefaultLevel
	}
	return s, nil
}

// params describes the settings for a manifest.
func (s settings) params() map[string]string {
	p := map[string]string{"method": string(s.method)}
	if s.level > 0 {
		p["level"] = strconv.Itoa(s.level)
	}
	return p
}

// compressor compresses to dst, and describes how to decompress.
func (s settings) compressor(dst io.Writer) (io.WriteCloser, header.Coder) {
	switch s.method {
	case Deflate:
		return blocks.NewWriter(dst, blocks.Encoding{
			Size:    deflate.BlockSize,
			Overlap: deflate.Window,
			Workers: s.workers,
			Encode:  deflate.Encode(s.level),
		}), header.Coder{Method: header.Deflate, Inputs: 1}
	case LZMA2:
		return s.lzma2(dst)
	default:
		return nopCloser{dst}, header.Coder{Method: header.Copy, Inputs: 1}
	}
}

// nopCloser is for no compression.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
