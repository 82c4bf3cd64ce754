package sevenzip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/header"
	"github.com/databasement/backup/crypto/sevenzip/internal/method"
)

// source is the archive's bytes. It minds ctx, and remembers what reading failed with, so that that is not taken for damage.
type source struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	err  error
}

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = fmt.Errorf("the archive ends before its %d bytes: %w", s.size, io.ErrUnexpectedEOF)
	}
	s.err = err
	return n, err
}

func (s *source) readFull(p []byte, off int64) error {
	_, err := s.ReadAt(p, off)
	return err
}

// section reads n bytes from off on, which are within size.
func (s *source) section(off, n int64) io.Reader { return &section{s, off, n} }

// section is like io.SectionReader, but asks for no more than there is, and knows no end that is too early.
type section struct {
	src    *source
	off, n int64
}

func (s *section) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	n, err := s.src.ReadAt(p[:min(int64(len(p)), s.n)], s.off)
	s.off, s.n = s.off+int64(n), s.n-int64(n)
	return n, err
}

// encrypted reports whether reading a folder takes a password.
func encrypted(f *header.Folder) bool {
	return slices.ContainsFunc(f.Coders, func(c header.Coder) bool { return c.Method == header.AES })
}

// decoder is a folder being decoded.
type decoder struct {
	io.Reader
	closers []io.Closer
}

func (d *decoder) Close() error {
	var errs []error
	for _, c := range slices.Backward(d.closers) {
		errs = append(errs, c.Close())
	}
	d.closers = nil
	return errors.Join(errs...)
}

// openFolder decodes folder i of s.
func (r *Reader) openFolder(src *source, s *header.Streams, i int, p Password) (*decoder, error) {
	b := &builder{src: src, f: &s.Folders[i], password: p, d: &decoder{}}
	at, first := header.StartSize+int64(s.Offset), 0
	for _, f := range s.Folders[:i] {
		first += len(f.Packed)
	}
	for j, packed := range s.Packed[:first+len(b.f.Packed)] {
		if end := at + int64(packed.Size); end > src.size {
			return nil, fmt.Errorf("a stream ends at %d, the archive at %d: %w", end, src.size, crypto.ErrDamaged)
		}
		if j >= first {
			b.packed = append(b.packed, src.section(at, int64(packed.Size)))
		}
		at += int64(packed.Size)
	}
	var err error
	if b.d.Reader, err = b.output(b.f.Output()); err != nil {
		return nil, errors.Join(err, b.d.Close())
	}
	return b.d, nil
}

// builder puts a folder's coders together, the last one first.
type builder struct {
	src      *source
	f        *header.Folder
	packed   []io.Reader
	password Password
	d        *decoder
}

// output opens a coder.
func (b *builder) output(coder int) (io.Reader, error) {
	c, first := b.f.Coders[coder], b.f.FirstInput(coder)
	var in []io.Reader
	for i := first; i < first+c.Inputs; i++ {
		r, err := b.input(i)
		if err != nil {
			return nil, err
		}
		in = append(in, r)
	}
	if c.Method == header.AES {
		return b.decrypt(c, in, b.f.Sizes[coder])
	}
	r, err := method.Open(c.Method, c.Properties, b.f.Sizes[coder], in)
	if err == nil {
		b.d.closers = append(b.d.closers, r)
	}
	return r, err
}

// input is what feeds an input: a coder or a packed stream.
func (b *builder) input(i int) (io.Reader, error) {
	for _, bond := range b.f.Bonds {
		if bond.Input == i {
			return b.output(bond.Output)
		}
	}
	return b.packed[slices.Index(b.f.Packed, i)], nil
}

func (b *builder) decrypt(c header.Coder, in []io.Reader, size uint64) (io.Reader, error) {
	k, iv, err := parseAES(c.Properties)
	if err != nil {
		return nil, err
	}
	if len(in) != 1 {
		return nil, fmt.Errorf("AES with %d inputs: %w", len(in), crypto.ErrDamaged)
	}
	if b.password.IsZero() {
		return nil, keyError(nil, "a password")
	}
	block, err := b.password.cipher(b.src.ctx, k)
	if err != nil {
		return nil, err
	}
	return &exactly{newCBCReader(in[0], block, iv), size}, nil
}

// exactly yields left bytes of r, and demands that there are as many; what follows is padding.
type exactly struct {
	r    io.Reader
	left uint64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(uint64(len(p)), e.left)])
	if e.left -= uint64(n); err == io.EOF && e.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// contents opens a file. Where the header does not tell which of several passwords is right, the file does: its beginning, or all of it where
