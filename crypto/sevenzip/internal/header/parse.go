package header

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
	"unicode/utf16"

	"github.com/databasement/backup/crypto"
)

// MaxSize is the longest header that should be given to [Parse], in bytes: some 100,000 files. Parsing takes some twenty times as much memory.
const MaxSize = 16 << 20

// Limits within a header; 7-Zip has the same, of coders and of inputs.
const (
	maxCoders = 32
	maxInputs = 32
)

// ErrNotArchive says that what was read does not begin as a .7z.
var ErrNotArchive = errors.New("this is no .7z archive")

// ParseStart reads the start header.
func ParseStart(b [StartSize]byte) (Start, error) {
	if b == [StartSize]byte{} {
		return Start{}, fmt.Errorf("the archive was never finished: its first %d bytes, which are written last, are zeros: %w", StartSize, crypto.ErrDamaged)
	}
	if [6]byte(b[:6]) != [6]byte(magic[:6]) {
		return Start{}, ErrNotArchive
	}
	if b[6] != magic[6] {
		return Start{}, fmt.Errorf("the archive has version %d of the format, %d is known: %w", b[6], magic[6], errors.ErrUnsupported)
	}
	if crc32.ChecksumIEEE(b[12:]) != binary.LittleEndian.Uint32(b[8:]) {
		return Start{}, fmt.Errorf("the start of the archive does not match its CRC-32: %w", crypto.ErrDamaged)
	}
	s := Start{
		Offset: binary.LittleEndian.Uint64(b[12:]),
		Size:   binary.LittleEndian.Uint64(b[20:]),
		CRC:    binary.LittleEndian.Uint32(b[28:]),
	}
	if s.Offset > math.MaxInt64/4 || s.Size > math.MaxInt64/4 {
		return Start{}, fmt.Errorf("the header is said to be %d bytes at %d: %w", s.Size, s.Offset, crypto.ErrDamaged)
	}
	return s, nil
}

// Parse reads a header of at most [MaxSize] bytes: it is h, or encoded describes where h is packed. All that is returned holds together: each input is fed
// once, by a packed stream or by a coder that does not depend on it; one output is left over; there is a plain stream for each file with contents; and
// sums of sizes fit an int64. Errors are [crypto.ErrDamaged] or [errors.ErrUnsupported].
func Parse(b []byte) (h *Header, encoded *Streams, err error) {
	p := &parser{b: b}
	switch id := p.id(); {
	case p.err != nil:
	case id == idHeader:
		h = p.header()
	case id == idEncodedHeader:
		encoded = p.streams()
		if p.err == nil && len(encoded.Folders) == 0 {
			p.damaged("an encoded header of no folder")
		}
	default:
		p.damaged("it begins with %#x", id)
	}
	if p.err == nil && len(p.b) > 0 {
		p.damaged("%d bytes follow its end", len(p.b))
	}
	if p.err != nil {
		return nil, nil, fmt.Errorf("header: %w", p.err)
	}
	return h, encoded, nil
}

// Output is the coder whose output is the folder's.
func (f *Folder) Output() int {
	used := make([]bool, len(f.Coders))
	for _, b := range f.Bonds {
		used[b.Output] = true
	}
	for i := range used {
		if !used[i] {
			return i
		}
	}
	return -1 // not of a folder that Parse returned
}

// PlainSize is how many bytes the folder yields.
func (f *Folder) PlainSize() uint64 { return f.Sizes[f.Output()] }

// parser takes a header apart. After the first error it only yields zeros.
type parser struct {
	b   []byte // what is left
	err error
}

func (p *parser) fail(err error, format string, args ...any) {
	if p.err == nil {
		p.err, p.b = fmt.Errorf(format+": %w", append(args, err)...), nil
	}
}

func (p *parser) damaged(format string, args ...any) { p.fail(crypto.ErrDamaged, format, args...) }

func (p *parser) unsupported(format string, args ...any) {
	p.fail(errors.ErrUnsupported, format, args...)
}

// take takes n bytes.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.damaged("it ends where %d more bytes should be", n)
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) byte() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

// id is a property id; idEnd after an error.
func (p *parser) id() byte { return p.byte() }

// want demands a property id.
func (p *parser) want(id byte) {
	if got := p.id(); got != id && p.err == nil {
		p.damaged("property %#x where %#x should be", got, id)
	}
}

