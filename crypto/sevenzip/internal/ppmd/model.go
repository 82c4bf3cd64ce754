package ppmd

// What adapts: as in Ppmd7.c.
const (
	maxFreq    = 124
	periodBits = 7
	binBits    = periodBits + 7 // of a probability in contexts of one symbol
)

// A context is a unit: how many symbols it has (2 bytes), the sum of their frequencies and of that of the escape (2), where they are
// (4), and the context that is one symbol shorter (4). If it has one symbol, this is in place of the sum and the
// reference. The symbols of others are sorted, almost, by frequency.
//
// A symbol is 6 bytes: itself, its frequency, and its successor: a context, or a place in the text, for a context that is yet to be
// made.
const (
	symbolSize = 6
	oneSymbol  = 2
)

// model predicts the next symbol. Its invariants hold for any sequence of symbols, so they do for one of a stream that
// is damaged.
type model struct {
	heap
	order     int
	minimum   ref // the context that the last symbol was found in
	maximum   ref // the longest context
	found     ref // the symbol that was found last
	orderFall int // how much shorter minimum is than the longest that there could be

	initialRun  int
	run         int // of symbols in a row that were predicted well
	success     int // 1 if the last one was
	highBits    int // 8 if the last symbol was not a control character, digit or punctuation
	initialEsc  uint32
	binary      [128][64]uint16 // probabilities in contexts of one symbol
	escapes     [25][16]escape
	dummyEscape escape
	path        [64]ref // what createSuccessors found
}

// escape estimates how often a context of several symbols does not have the next one.
type escape struct {
	sum   uint16
	shift uint8
	count uint8
}

// update is told that the symbol of a context was found, not an escape.
func (e *escape) update() {
	if e.shift < periodBits {
		if e.count--; e.count == 0 {
			e.sum <<= 1
			e.count = 3 << e.shift
			e.shift++
		}
	}
}

var (
	initialBinary = [8]uint16{0x3cdd, 0x1f3f, 0x59bf, 0x48f3, 0x64a1, 0x5abc, 0x6632, 0x6051}
	escapeFreq    = [16]uint8{25, 14, 9, 7, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2}
	symbolsBinary [257]uint8 // a class, by the number of symbols, for binary
	symbolsEscape [257]uint8 // another for escapes
)

func init() {
	class, left := 3, 1
	for n := 1; n <= 256; n++ {
		symbolsBinary[n] = 6
		if n <= 11 {
			symbolsBinary[n] = 4
		}
		if n <= 2 {
			symbolsBinary[n] = uint8(2 * (n - 1))
		}
		if n <= 3 {
			symbolsEscape[n] = uint8(n - 1)
			continue
		}
		symbolsEscape[n] = uint8(class)
		if left--; left == 0 {
			class++
			left = class - 2
		}
	}
}

func (m *model) symbols(c ref) uint32 { return m.u16(c) }
func (m *model) sum(c ref) uint32     { return m.u16(c + 2) }
func (m *model) first(c ref) ref      { return m.u32(c + 4) }
func (m *model) suffix(c ref) ref     { return m.u32(c + 8) }

func (m *model) setSymbols(c ref, n uint32)  { m.putU16(c, n) }
func (m *model) setSum(c ref, sum uint32)    { m.putU16(c+2, sum) }
func (m *model) setFirst(c ref, s ref)       { m.putU32(c+4, s) }
func (m *model) setSuffix(c ref, suffix ref) { m.putU32(c+8, suffix) }

func (m *model) symbol(s ref) byte               { return m.mem[s] }
func (m *model) freq(s ref) uint32               { return uint32(m.mem[s+1]) }
func (m *model) setFreq(s ref, freq uint32)      { m.mem[s+1] = byte(freq) }
func (m *model) successor(s ref) ref             { return m.u32(s + 2) }
func (m *model) setSuccessor(s ref, to ref)      { m.putU32(s+2, to) }
func (m *model) load(s ref) (v [symbolSize]byte) { copy(v[:], m.mem[s:]); return v }
func (m *model) store(s ref, v [symbolSize]byte) { copy(m.mem[s:s+symbolSize], v[:]) }

// find is where in a context of several symbols one is, that is there.
func (m *model) find(c ref, symbol byte) ref {
	s := m.first(c)
	for m.symbol(s) != symbol {
		s += symbolSize
	}
	return s
}

// swap exchanges a symbol with the one before.
func (m *model) swap(s ref) {
	v := m.load(s)
	m.store(s, m.load(s-symbolSize))
	m.store(s-symbolSize, v)
}

// restart forgets everything: the one context has all symbols.
func (m *model) restart() {
	m.heap.reset()
	m.orderFall = m.order
	m.initialRun = -min(m.order, 12) - 1
	m.run, m.success = m.initialRun, 0

	c := m.allocContext()
	s := m.alloc(classes - 1)
	m.minimum, m.maximum, m.found = c, c, s
	m.setSymbols(c, 256)
	m.setSum(c, 256+1)
	m.setFirst(c, s)
	m.setSuffix(c, 0)
	for i := range 256 {
		m.store(s+uint32(i)*symbolSize, [symbolSize]byte{byte(i), 1})
	}
	for i := range m.binary {
		for k := range m.binary[i] {
			m.binary[i][k] = 1<<binBits - initialBinary[k%8]/uint16(i+2)
		}
	}
	for i := range m.escapes {
		for k := range m.escapes[i] {
			m.escapes[i][k] = escape{sum: uint16(5*i+10) << (periodBits - 4), shift: periodBits - 4, count: 4}
		}
	}
	m.dummyEscape = escape{shift: periodBits, count: 64}
}
