package ppmd

import "encoding/binary"

// ref is where in the heap something is; 0 is nothing.
type ref = uint32

// unitSize is the length of a context in bytes; the heap is given out in multiples of it.
const unitSize = 12

// heap is the model's memory. At its bottom grows the text that was decoded, from its top and its middle grow the units
// that are in use. When and how it runs out of memory is part of the format: the model starts anew then.
type heap struct {
	mem        []byte
	text       ref // the end of the text
	unitsStart ref // the first unit
	low, high  ref // the gap that was never in use
	free       [classes]ref
	glueIn     int // so many more failures until free neighbors are glued together
}

// classes is how many sizes of blocks there are: 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 28, 32, … 128 units.
const classes = 38

var (
	classUnits [classes]uint32 // the size of a class
	unitsClass [129]uint8      // the class of the smallest blocks that hold so many units
)

func init() {
	units, class := 0, 0
	for ; class < classes; class++ {
		for range min(class/4+1, 4) {
			units++
			unitsClass[units] = uint8(class)
		}
		classUnits[class] = uint32(units)
	}
}

func (h *heap) u16(at ref) uint32       { return uint32(binary.LittleEndian.Uint16(h.mem[at:])) }
func (h *heap) u32(at ref) uint32       { return binary.LittleEndian.Uint32(h.mem[at:]) }
func (h *heap) putU16(at ref, v uint32) { binary.LittleEndian.PutUint16(h.mem[at:], uint16(v)) }
func (h *heap) putU32(at ref, v uint32) { binary.LittleEndian.PutUint32(h.mem[at:], v) }

// reset frees everything. An eighth of the memory is for text at first.
func (h *heap) reset() {
	size := uint32(len(h.mem))
	h.text = 0
	h.high = size
	h.low = size - size/8/unitSize*7*unitSize
	h.unitsStart = h.low
	h.free = [classes]ref{}
	h.glueIn = 0
}

// give puts a block into the list of its class.
func (h *heap) give(block ref, class int) {
	h.putU32(block, h.free[class])
	h.free[class] = block
}

// take takes a block from a list that is not empty.
func (h *heap) take(class int) ref {
	block := h.free[class]
	h.free[class] = h.u32(block)
	return block
}

// giveUnits gives back the units of a block that is no more than 128 of them, as one block or two.
func (h *heap) giveUnits(block ref, units uint32) {
	class := int(unitsClass[units])
	if classUnits[class] != units {
		class--
		rest := classUnits[class]
		h.give(block+rest*unitSize, int(units-rest-1))
	}
	h.give(block, class)
}

// split makes a block smaller.
func (h *heap) split(block ref, from, to int) {
	h.giveUnits(block+classUnits[to]*unitSize, classUnits[from]-classUnits[to])
}

// allocContext allocates one unit, from the top. It is 0 when there is no more memory, as that of alloc is.
func (h *heap) allocContext() ref {
	if h.high != h.low {
		h.high -= unitSize
		return h.high
	}
	if h.free[0] != 0 {
		return h.take(0)
	}
	return h.allocRare(0)
}

// alloc allocates a block.
func (h *heap) alloc(class int) ref {
	if h.free[class] != 0 {
		return h.take(class)
	}
	if size := classUnits[class] * unitSize; h.high-h.low >= size {
		h.low += size
		return h.low - size
	}
	return h.allocRare(class)
}

// allocRare splits a larger block, or takes what the text has not reached.
func (h *heap) allocRare(class int) ref {
	if h.glueIn == 0 {
		h.glue()
		if h.free[class] != 0 {
			return h.take(class)
		}
	}
	for larger := class + 1; larger < classes; larger++ {
		if h.free[larger] != 0 {
			block := h.take(larger)
			h.split(block, larger, class)
			return block
		}
	}
	h.glueIn--
	size := classUnits[class] * unitSize
	if h.unitsStart-h.text <= size {
		return 0
	}
	h.unitsStart -= size
	return h.unitsStart
}

// shrink moves a block of so many units to a smaller one where that is free.
func (h *heap) shrink(block ref, from, to uint32) ref {
	old, class := int(unitsClass[from]), int(unitsClass[to])
	if old == class {
		return block
	}
	if h.free[class] == 0 {
		h.split(block, old, class)
		return block
	}
	smaller := h.take(class)
	h.copy(smaller, block, to)
	h.give(block, old)
	return smaller
}

func (h *heap) copy(to, from ref, units uint32) {
	copy(h.mem[to:to+units*unitSize], h.mem[from:])
}

// glue makes larger blocks of free ones that are neighbors. While it does, a free block begins with two zeros, its units
// and the next block; what is in use never begins with two zeros, nor does the gap, and a context is the last unit of all.
func (h *heap) glue() {
	h.glueIn = 255
	if h.low != h.high {
		h.putU16(h.low, 1)
	}
	all := h.listFree()
	last := ref(0)
	for block := all; block != 0; block = h.u32(block + 4) {
		if h.u16(block+2) > 0 {
			h.glueNext(block)
			last = block
		} else { // it is part of one before it in the list, which may soon overwrite it
			h.putU32(last+4, h.u32(block+4))
		}
	}
	for block := all; block != 0; {
		at, units, next := block, h.u16(block+2), h.u32(block+4)
		for ; units > 128; units -= 128 {
			h.give(at, classes-1)
			at += 128 * unitSize
		}
		if units > 0 { // else it is part of one after it in the list
			h.giveUnits(at, units)
		}
		block = next
	}
}

// listFree makes one list of all.
func (h *heap) listFree() (all ref) {
	for class, units := range classUnits {
		for block := h.free[class]; block != 0; {
			next := h.u32(block)
			h.putU16(block, 0)
			h.putU16(block+2, units)
			h.putU32(block+4, all)
			all, block = block, next
		}
		h.free[class] = 0
	}
	return all
}

// glueNext glues what follows a block to it.
func (h *heap) glueNext(block ref) {
	units := h.u16(block + 2)
	for {
		next := block + units*unitSize
		units += h.u16(next + 2)
		if h.u16(next) != 0 || units > 1<<16-1 {
			return
		}
		h.putU16(block+2, units)
		h.putU16(next+2, 0)
	}
}