func (p *parser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// number is the reverse of appendNumber.
func (p *parser) number() uint64 {
	first := p.byte()
	var n uint64
	mask := byte(0x80)
	for i := 0; i < 8; i++ {
		if first&mask == 0 {
			return n | uint64(first&(mask-1))<<(8*i)
		}
		n |= uint64(p.byte()) << (8 * i)
		mask >>= 1
	}
	return n
}

// size is a number of bytes.
func (p *parser) size() uint64 {
	n := p.number()
	if n > math.MaxInt64/4 {
		p.damaged("a size of %d", n)
		return 0
	}
	return n
}

// count is a number of things of which each takes at least one byte from what is left; or one bit, if so said.
func (p *parser) count(what string, perByte uint64) int {
	n := p.number()
	if n > perByte*uint64(len(p.b)) || n > math.MaxInt32 {
		p.damaged("%d %s in %d bytes", n, what, len(p.b))
		return 0
	}
	return int(n)
}

// index is a number below n.
func (p *parser) index(n int, what string) int {
	i := p.number()
	if i >= uint64(n) {
		p.damaged("%s %d of %d", what, i, n)
		return 0
	}
	return int(i)
}

// bits is n flags.
func (p *parser) bits(n int) []bool {
	b := p.take(uint64(n+7) / 8)
	if b == nil {
		return make([]bool, 0)
	}
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = b[i/8]&(0x80>>(i%8)) != 0
	}
	return flags
}

// defined is which of n things have a value: all, if so said.
func (p *parser) defined(n int) []bool {
	if p.byte() == 0 {
		return p.bits(n)
	}
	if uint64(n) > uint64(len(p.b)) { // each value is longer
		p.damaged("%d values in %d bytes", n, len(p.b))
		return nil
	}
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = true
	}
	return flags
}

// crcs sets the CRCs of n things.
func (p *parser) crcs(n int, set func(i int, crc *uint32)) {
	for i, on := range p.defined(n) {
		if on {
			crc := p.uint32()
			set(i, &crc)
		}
	}
}

// notExternal refuses what is stored elsewhere.
func (p *parser) notExternal() {
	if p.byte() != 0 {
		p.unsupported("a part of it is stored elsewhere in the archive")
	}
}

func (p *parser) header() *Header {
	h := &Header{}
	id := p.id()
	if id == idArchive {
		for p.id() != idEnd {
			p.take(p.number())
		}
		id = p.id()
	}
	if id == idAdditionalStream {
		p.unsupported("it has additional streams")
	}
	if id == idMainStreams {
		h.Streams = *p.streams()
		id = p.id()
	}
	if id == idFiles {
		p.files(h)
		id = p.id()
	}
	if id != idEnd {
		p.damaged("property %#x where its end should be", id)
	}
	plain, files := 0, 0
	for _, f := range h.Streams.Folders {
		plain += len(f.Plain)
	}
	for _, f := range h.Files {
		if f.HasStream {
			files++
		}
	}
	if plain != files {
		p.damaged("%d files with contents, and contents of %d", files, plain)
	}
	return h
}

// streams reads packed streams, folders and plain streams.
func (p *parser) streams() *Streams {
	s := &Streams{}
	id := p.id()
	if id == idPackInfo {
		p.packed(s)
		id = p.id()
	}
	if id == idUnpackInfo {
		p.folders(s)
		id = p.id()
	}
	for i := range s.Folders { // one plain stream each, unless something else is said
		f := &s.Folders[i]
		f.Plain = []Plain{{Size: f.PlainSize(), CRC: f.CRC}}
	}
	if id == idSubStreams {
		p.substreams(s)
		id = p.id()
	}
	if id != idEnd {
		p.damaged("property %#x where the end of the streams should be", id)
	}
	fed := 0
	for _, f := range s.Folders {
		fed += len(f.Packed)
	}
	if fed != len(s.Packed) {
		p.damaged("%d packed streams, and folders of %d", len(s.Packed), fed)
	}
	if p.err != nil {
		return &Streams{}
	}
	return s
}

func (p *parser) packed(s *Streams) {
	s.Offset = p.size()
	s.Packed = make([]Packed, p.count("packed streams", 1))
	p.want(idSize)
	total := s.Offset
	for i := range s.Packed {
		s.Packed[i].Size = p.size()
		if total += s.Packed[i].Size; total > math.MaxInt64/4 {
			p.damaged("packed streams of more than %d bytes", total)
			return
		}
	}
	id := p.id()
	if id == idCRC {
		p.crcs(len(s.Packed), func(i int, crc *uint32) { s.Packed[i].CRC = crc })
		id = p.id()
	}
	if id != idEnd {
		p.damaged("property %#x where the end of the packed streams should be", id)
	}
}

