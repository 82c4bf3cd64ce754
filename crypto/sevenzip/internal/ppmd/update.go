package ppmd

import "slices"

// updateFirst is told that the next symbol is the first of a context.
func (m *model) updateFirst(s ref) {
	m.found = s
	sum, freq := m.sum(m.minimum), m.freq(s)
	m.success = 0
	if 2*freq > sum {
		m.success = 1
		m.run++
	}
	m.setSum(m.minimum, sum+4)
	m.setFreq(s, freq+4)
	if freq+4 > maxFreq {
		m.rescale()
	}
	m.next()
}

// updateOther is told that the next symbol is another one of a context.
func (m *model) updateOther(s ref) {
	m.found = s
	freq := m.freq(s) + 4
	m.setSum(m.minimum, m.sum(m.minimum)+4)
	m.setFreq(s, freq)
	if freq > m.freq(s-symbolSize) {
		m.swap(s)
		m.found = s - symbolSize
		if freq > maxFreq {
			m.rescale()
		}
	}
	m.next()
}

// updateMasked is told that the next symbol is one of a context to which longer ones escaped.
func (m *model) updateMasked(s ref) {
	m.found = s
	freq := m.freq(s) + 4
	m.run = m.initialRun
	m.setSum(m.minimum, m.sum(m.minimum)+4)
	m.setFreq(s, freq)
	if freq > maxFreq {
		m.rescale()
	}
	m.update()
}

// updateBinary is told that the next symbol is the only one of a context.
func (m *model) updateBinary(s ref) {
	m.found = s
	if freq := m.freq(s); freq < 128 {
		m.setFreq(s, freq+1)
	}
	m.success = 1
	m.run++
	m.next()
}

// next goes to the successor, if it is a context and the longest that there could be.
func (m *model) next() {
	if c := m.successor(m.found); m.orderFall == 0 && c > m.text {
		m.minimum, m.maximum = c, c
		return
	}
	m.update()
}

// update adds the symbol that was found to the contexts that did not have it, and goes to the next context. Where memory
// does not suffice the model starts anew.
func (m *model) update() {
	if !m.grow() {
		m.restart()
	}
}

func (m *model) grow() bool {
	symbol, freq, successor := m.symbol(m.found), m.freq(m.found), m.successor(m.found)
	if freq < maxFreq/4 && m.suffix(m.minimum) != 0 {
		m.encourage(m.suffix(m.minimum), symbol)
	}
	if m.orderFall == 0 {
		c := m.createSuccessors()
		if c == 0 {
			return false
		}
		m.setSuccessor(m.found, c)
		m.minimum, m.maximum = c, c
		return true
	}

	m.mem[m.text] = symbol
	m.text++
	text := m.text
	if m.text >= m.unitsStart {
		return false
	}
	if successor == 0 {
		m.setSuccessor(m.found, text)
		successor = m.minimum
	} else {
		if successor <= text {
			if successor = m.createSuccessors(); successor == 0 {
				return false
			}
		}
		if m.orderFall--; m.orderFall == 0 {
			text = successor
			if m.maximum != m.minimum {
				m.text--
			}
		}
	}

	n := m.symbols(m.minimum)
	others := m.sum(m.minimum) - n - (freq - 1)
	for c := m.maximum; c != m.minimum; c = m.suffix(c) {
		if !m.add(c, symbol, freq, n, others, text) {
			return false
		}
	}
	m.minimum, m.maximum = successor, successor
	return true
}

// encourage makes a symbol more frequent in a context.
func (m *model) encourage(c ref, symbol byte) {
	if m.symbols(c) == 1 {
		if s := c + oneSymbol; m.freq(s) < 32 {
			m.setFreq(s, m.freq(s)+1)
		}
		return
	}
	s := m.find(c, symbol)
	if s != m.first(c) && m.freq(s) >= m.freq(s-symbolSize) {
		m.swap(s)
		s -= symbolSize
	}
	if m.freq(s) < maxFreq-9 {
		m.setFreq(s, m.freq(s)+2)
		m.setSum(c, m.sum(c)+2)
	}
}

// add adds a symbol to a context. It was found with the frequency freq in a shorter one of n symbols, whose others have
// the frequency others together.
func (m *model) add(c ref, symbol byte, freq, n, others uint32, successor ref) bool {
	has := m.symbols(c)
	sum := m.sum(c)
	if has == 1 {
		s := m.alloc(0)
		if s == 0 {
			return false
		}
		m.store(s, m.load(c+oneSymbol))
		m.setFirst(c, s)
		if f := m.freq(s); f < maxFreq/4-1 {
			m.setFreq(s, 2*f)
		} else {
			m.setFreq(s, maxFreq-4)
		}
		sum = m.freq(s) + m.initialEsc + b2u(n > 3)
	} else {
		if has%2 == 0 && !m.expand(c, has/2) {
			return false
		}
		sum += b2u(2*has < n) + 2*b2u(4*has <= n && sum <= 8*has)
	}

	cf, sf := 2*freq*(sum+6), others+sum
	if cf < 6*sf {
		cf = 1 + b2u(cf > sf) + b2u(cf >= 4*sf)
		sum += 3
	} else {
		cf = 4 + b2u(cf >= 9*sf) + b2u(cf >= 12*sf) + b2u(cf >= 15*sf)
		sum += cf
	}
	m.setSum(c, sum)
	s := m.first(c) + has*symbolSize
	m.store(s, [symbolSize]byte{symbol, byte(cf)})
	m.setSuccessor(s, successor)
	m.setSymbols(c, has+1)
	return true
}

