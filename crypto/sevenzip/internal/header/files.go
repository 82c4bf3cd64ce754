package header

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf16"
)

// File is what an archive says of one of its files.
type File struct {
	Name       string    // empty if the archive has but one file, and that came from a pipe
	Modified   time.Time // to 100 ns; zero if it is not stored
	Attributes uint32    // of Windows, and of Unix in the upper half if [UnixExtension] is set; 0 if they are not stored
	HasStream  bool      // it has contents: the next plain stream
	Directory  bool
	Anti       bool // it says that a file is to be deleted
}

// Attributes of a [File].
const (
	AttributeArchive = 0x20
	UnixExtension    = 0x8000
)

func appendFiles(b []byte, files []File) []byte {
	b = appendNumber(b, uint64(len(files)))
	b = appendEmpty(b, files)
	names, attributes := []byte{0}, []byte{1, 0} // not external; all defined, not external
	dated := make([]bool, len(files))
	for i, f := range files {
		for _, u := range append(utf16.Encode([]rune(f.Name)), 0) {
			names = binary.LittleEndian.AppendUint16(names, u)
		}
		attributes = binary.LittleEndian.AppendUint32(attributes, f.Attributes)
		dated[i] = fileTime(f.Modified) != 0
	}
	times := append(appendDefined(nil, dated), 0) // not external
	for i, f := range files {
		if dated[i] {
			times = binary.LittleEndian.AppendUint64(times, fileTime(f.Modified))
		}
	}
	b = appendProperty(b, idName, names)
	if slices.Contains(dated, true) {
		b = appendProperty(b, idMTime, times)
	}
	b = appendProperty(b, idAttributes, attributes)
	return append(b, idEnd)
}

// appendEmpty says which files have no contents, and which of them are no directories.
func appendEmpty(b []byte, files []File) []byte {
	var noStream, emptyFile, anti []bool
	for _, f := range files {
		noStream = append(noStream, !f.HasStream)
		if !f.HasStream {
			emptyFile = append(emptyFile, !f.Directory)
			anti = append(anti, f.Anti)
		}
	}
	b = appendFlags(b, idEmptyStream, noStream)
	b = appendFlags(b, idEmptyFile, emptyFile)
	return appendFlags(b, idAnti, anti)
}

// files reads what is known of the files.
func (p *parser) files() []File {
	files := make([]File, p.count("files", 2)) // a name has two bytes at least
	for i := range files {
		files[i].HasStream = true
	}
	f := &fileParser{files: files}
	for id := p.number(); id != idEnd; id = p.number() {
		f.parser = parser{b: p.take(p.number())}
		if p.err != nil {
			break
		}
		if f.property(id); f.err != nil {
			p.b, p.err = nil, fmt.Errorf("property %#x of the files: %w", id, f.err)
		}
	}
	if len(files) > 1 && f.seen&(1<<idName) == 0 {
		p.damaged("%d files without names", len(files))
	}
	return files
}

// fileParser reads properties of files, one at a time.
type fileParser struct {
	parser
	files []File
	empty []int  // those without contents
	seen  uint32 // properties, as bits
}

// property reads a property, or skips it if it is not known or of no use.
func (p *fileParser) property(id uint64) {
	if id < idDummy {
		if p.seen&(1<<id) != 0 {
			p.damaged("it is there twice")
		}
		p.seen |= 1 << id
	}
	switch id {
	case idEmptyStream:
		p.emptyStreams()
	case idEmptyFile:
		for i, file := range p.bits(len(p.empty)) {
			p.files[p.empty[i]].Directory = !file
		}
	case idAnti:
		for i, anti := range p.bits(len(p.empty)) {
			p.files[p.empty[i]].Anti = anti
		}
	case idName:
		p.names()
	case idMTime:
		p.times()
	case idAttributes:
		p.attributes()
	default:
		return
	}
	if len(p.b) > 0 {
		p.damaged("%d bytes follow its end", len(p.b))
	}
}

// emptyStreams reads which files have no contents. They are directories as long as nothing else is said.
func (p *fileParser) emptyStreams() {
	p.empty = make([]int, 0, len(p.files))
	for i, empty := range p.bits(len(p.files)) {
		if empty {
			p.files[i].HasStream, p.files[i].Directory = false, true
			p.empty = append(p.empty, i)
		}
	}
}

// names reads names in UTF-16, each with a zero at its end. What is no UTF-16 becomes U+FFFD: such files can exist, and must be
// readable.
func (p *fileParser) names() {
	p.notExternal()
	var units []uint16
	for i := range p.files {
		units = units[:0]
		for u := p.uint16(); u != 0; u = p.uint16() {
			units = append(units, u)
		}
		p.files[i].Name = string(utf16.Decode(units))
	}
}

func (p *fileParser) times() {
	defined := p.defined(len(p.files))
	p.notExternal()
	for i, on := range defined {
		if on {
			p.files[i].Modified = timeOf(p.uint64())
		}
	}
}

func (p *fileParser) attributes() {
	defined := p.defined(len(p.files))
	p.notExternal()
	for i, on := range defined {
		if on {
			p.files[i].Attributes = p.uint32()
		}
	}
}

// Windows counts time in units of 100 ns since 1601, and as far as an int64 goes.
const (
	unitsPerSecond = 10_000_000
	toUnix         = 11_644_473_600 // seconds from 1601 to 1970
	maxSeconds     = math.MaxInt64 / unitsPerSecond
)

// fileTime is t as Windows counts; 0 for what it cannot say.
func fileTime(t time.Time) uint64 {
	s := t.Unix() + toUnix
	if s < 0 || s >= maxSeconds {
		return 0
	}
	return uint64(s)*unitsPerSecond + uint64(t.Nanosecond())/100
}

// timeOf is the reverse of fileTime.
func timeOf(units uint64) time.Time {
	s := units / unitsPerSecond
	if units == 0 || s >= maxSeconds {
		return time.Time{}
	}
	return time.Unix(int64(s)-toUnix, int64(units%unitsPerSecond)*100).UTC()
}