func (p *parser) folders(s *Streams) {
	p.want(idFolder)
	n := p.count("folders", 1)
	p.notExternal()
	for i := 0; i < n && p.err == nil; i++ {
		s.Folders = append(s.Folders, p.folder())
	}
	p.want(idUnpackSize)
	for i := range s.Folders {
		f := &s.Folders[i]
		for range f.Coders {
			f.Sizes = append(f.Sizes, p.size())
		}
	}
	id := p.id()
	if id == idCRC {
		p.crcs(len(s.Folders), func(i int, crc *uint32) { s.Folders[i].CRC = crc })
		id = p.id()
	}
	if id != idEnd {
		p.damaged("property %#x where the end of the folders should be", id)
	}
	if p.err != nil {
		s.Folders = nil
	}
}

func (p *parser) folder() (f Folder) {
	n := p.count("coders", 1)
	if n == 0 || n > maxCoders {
		p.damaged("a folder of %d coders", n)
		return f
	}
	inputs := 0
	for range n {
		c := p.coder()
		inputs += c.Inputs
		f.Coders = append(f.Coders, c)
	}
	if inputs < n-1 || inputs > maxInputs {
		p.damaged("a folder of %d coders with %d inputs", n, inputs)
		return f
	}
	for range n - 1 {
		f.Bonds = append(f.Bonds, Bond{p.index(inputs, "input"), p.index(n, "output")})
	}
	packed := inputs - len(f.Bonds)
	if packed == 1 {
		f.Packed = []int{f.unbound(inputs)}
	} else {
		for range packed {
			f.Packed = append(f.Packed, p.index(inputs, "input"))
		}
	}
	if p.err == nil {
		if err := f.check(inputs); err != "" {
			p.damaged("a folder in which %s", err)
		}
	}
	return f
}

// unbound is the first input that no bond feeds.
func (f *Folder) unbound(inputs int) int {
	var fed [maxInputs]bool
	for _, b := range f.Bonds {
		fed[b.Input] = true
	}
	for i := range inputs {
		if !fed[i] {
			return i
		}
	}
	return 0
}

// check says what keeps the folder's coders from being a tree whose leaves are the packed streams.
func (f *Folder) check(inputs int) string {
	var fed [maxInputs]bool
	var used [maxCoders]bool
	for _, i := range f.Packed {
		if fed[i] {
			return "an input is fed twice"
		}
		fed[i] = true
	}
	for _, b := range f.Bonds {
		if fed[b.Input] || used[b.Output] {
			return "an input is fed, or an output used, twice"
		}
		fed[b.Input], used[b.Output] = true, true
	}
	// Every input is fed once, then, and one output is left over. What it depends on is all there is, or the rest goes in a circle.
	if len(f.Packed)+len(f.Bonds) != inputs || f.reach(f.Output()) != len(f.Coders) {
		return "coders depend on each other"
	}
	return ""
}

// reach is how many coders a coder depends on, with itself. Each is reached once, as no output is used twice.
func (f *Folder) reach(coder int) int {
	first := 0
	for _, c := range f.Coders[:coder] {
		first += c.Inputs
	}
	n := 1
	for _, b := range f.Bonds {
		if b.Input >= first && b.Input < first+f.Coders[coder].Inputs {
			n += f.reach(b.Output)
		}
	}
	return n
}

func (p *parser) coder() (c Coder) {
	flags := p.byte()
	id := p.take(uint64(flags & 0x0f))
	if len(id) > 8 || flags&0xc0 != 0 {
		p.unsupported("a coder with flags %#x", flags)
		return c
	}
	for _, b := range id {
		c.Method = c.Method<<8 | uint64(b)
	}
	c.Inputs = 1
	if flags&0x10 != 0 {
		inputs, outputs := p.number(), p.number()
		if inputs > maxInputs {
			p.damaged("a coder with %d inputs", inputs)
		}
		if outputs != 1 {
			p.unsupported("a coder with %d outputs", outputs)
		}
		c.Inputs = int(inputs)
	}
	if flags&0x20 != 0 {
		c.Properties = p.take(p.number())
	}
	return c
}

