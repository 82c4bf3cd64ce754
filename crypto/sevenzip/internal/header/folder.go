package header

import (
	"encoding/binary"
	"slices"
)

// Limits within a folder; 7-Zip decodes no more either.
const (
	maxCoders = 32
	maxInputs = 32
)

// Folder is a set of coders that make plain streams, one behind the other, of packed ones.
type Folder struct {
	Coders []Coder
	Bonds  []Bond
	Packed []int    // for each packed stream of the folder, the coders' input that it feeds
	Sizes  []uint64 // plain bytes of each coder's output
	CRC    *uint32  // of the output of all; nil if it is not stored
	Plain  []Plain  // the plain streams: what the output consists of
}

// Coder is one step of decoding.
type Coder struct {
	Method     uint64
	Inputs     int
	Properties []byte
}

// Bond feeds the output of one coder to an input; inputs are counted over all coders.
type Bond struct{ Input, Output int }

// Output is the coder whose output is the folder's.
func (f *Folder) Output() int {
	for i := range f.Coders {
		if !slices.ContainsFunc(f.Bonds, func(b Bond) bool { return b.Output == i }) {
			return i
		}
	}
	return -1 // not of a folder that Parse returned
}

// PlainSize is how many bytes the folder yields.
func (f *Folder) PlainSize() uint64 { return f.Sizes[f.Output()] }

func (f *Folder) append(b []byte) []byte {
	b = appendNumber(b, uint64(len(f.Coders)))
	for _, c := range f.Coders {
		b = c.append(b)
	}
	for _, bond := range f.Bonds {
		b = appendNumber(b, uint64(bond.Input))
		b = appendNumber(b, uint64(bond.Output))
	}
	return b // the one input without a bond is the packed stream's
}

func (c *Coder) append(b []byte) []byte {
	id := binary.BigEndian.AppendUint64(nil, c.Method)
	for len(id) > 1 && id[0] == 0 {
		id = id[1:]
	}
	flags := byte(len(id))
	if len(c.Properties) > 0 {
		flags |= 0x20
	}
	b = append(append(b, flags), id...)
	if len(c.Properties) > 0 {
		b = append(appendNumber(b, uint64(len(c.Properties))), c.Properties...)
	}
	return b
}

func (p *parser) folder() (f Folder) {
	n := p.count("coders", 1)
	if n == 0 || n > maxCoders {
		p.damaged("a folder of %d coders", n)
		return f
	}
	f.Coders = make([]Coder, n)
	inputs := 0
	for i := range f.Coders {
		f.Coders[i] = p.coder()
		inputs += f.Coders[i].Inputs
	}
	if inputs > maxInputs {
		p.damaged("a folder of %d coders with %d inputs", n, inputs)
	}
	if p.err != nil {
		return f
	}
	if n > 1 {
		f.Bonds = make([]Bond, n-1)
	}
	for i := range f.Bonds {
		f.Bonds[i] = Bond{Input: p.index(inputs, "input"), Output: p.index(n, "output")}
	}
	f.Packed = make([]int, inputs-len(f.Bonds))
	if len(f.Packed) == 1 {
		f.Packed[0] = f.unbound(inputs)
	} else {
		for i := range f.Packed {
			f.Packed[i] = p.index(inputs, "input")
		}
	}
	f.check(p)
	return f
}

func (p *parser) coder() (c Coder) {
	flags := p.byte()
	if flags&0xc0 != 0 || flags&0x0f > 8 {
		p.unsupported("a coder with flags %#x", flags)
		return c
	}
	for _, b := range p.take(uint64(flags & 0x0f)) {
		c.Method = c.Method<<8 | uint64(b)
	}
	c.Inputs = 1
	if flags&0x10 != 0 {
		if c.Inputs = p.index(maxInputs+1, "inputs"); c.Inputs == 0 {
			p.damaged("a coder without inputs")
		}
		if outputs := p.number(); outputs != 1 {
			p.unsupported("a coder with %d outputs", outputs)
		}
	}
	if flags&0x20 != 0 {
		c.Properties = p.take(p.number())
	}
	return c
}

// unbound is the first input that no bond feeds.
func (f *Folder) unbound(inputs int) int {
	for i := range inputs {
		if !slices.ContainsFunc(f.Bonds, func(b Bond) bool { return b.Input == i }) {
			return i
		}
	}
	return 0
}

// check demands that the coders are a tree whose leaves are the packed streams.
func (f *Folder) check(p *parser) {
	var fed [maxInputs]bool
	var used [maxCoders]bool
	for _, i := range f.Packed {
		if fed[i] {
			p.damaged("a folder in which input %d is fed twice", i)
		}
		fed[i] = true
	}
	for _, b := range f.Bonds {
		if fed[b.Input] || used[b.Output] {
			p.damaged("a folder in which input %d is fed, or output %d used, twice", b.Input, b.Output)
		}
		fed[b.Input], used[b.Output] = true, true
	}
	// There are as many packed streams and bonds as inputs, so each is fed, and one output is left over. What that depends on is
	// all there is, or the rest goes in a circle.
	if p.err == nil && f.reach(f.Output()) != len(f.Coders) {
		p.damaged("a folder in which coders depend on each other")
	}
}

// FirstInput is a coder's first input, as inputs are counted over all coders.
func (f *Folder) FirstInput(coder int) int {
	first := 0
	for _, c := range f.Coders[:coder] {
		first += c.Inputs
	}
	return first
}

// reach is how many coders a coder depends on, with itself. Each is reached once, as no output is used twice.
func (f *Folder) reach(coder int) int {
	first, n := f.FirstInput(coder), 1
	for _, b := range f.Bonds {
		if b.Input >= first && b.Input < first+f.Coders[coder].Inputs {
			n += f.reach(b.Output)
		}
	}
	return n
}
