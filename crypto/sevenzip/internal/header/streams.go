package header

// Streams describes packed streams and how they become plain ones.
type Streams struct {
	Offset  uint64 // of the first packed stream, from the end of the start header
	Packed  []Packed
	Folders []Folder
}

// Packed is a stream as it is stored, one behind the other.
type Packed struct {
	Size uint64
	CRC  *uint32 // nil if it is not stored
}

// Plain is a file's contents.
type Plain struct {
	Size uint64
	CRC  *uint32 // nil if it is not stored
}

// AppendEncoded appends a header that describes another, which is stored in s.
func (s *Streams) AppendEncoded(b []byte) []byte {
	return s.append(append(b, idEncodedHeader))
}

func (s *Streams) append(b []byte) []byte {
	b = append(b, idPackInfo)
	b = appendNumber(b, s.Offset)
	b = appendNumber(b, uint64(len(s.Packed)))
	b = append(b, idSize)
	var crcs []*uint32
	for _, p := range s.Packed {
		b = appendNumber(b, p.Size)
		crcs = append(crcs, p.CRC)
	}
	b = append(appendCRCs(b, crcs), idEnd)

	b = append(b, idUnpackInfo, idFolder)
	b = appendNumber(b, uint64(len(s.Folders)))
	b = append(b, 0) // not external
	for _, f := range s.Folders {
		b = f.append(b)
	}
	b = append(b, idUnpackSize)
	var whole, plain []*uint32
	for _, f := range s.Folders {
		for _, size := range f.Sizes {
			b = appendNumber(b, size)
		}
		whole = append(whole, f.CRC)
		if f.CRC == nil && len(f.Plain) > 0 { // otherwise it is known
			plain = append(plain, f.Plain[0].CRC)
		}
	}
	b = append(appendCRCs(b, whole), idEnd)
	if crcs := appendCRCs(nil, plain); len(crcs) > 0 {
		b = append(append(append(b, idSubStreams), crcs...), idEnd)
	}
	return append(b, idEnd)
}

// streams reads packed streams, folders and plain streams.
func (p *parser) streams() *Streams {
	s := &Streams{}
	id := p.number()
	if id == idPackInfo {
		p.packed(s)
		id = p.number()
	}
	if id == idUnpackInfo {
		p.folders(s)
		id = p.number()
	}
	if id == idSubStreams {
		p.substreams(s)
		id = p.number()
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
	return s
}

func (p *parser) packed(s *Streams) {
	s.Offset = p.size()
	s.Packed = make([]Packed, p.count("packed streams", 1))
	p.next(idSize)
	total := s.Offset
	for i := range s.Packed {
		s.Packed[i].Size = p.size()
		if total += s.Packed[i].Size; total > maxTotal {
			p.damaged("packed streams that end at %d", total)
			return
		}
	}
	if p.next(idCRC, idEnd) == idCRC {
		p.crcs(len(s.Packed), func(i int, crc *uint32) { s.Packed[i].CRC = crc })
		p.next(idEnd)
	}
}

// folders reads folders, each with one plain stream as long as nothing else is said.
func (p *parser) folders(s *Streams) {
	p.next(idFolder)
	folders := make([]Folder, p.count("folders", 3)) // a coder has at least one byte, and its size another
	p.notExternal()
	for i := range folders {
		if folders[i] = p.folder(); p.err != nil {
			return
		}
	}
	p.next(idUnpackSize)
	var total uint64
	for i := range folders {
		f := &folders[i]
		f.Sizes = make([]uint64, len(f.Coders))
		for j := range f.Sizes {
			f.Sizes[j] = p.size()
		}
		if total += f.PlainSize(); total > maxTotal {
			p.damaged("folders of more than %d bytes", total)
			return
		}
	}
	if p.next(idCRC, idEnd) == idCRC {
		p.crcs(len(folders), func(i int, crc *uint32) { folders[i].CRC = crc })
		p.next(idEnd)
	}
	plain := make([]Plain, len(folders))
	for i := range folders {
		plain[i] = Plain{Size: folders[i].PlainSize(), CRC: folders[i].CRC}
		folders[i].Plain = plain[i : i+1 : i+1]
	}
	s.Folders = folders
}

// substreams reads which plain streams the folders consist of.
func (p *parser) substreams(s *Streams) {
	id := p.next(idNumUnpackStream, idSize, idCRC, idEnd)
	if id == idNumUnpackStream {
		p.plainCounts(s.Folders)
		id = p.next(idSize, idCRC, idEnd)
	}
	p.plainSizes(s.Folders, id == idSize)
	if id == idSize {
		id = p.next(idCRC, idEnd)
	}
	if id == idCRC {
		p.plainCRCs(s.Folders)
		p.next(idEnd)
	}
}

// plainCounts reads how many plain streams each folder has. All but the last one of each folder will have a size, of a byte at least.
func (p *parser) plainCounts(folders []Folder) {
	left := uint64(len(p.b))
	for i := range folders {
		n := p.number()
		if n > left+1 {
			p.damaged("%d plain streams in a folder", n)
			return
		}
		if n != 1 {
			folders[i].Plain = make([]Plain, n)
		}
		left -= max(n, 1) - 1
	}
}

// plainSizes reads the sizes of all but the last plain stream of each folder, which gets the rest.
func (p *parser) plainSizes(folders []Folder, stored bool) {
	for i := range folders {
		f := &folders[i]
		if len(f.Plain) > 1 && !stored {
			p.damaged("%d plain streams without sizes", len(f.Plain))
			return
		}
		rest := f.PlainSize()
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
func (p *parser) plainCRCs(folders []Folder) {
	n := 0
	for i := range folders {
		n += len(folders[i].Plain)
	}
	unknown := make([]*Plain, 0, n)
	for i := range folders {
		f := &folders[i]
		if len(f.Plain) == 1 && f.CRC != nil {
			continue
		}
		for j := range f.Plain {
			unknown = append(unknown, &f.Plain[j])
		}
	}
	p.crcs(len(unknown), func(i int, crc *uint32) { unknown[i].CRC = crc })
}
