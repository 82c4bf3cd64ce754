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

// append appends all but the plain streams.
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
	return appendFolders(b, s.Folders)
}

// streams reads packed streams, folders and plain streams.
func (p *parser) streams() *Streams {
	s := &Streams{}
	before := p.err
	id := p.number()
	if id == idPackInfo {
		p.packed(s)
		id = p.number()
	}
	p.within(before, "packed streams")
	if id == idUnpackInfo {
		s.Folders = p.folders()
		id = p.number()
	}
	fed := 0
	for _, f := range s.Folders {
		fed += len(f.Packed)
	}
	if fed != len(s.Packed) {
		p.damaged("%d packed streams, where folders take %d", len(s.Packed), fed)
	}
	before = p.err
	if id == idSubStreams {
		p.plain(s.Folders)
		id = p.number()
	} else {
		onePlain(s.Folders)
	}
	p.within(before, "plain streams")
	if id != idEnd {
		p.damaged("property %#x where the end of the streams should be", id)
	}
	return s
}

func (p *parser) packed(s *Streams) {
	s.Offset = p.bytes()
	n := p.count("packed streams", 1)
	p.need(idSize)
	if n > 0 {
		s.Packed = make([]Packed, n)
	}
	total := s.Offset
	for i := range s.Packed {
		s.Packed[i].Size = p.bytes()
		if total += s.Packed[i].Size; total > maxBytes {
			p.damaged("they end at %d", total)
		}
	}
	if p.property(idCRC) == idCRC {
		p.crcs(n, func(i int, crc *uint32) { s.Packed[i].CRC = crc })
		p.property()
	}
}

// onePlain makes each folder one plain stream, which is so unless something else is said.
func onePlain(folders []Folder) {
	for i := range folders {
		f := &folders[i]
		f.Plain = []Plain{{Size: f.PlainSize(), CRC: f.CRC}}
	}
}

// appendPlain appends which plain streams the folders consist of. The last one of a folder has the size that is left.
func appendPlain(b []byte, folders []Folder) []byte {
	var counts, sizes []byte
	var crcs []*uint32
	single := true
	for _, f := range folders {
		single = single && len(f.Plain) == 1
		counts = appendNumber(counts, uint64(len(f.Plain)))
		for i, p := range f.Plain {
			if i < len(f.Plain)-1 {
				sizes = appendNumber(sizes, p.Size)
			}
			if !f.knowsCRC() {
				crcs = append(crcs, p.CRC)
			}
		}
	}
	b = append(b, idSubStreams)
	if !single {
		b = append(append(b, idNumUnpackStream), counts...)
	}
	if len(sizes) > 0 {
		b = append(append(b, idSize), sizes...)
	}
	return append(appendCRCs(b, crcs), idEnd)
}

// knowsCRC says that the folder's CRC is that of its only plain stream, which is then not stored again.
func (f *Folder) knowsCRC() bool { return len(f.Plain) == 1 && f.CRC != nil }

// plain reads which plain streams the folders consist of.
func (p *parser) plain(folders []Folder) {
	id := p.property(idNumUnpackStream, idSize, idCRC)
	if id == idNumUnpackStream {
		p.plainCounts(folders)
		id = p.property(idSize, idCRC)
	} else {
		onePlain(folders)
	}
	if id == idSize {
		p.plainSizes(folders)
		id = p.property(idCRC)
	} else {
		p.plainSizes(folders) // there must be none to read
	}
	if id == idCRC {
		p.plainCRCs(folders)
		p.property()
	}
}
