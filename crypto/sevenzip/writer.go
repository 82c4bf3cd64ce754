package sevenzip

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/databasement/backup/crypto/sevenzip/internal/header"
	"github.com/databasement/backup/internal/sink"
)

// FileHeader is what an archive says of the file in it.
type FileHeader struct {
	// Name is the file's name, such as "shop.sql": 1 to 255 UTF-16 units, with no slash, backslash, colon or control character, and not "." or "..".
	Name string
	// Modified is when it was modified, to 100 ns; the zero Time for now.
	Modified time.Time
}

func (h *FileHeader) check() error {
	units := len(utf16.Encode([]rune(h.Name)))
	bad := func(r rune) bool { return strings.ContainsRune(`/\:`, r) || r < ' ' || r == 0x7f }
	if units < 1 || units > 255 || !utf8.ValidString(h.Name) || strings.ContainsFunc(h.Name, bad) || h.Name == "." || h.Name == ".." {
		return fmt.Errorf("7z: %.300q cannot be the name of a file in an archive: it must be 1 to 255 characters without / \\ : "+
			"and control characters", h.Name)
	}
	return nil
}

// Writer writes an archive of one file, as it comes, in fixed memory. It is used by one goroutine.
type Writer struct {
	dst  io.WriteSeeker
	base int64
	a    *archive
}

// NewWriter begins an archive at dst's current position, encrypted with password; o is nil for the defaults. Close must be called: before, what
// was written is no archive.
//
//	f, err := os.Create("shop.sql.7z")
//	w, err := sevenzip.NewWriter(f, sevenzip.FileHeader{Name: "shop.sql"}, password, nil)
//	_, err = io.Copy(w, dump)
//	err = w.Close() // and f.Close()
func NewWriter(dst io.WriteSeeker, file FileHeader, password Password, o *Options) (*Writer, error) {
	s, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	base, err := dst.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("7z: the archive's first bytes are written last, so its destination must be seekable, "+
			"as a file is and a pipe is not: %w", err)
	}
	a, err := newArchive(context.Background(), dst, file, password, s)
	if err != nil {
		return nil, err
	}
	return &Writer{dst: dst, base: base, a: a}, nil
}

// Write compresses and encrypts.
func (w *Writer) Write(p []byte) (int, error) { return w.a.Write(p) }

// Close writes what is left, and then the archive's first bytes. It never closes what is below. After a failed Write it only releases, and
// returns that error again.
func (w *Writer) Close() error {
	if w.a.closed {
		return w.a.err
	}
	if err := w.a.Close(); err != nil {
		return err
	}
	w.a.err = w.writeStart()
	return w.a.err
}

