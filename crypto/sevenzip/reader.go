package sevenzip

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/crypto/sevenzip/internal/header"
)

// Reader reads the files of an archive, one at a time, ours and those of 7-Zip: see the package's documentation for what it knows. An archive that it
// cannot read is one of these errors: a [*crypto.KeyError] if no password fits, [crypto.ErrDamaged], io.ErrUnexpectedEOF if it is cut
// off, [errors.ErrUnsupported] if it takes a method or so much memory that only other programs have.
type Reader struct {
	src       *source
	passwords []Password
	proven    bool // the one password is the right one
	h         *header.Header
}

// File is what an archive says of one of its files.
type File struct {
	Name      string // as the archive has it, with slashes; not fit for use as a path as it is
	Size      int64
	Modified  time.Time // zero if the archive does not say
	Directory bool
}

// entry is a file and where its contents are.
type entry struct {
	File
	anti   bool
	folder int // -1 if it has no contents
	plain  int // index of its contents in the folder
}

func (e entry) isFile() bool { return !e.Directory && !e.anti }

// NewReader reads the header of the archive of so many bytes in src, with the first of the passwords that fits; it need be none if the archive is not
// encrypted. Memory for the header is bounded; see [Reader.Open] for that of contents.
func NewReader(ctx context.Context, src io.ReaderAt, size int64, passwords ...Password) (*Reader, error) {
	r := &Reader{src: &source{ctx: ctx, r: src, size: size}, passwords: passwords}
	r.passwords = slices.DeleteFunc(slices.Clone(passwords), Password.IsZero)
	if err := r.readHeader(); err != nil {
		if r.src.err != nil {
			err = r.src.err // it came first
		}
		return nil, fmt.Errorf("7z: %w", err)
	}
	return r, nil
}

// Files lists the archive's files and directories.
func (r *Reader) Files() []File {
	var files []File
	for e := range r.entries {
		if !e.anti {
			files = append(files, e.File)
		}
	}
	return files
}

// Open opens the file of that name, which must be closed. A file that follows others in the same solid block is found by decompressing those.
// Damage and truncation are errors in the place of io.EOF, by the archive's CRC-32, which tells accidents from what was written, but not an attack: what
// was read until then may be anything. Memory is that of the method, at most some 300 MiB, and not more than the archive's dictionary and blocks take.
func (r *Reader) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var found []entry
	for e := range r.entries {
		if e.isFile() && e.Name == name {
			found = append(found, e)
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("7z: the archive has no file %q: it has %s", name, r.names())
	case len(found) > 1:
		return nil, fmt.Errorf("7z: the archive has %d files of the name %q: stock 7-Zip can extract them (7zz x -aou)", len(found), name)
	case found[0].folder < 0:
		return io.NopCloser(strings.NewReader("")), nil
	}
	c, err := r.contents(ctx, found[0])
	if err != nil {
		return nil, fmt.Errorf("7z: %q: %w", name, err)
	}
	return c, nil
}

// only is the name of the archive's only file.
func (r *Reader) only() (string, error) {
	files, name := 0, ""
	for e := range r.entries {
		if e.isFile() {
			files, name = files+1, e.Name
		}
	}
	switch files {
	case 0:
		return "", fmt.Errorf("7z: the archive has no file: %w", crypto.ErrDamaged)
	case 1:
		return name, nil
	}
	return "", fmt.Errorf("7z: the archive has %d files: set Options.File to one of them: %s", files, r.names())
}