// expand makes room for a unit more than the symbols of a context fill.
func (m *model) expand(c ref, units uint32) bool {
	class := int(unitsClass[units])
	if class == int(unitsClass[units+1]) {
		return true
	}
	block := m.alloc(class + 1)
	if block == 0 {
		return false
	}
	old := m.first(c)
	m.copy(block, old, units)
	m.give(old, class)
	m.setFirst(c, block)
	return true
}

// createSuccessors makes the contexts that follow the symbol that was found, up to the longest, and returns this one, or 0.
func (m *model) createSuccessors() ref {
	c := m.minimum
	text := m.successor(m.found)
	symbol := m.symbol(m.found)
	path := m.path[:0]
	if m.orderFall != 0 {
		path = append(path, m.found)
	}
	for m.suffix(c) != 0 {
		c = m.suffix(c)
		s := c + oneSymbol
		if m.symbols(c) != 1 {
			s = m.find(c, symbol)
		}
		if to := m.successor(s); to != text {
			c = to
			break
		}
		path = append(path, s)
	}

	if len(path) == 0 {
		return c
	}
	next := m.mem[text]
	one := [symbolSize]byte{next, m.initialFreq(c, next)}
	for _, s := range slices.Backward(path) {
		child := m.allocContext()
		if child == 0 {
			return 0
		}
		m.setSymbols(child, 1)
		m.store(child+oneSymbol, one)
		m.setSuccessor(child+oneSymbol, text+1)
		m.setSuffix(child, c)
		m.setSuccessor(s, child)
		c = child
	}
	return c
}

// initialFreq is the frequency of a symbol in new contexts that are longer than c.
func (m *model) initialFreq(c ref, symbol byte) byte {
	if m.symbols(c) == 1 {
		return byte(m.freq(c + oneSymbol))
	}
	cf := m.freq(m.find(c, symbol)) - 1
	others := m.sum(c) - m.symbols(c) - cf
	if 2*cf <= others {
		return byte(1 + b2u(5*cf > others))
	}
	return byte(2 + (2*cf+others-1)/(2*others))
}

// rescale halves the frequencies of a context, in which the symbol that was found comes first from now on.
func (m *model) rescale() {
	c := m.minimum
	first := m.first(c)
	m.moveTo(first, m.found)
	escape := m.sum(c) - m.freq(first)
	round := b2u(m.orderFall != 0) // otherwise symbols may drop out
	sum := (m.freq(first) + 4 + round) / 2
	m.setFreq(first, sum)

	n := m.symbols(c)
	for s, end := first+symbolSize, first+n*symbolSize; s < end; s += symbolSize {
		escape -= m.freq(s)
		freq := (m.freq(s) + round) / 2
		m.setFreq(s, freq)
		sum += freq
		to := s
		for to > first && freq > m.freq(to-symbolSize) {
			to -= symbolSize
		}
		m.moveTo(to, s)
	}

	kept := n
	for m.freq(first+(kept-1)*symbolSize) == 0 {
		kept--
	}
	if kept < n {
		escape += n - kept
		m.setSymbols(c, kept)
		if kept == 1 {
			m.makeBinary(c, escape, (n+1)/2)
			return
		}
		m.setFirst(c, m.shrink(first, (n+1)/2, (kept+1)/2))
	}
	m.setSum(c, sum+escape-escape/2)
	m.found = m.first(c)
}

// moveTo moves a symbol before others.
func (m *model) moveTo(to, s ref) {
	if to == s {
		return
	}
	v := m.load(s)
	copy(m.mem[to+symbolSize:s+symbolSize], m.mem[to:s])
	m.store(to, v)
}

// makeBinary makes c a context of one symbol, the only one that is left of a block of so many units.
func (m *model) makeBinary(c ref, escape, units uint32) {
	s := m.first(c)
	freq := m.freq(s)
	for {
		freq = (freq + 1) / 2
		if escape /= 2; escape <= 1 {
			break
		}
	}
	m.store(c+oneSymbol, m.load(s))
	m.setFreq(c+oneSymbol, freq)
	m.found = c + oneSymbol
	m.give(s, int(unitsClass[units]))
}

func b2u(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