func (w *Writer) writeStart() error {
	head, err := w.a.head()
	if err != nil {
		return err
	}
	end, err := w.dst.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := w.dst.Seek(w.base, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.dst.Write(head); err != nil {
		return err
	}
	_, err = w.dst.Seek(end, io.SeekStart)
	return err
}

// archive is an archive being written, in order. Its first bytes, the head, are placeholders.
type archive struct {
	dst      *sink.Sink
	settings settings
	file     header.File
	kdf      kdf
	block    cipher.Block

	compressor io.WriteCloser // nil until the first byte: an empty file has no stream
	coder      header.Coder
	aes        header.Coder
	cbc        *cbcWriter

	size   uint64
	crc    uint32
	start  header.Start
	closed bool
	err    error
}

// newArchive writes the placeholders. The key of a password takes about 0.1 s to derive.
func newArchive(ctx context.Context, dst io.Writer, file FileHeader, p Password, s settings) (*archive, error) {
	if p.IsZero() {
		return nil, errors.New("7z: there is no password to encrypt with")
	}
	if err := file.check(); err != nil {
		return nil, err
	}
	if file.Modified.IsZero() {
		file.Modified = time.Now()
	}
	a := &archive{dst: &sink.Sink{Ctx: ctx, Dst: dst}, settings: s, kdf: kdf{power: kdfPower}}
	if p.keyID() == "" { // a random key has no use for salt, and is derived once
		a.kdf.salt = string(random(saltSize))
	}
	var err error
	if a.block, err = p.cipher(ctx, a.kdf); err != nil {
		return nil, fmt.Errorf("7z: %w", err)
	}
	a.file = header.File{
		Name: file.Name, Modified: file.Modified,
		Attributes: header.AttributeArchive | header.UnixExtension | 0o100600<<16, // a file that only its owner reads
	}
	if _, err := a.dst.Write(make([]byte, header.StartSize)); err != nil {
		return nil, err
	}
	return a, nil
}

// random is n random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// encrypter makes a CBC stream to dst with a random vector, and describes it.
func (a *archive) encrypter() (*cbcWriter, header.Coder) {
	iv := random(a.block.BlockSize())
	return newCBCWriter(a.dst, a.block, iv), coderAES(a.kdf, iv)
}

func (a *archive) Write(p []byte) (int, error) {
	if a.err == nil && a.closed {
		return 0, errClosed
	}
	if a.err == nil {
		a.err = a.dst.Failed() // compressors write late
	}
	if a.err != nil || len(p) == 0 {
		return 0, a.err
	}
	if a.compressor == nil {
		a.cbc, a.aes = a.encrypter()
		a.compressor, a.coder = a.settings.compressor(a.cbc)
	}
	var n int
	n, a.err = a.compressor.Write(p)
	a.size += uint64(n)
	a.crc = crc32.Update(a.crc, crc32.IEEETable, p[:n])
	return n, a.err
}

// Close writes all but the head.
func (a *archive) Close() error {
	if a.closed {
		return a.err
	}
	a.closed = true
	if a.compressor != nil {
		if err := a.compressor.Close(); a.err == nil { // always, for its goroutines
			a.err = err
		}
	}
	if a.err == nil && a.cbc != nil {
		a.err = a.cbc.Close()
	}
	if a.err == nil {
		a.err = a.writeHeader()
	}
	a.compressor = nil
	return a.err
}

// writeHeader writes the encrypted header, and the one that says where that is.
func (a *archive) writeHeader() error {
	h := &header.Header{}
	var packed uint64
	if a.cbc != nil {
		packed = a.cbc.out
		a.file.HasStream = true
		h.Streams.Packed = []header.Packed{{Size: packed}}
		h.Streams.Folders = []header.Folder{a.folder()}
	}
	h.Files = []header.File{a.file}
	plain := h.Append(nil)
	plainCRC := crc32.ChecksumIEEE(plain)

	sum := &crcWriter{dst: a.dst}
	w, coder := a.encrypter()
	w.dst = sum
	if _, err := w.Write(plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	encoded := &header.Streams{
		Offset:  packed,
		Packed:  []header.Packed{{Size: w.out, CRC: &sum.crc}}, // tells damage from a wrong password
		Folders: []header.Folder{{Coders: []header.Coder{coder}, Sizes: []uint64{uint64(len(plain))}, CRC: &plainCRC}},
	}
	last := encoded.AppendEncoded(nil)
	a.start = header.Start{Offset: packed + w.out, Size: uint64(len(last)), CRC: crc32.ChecksumIEEE(last)}
	_, err := a.dst.Write(last)
	return err
}

// folder describes the file's stream. Decoders that read coders in order need AES first.
func (a *archive) folder() header.Folder {
	f := header.Folder{Coders: []header.Coder{a.aes}, Sizes: []uint64{a.cbc.in}, Plain: []header.Plain{{Size: a.size, CRC: &a.crc}}}
	if a.coder.Method != header.Copy {
		f.Coders = append(f.Coders, a.coder)
		f.Bonds = []header.Bond{{Input: 1, Output: 0}}
		f.Sizes = append(f.Sizes, a.size)
	}
	return f
}

// head is what replaces the placeholders.
func (a *archive) head() ([]byte, error) {
	if !a.closed || a.err != nil {
		return nil, errors.New("7z: the archive is not complete")
	}
	return a.start.Append(nil), nil
}

// crcWriter sums what goes through it.
type crcWriter struct {
	dst io.Writer
	crc uint32
}

func (w *crcWriter) Write(p []byte) (int, error) {
	n, err := w.dst.Write(p)
	w.crc = crc32.Update(w.crc, crc32.IEEETable, p[:n])
	return n, err
}

var errClosed = fmt.Errorf("7z: used after Close: %w", os.ErrClosed)