// names lists some of the files, for an error.
func (r *Reader) names() string {
	const most = 20
	var names []string
	more := 0
	for e := range r.entries {
		switch {
		case !e.isFile():
		case len(names) < most:
			names = append(names, fmt.Sprintf("%.200q", e.Name))
		default:
			more++
		}
	}
	if len(names) == 0 {
		return "none"
	}
	list := strings.Join(names, ", ")
	if more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// readHeader finds the header, and decodes it.
func (r *Reader) readHeader() error {
	var first [header.StartSize]byte
	if r.src.size < int64(len(first)) {
		return fmt.Errorf("an archive of %d bytes: %w", r.src.size, io.ErrUnexpectedEOF)
	}
	if err := r.src.readFull(first[:], 0); err != nil {
		return err
	}
	start, err := header.ParseStart(first)
	if err != nil {
		return err
	}
	end := header.StartSize + int64(start.Offset) + int64(start.Size)
	if end > r.src.size {
		return fmt.Errorf("the archive has %d bytes, its start says %d: %w", r.src.size, end, io.ErrUnexpectedEOF)
	}
	if end < r.src.size {
		return fmt.Errorf("the archive ends after %d bytes, and %d follow: %w", end, r.src.size-end, crypto.ErrDamaged)
	}
	if start.Size == 0 {
		r.h = &header.Header{}
		return nil
	}
	if start.Size > header.MaxSize {
		return fmt.Errorf("the header has %d bytes, at most %d are read: %w", start.Size, header.MaxSize, errors.ErrUnsupported)
	}
	b := make([]byte, start.Size)
	if err := r.src.readFull(b, header.StartSize+int64(start.Offset)); err != nil {
		return err
	}
	if crc32.ChecksumIEEE(b) != start.CRC {
		return fmt.Errorf("the header does not match its CRC-32: %w", crypto.ErrDamaged)
	}
	var encoded *header.Streams
	if r.h, encoded, err = header.Parse(b); err != nil || encoded == nil {
		return err
	}
	if b, err = r.decodeHeader(encoded); err != nil {
		return err
	}
	if r.h, encoded, err = header.Parse(b); err == nil && encoded != nil {
		err = fmt.Errorf("a header within a header within a header: %w", errors.ErrUnsupported)
	}
	return err
}

// decodeHeader decompresses and decrypts a header.
func (r *Reader) decodeHeader(s *header.Streams) ([]byte, error) {
	if len(s.Folders) != 1 {
		return nil, fmt.Errorf("the header consists of %d folders: %w", len(s.Folders), crypto.ErrDamaged)
	}
	size := s.Folders[0].PlainSize()
	if size > header.MaxSize {
		return nil, fmt.Errorf("the header has %d bytes, at most %d are read: %w", size, header.MaxSize, errors.ErrUnsupported)
	}
	if !encrypted(&s.Folders[0]) {
		return r.decodeHeaderWith(s, Password{})
	}
	intact, err := r.checkPacked(s)
	if err != nil {
		return nil, err
	}
	for _, p := range r.passwords {
		b, err := r.decodeHeaderWith(s, p)
		if err == nil {
			r.passwords, r.proven = []Password{p}, true
			return b, nil
		}
		if r.src.err != nil || !errors.Is(err, crypto.ErrDamaged) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
	}
	if intact {
		return nil, keyError(r.passwords, "another password")
	}
	return nil, keyError(r.passwords, "another password, unless its header is damaged")
}

// checkPacked compares packed streams with their CRCs, and reports whether all have one.
func (r *Reader) checkPacked(s *header.Streams) (all bool, err error) {
	at, all := header.StartSize+int64(s.Offset), true
	for _, p := range s.Packed {
		if p.CRC != nil && p.Size <= 2*header.MaxSize {
			sum := crc32.NewIEEE()
			if _, err := io.Copy(sum, r.src.section(at, int64(p.Size))); err != nil {
				return false, err
			}
			if sum.Sum32() != *p.CRC {
				return false, fmt.Errorf("the encrypted header does not match its CRC-32: %w", crypto.ErrDamaged)
			}
		} else {
			all = false
		}
		at += int64(p.Size)
	}
	return all, nil
}

func (r *Reader) decodeHeaderWith(s *header.Streams, p Password) ([]byte, error) {
	d, err := r.openFolder(r.src, s, 0, p)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	b := make([]byte, s.Folders[0].PlainSize())
	if _, err := io.ReadFull(d, b); err != nil {
		return nil, err
	}
	if want := s.Folders[0].CRC; want != nil && crc32.ChecksumIEEE(b) != *want {
		return nil, fmt.Errorf("the header does not match its CRC-32: %w", crypto.ErrDamaged)
	} else if want == nil && (len(b) == 0 || b[0] != 1) {
		return nil, fmt.Errorf("the header does not begin as one: %w", crypto.ErrDamaged)
	}
	return b, nil
}

// entries yields the archive's files and where their contents are.
func (r *Reader) entries(yield func(entry) bool) {
	folder, plain := 0, 0
	for _, f := range r.h.Files {
		e := entry{File: File{Name: f.Name, Modified: f.Modified, Directory: f.Directory}, anti: f.Anti, folder: -1}
		if f.HasStream {
			for plain == len(r.h.Streams.Folders[folder].Plain) {
				folder, plain = folder+1, 0
			}
			e.folder, e.plain = folder, plain
			e.Size = int64(r.h.Streams.Folders[folder].Plain[plain].Size)
			plain++
		}
		if !yield(e) {
			return
		}
	}
}