// nothing but the CRC at its end can tell.
func (r *Reader) contents(ctx context.Context, e entry) (io.ReadCloser, error) {
	f := &r.h.Streams.Folders[e.folder]
	switch {
	case !encrypted(f):
		return r.contentsWith(ctx, e, Password{})
	case len(r.passwords) == 0:
		return nil, keyError(nil, "a password")
	case len(r.passwords) == 1:
		return r.contentsWith(ctx, e, r.passwords[0])
	}
	enough := int64(64 << 10)
	if !slices.ContainsFunc(f.Coders, func(c header.Coder) bool { return c.Method != header.AES && c.Method != header.Copy }) {
		enough = e.Size
	}
	var err error
	for _, p := range r.passwords {
		if err = r.try(ctx, e, p, enough); err == nil {
			return r.contentsWith(ctx, e, p)
		}
		if !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
	}
	return nil, perhapsKeyError(r.passwords, err)
}

// perhapsKeyError is both.
func perhapsKeyError(passwords []Password, err error) error {
	return fmt.Errorf("%w, unless the archive is damaged: %w", keyError(passwords, "another password"), err)
}

// try reads n bytes of a file. An error of the source is no sign of a wrong password.
func (r *Reader) try(ctx context.Context, e entry, p Password, n int64) error {
	c, err := r.contentsWith(ctx, e, p)
	if err != nil {
		return err
	}
	c.unsure = false // who tries says so of all
	_, err = io.CopyN(io.Discard, c, n+1)
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, c.Close())
}

func (r *Reader) contentsWith(ctx context.Context, e entry, p Password) (*contents, error) {
	src := &source{ctx: ctx, r: r.src.r, size: r.src.size}
	d, err := r.openFolder(src, &r.h.Streams, e.folder, p)
	if err != nil {
		return nil, err
	}
	plain := r.h.Streams.Folders[e.folder].Plain
	c := &contents{
		d: d, src: src, r: bufio.NewReaderSize(d, 64<<10), name: e.Name,
		unsure: encrypted(&r.h.Streams.Folders[e.folder]) && !r.proven, password: p,
		left: plain[e.plain].Size, want: plain[e.plain].CRC, last: e.plain == len(plain)-1,
	}
	for _, before := range plain[:e.plain] {
		c.skip += before.Size
	}
	if c.want == nil && len(plain) == 1 {
		c.want = r.h.Streams.Folders[e.folder].CRC
	}
	return c, nil
}

// contents is a file being read. io.EOF comes only after its size and CRC.
type contents struct {
	d        *decoder
	src      *source
	r        io.Reader
	name     string
	password Password
	unsure   bool   // whether the password is right
	skip     uint64 // bytes of the files before it
	left     uint64
	crc      uint32
	want     *uint32 // nil if it is not known
	last     bool    // nothing follows it in the folder
	err      error
}

func (c *contents) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if c.skip > 0 {
		if c.err = c.skipOthers(); c.err != nil {
			return 0, c.err
		}
	}
	n, err := c.r.Read(p[:min(uint64(len(p)), c.left)])
	c.crc = crc32.Update(c.crc, crc32.IEEETable, p[:n])
	if c.left -= uint64(n); c.left == 0 {
		err = c.finish(err)
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.err = c.explain(err)
	return n, c.err
}

func (c *contents) skipOthers() error {
	n, err := io.CopyN(io.Discard, c.r, int64(c.skip))
	c.skip -= uint64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return c.explain(err)
}

// finish checks the end.
func (c *contents) finish(err error) error {
	if err == nil && c.last {
		var more [1]byte
		var n int
		for n == 0 && err == nil {
			n, err = c.r.Read(more[:])
		}
		if n > 0 {
			err = fmt.Errorf("the stream is longer than its header says: %w", crypto.ErrDamaged)
		}
	}
	if err != nil && err != io.EOF {
		return err
	}
	if c.want != nil && c.crc != *c.want {
		return fmt.Errorf("the contents do not match their CRC-32: %w", crypto.ErrDamaged)
	}
	return io.EOF
}

// explain tells what failed. What the source failed with comes first.
func (c *contents) explain(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case c.src.err != nil:
		err = c.src.err
	case c.unsure:
		err = perhapsKeyError([]Password{c.password}, err)
	}
	return fmt.Errorf("7z: %q: %w", c.name, err)
}

// Close ends every goroutine.
func (c *contents) Close() error {
	c.err = errClosed
	return c.d.Close()
}