// substreams says which plain streams the folders consist of.
func (p *parser) substreams(s *Streams) {
	id := p.id()
	if id == idNumUnpackStream {
		left := uint64(len(p.b))*8 + uint64(len(s.Folders)) // empty ones need no size, but each a file
		for i := range s.Folders {
			n := p.number()
			if n > left {
				p.damaged("%d plain streams in a folder", n)
				return
			}
			left -= n
			if n != 1 {
				s.Folders[i].Plain = make([]Plain, n)
			}
		}
		id = p.id()
	}
	if p.plainSizes(s, id == idSize); id == idSize {
		id = p.id()
	}
	if id == idCRC {
		p.plainCRCs(s)
		id = p.id()
	}
	if id != idEnd {
		p.damaged("property %#x where the end of the plain streams should be", id)
	}
}

// plainSizes reads the sizes of all but the last plain stream of each folder, which gets the rest.
func (p *parser) plainSizes(s *Streams, stored bool) {
	for i := range s.Folders {
		f := &s.Folders[i]
		rest := f.PlainSize()
		if len(f.Plain) > 1 && !stored {
			p.damaged("%d plain streams without sizes", len(f.Plain))
			return
		}
		for j := range f.Plain {
			size := rest
			if j < len(f.Plain)-1 {
				size = p.size()
			}
			if size > rest {
				p.damaged("plain streams that are larger than their folder")
				return
			}
			f.Plain[j].Size, rest = size, rest-size
		}
	}
}

// plainCRCs reads the CRCs of plain streams, but for those that are known as their folder's.
func (p *parser) plainCRCs(s *Streams) {
	var unknown []*Plain
	for i := range s.Folders {
		f := &s.Folders[i]
		if len(f.Plain) == 1 && f.CRC != nil {
			continue
		}
		for j := range f.Plain {
			unknown = append(unknown, &f.Plain[j])
		}
	}
	p.crcs(len(unknown), func(i int, crc *uint32) { unknown[i].CRC = crc })
}

// files reads what is known of the files. Names come before anything that is as long as there are files.
func (p *parser) files(h *Header) {
	n := p.count("files", 1)
	h.Files = make([]File, n)
	for i := range h.Files {
		h.Files[i].HasStream = true
	}
	var noStream []int // files without contents
	named := false
	for {
		id := p.id()
		if id == idEnd || p.err != nil {
			break
		}
		property := &parser{b: p.take(p.number())}
		switch id {
		case idEmptyStream:
			noStream = nil
			for i, empty := range property.bits(n) {
				h.Files[i].HasStream = !empty
				if h.Files[i].Directory = empty; empty {
					noStream = append(noStream, i)
				}
			}
		case idEmptyFile:
			for i, file := range property.bits(len(noStream)) {
				h.Files[noStream[i]].Directory = !file
			}
		case idAnti:
			for i, anti := range property.bits(len(noStream)) {
				h.Files[noStream[i]].Anti = anti
			}
		case idName:
			named = true
			property.names(h.Files)
		case idMTime:
			property.times(h.Files)
		case idAttributes:
			property.attributes(h.Files)
		}
		if property.err != nil {
			p.err = fmt.Errorf("property %#x of files: %w", id, property.err)
		}
	}
	if n > 0 && !named {
		p.damaged("files without names")
	}
}

// names reads names in UTF-16, each with a zero at its end. What is no UTF-16 becomes U+FFFD: such files can exist, and must be readable.
func (p *parser) names(files []File) {
	p.notExternal()
	for i := range files {
		var units []uint16
		for {
			b := p.take(2)
			if b == nil {
				return
			}
			u := binary.LittleEndian.Uint16(b)
			if u == 0 {
				break
			}
			units = append(units, u)
		}
		files[i].Name = string(utf16.Decode(units))
	}
	if len(p.b) > 0 {
		p.damaged("more names than files")
	}
}

func (p *parser) times(files []File) {
	defined := p.defined(len(files))
	p.notExternal()
	for i, on := range defined {
		if !on {
			continue
		}
		if b := p.take(8); b != nil {
			files[i].Modified = timeOf(binary.LittleEndian.Uint64(b))
		}
	}
}

func (p *parser) attributes(files []File) {
	defined := p.defined(len(files))
	p.notExternal()
	for i, on := range defined {
		if on {
			files[i].Attributes = p.uint32()
		}
	}
}

// timeOf is the reverse of fileTime.
func timeOf(t uint64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(int64(t/10_000_000)-toUnix, int64(t%10_000_000)*100).UTC()
}
