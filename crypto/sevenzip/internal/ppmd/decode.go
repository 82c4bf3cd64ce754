package ppmd

// decode decodes one symbol, from the current context or, after escapes from it, from shorter ones. It sets r.err if
// there is none.
func (r *Reader) decode() byte {
	m := &r.m
	if m.symbols(m.minimum) == 1 {
		s := m.minimum + oneSymbol
		symbol := m.symbol(s)
		if r.decodeBinary(s) {
			m.updateBinary(s)
			return symbol
		}
		r.masked = [256]bool{}
		r.masked[symbol] = true
	} else {
		if symbol, ok := r.decodeSymbol(); ok || r.err != nil {
			return symbol
		}
		r.masked = [256]bool{}
		r.mask(m.minimum)
	}
	for r.err == nil {
		if symbol, ok := r.decodeUnmasked(); ok {
			return symbol
		}
	}
	return 0
}

// mask excludes a context's symbols, since it escaped.
func (r *Reader) mask(c ref) {
	m := &r.m
	s := m.first(c)
	for range m.symbols(c) {
		r.masked[m.symbol(s)] = true
		s += symbolSize
	}
}

// decodeBinary says whether the next symbol is s, the only one of the current context.
func (r *Reader) decodeBinary(s ref) bool {
	m := &r.m
	m.highBits = highBits(m.symbol(m.found))
	prob := &m.binary[m.freq(s)-1][m.success+int(symbolsBinary[m.symbols(m.suffix(m.minimum))])+
		m.highBits+2*highBits(m.symbol(s))+m.run>>26&0x20]
	bound := r.rng >> binBits * uint32(*prob)
	mean := (*prob + 1<<(periodBits-2)) >> periodBits
	if r.low < bound {
		r.rng = bound
		r.normalize()
		*prob += 1<<periodBits - mean
		return true
	}
	r.low -= bound
	r.rng -= bound
	r.normalize()
	*prob -= mean
	m.initialEsc = uint32(escapeFreq[*prob>>10])
	m.success = 0
	return false
}

// highBits is 8 for letters and what is not ASCII.
func highBits(symbol byte) int {
	if symbol >= 0x40 {
		return 8
	}
	return 0
}

// decodeSymbol decodes one from a context of several symbols, if it does not escape.
func (r *Reader) decodeSymbol() (byte, bool) {
	m := &r.m
	c := m.minimum
	sum := m.sum(c)
	count := r.threshold(sum)
	s := m.first(c)
	high := m.freq(s)
	if count < high {
		symbol := m.symbol(s)
		r.narrow(0, high)
		m.updateFirst(s)
		return symbol, true
	}
	m.success = 0
	for range m.symbols(c) - 1 {
		s += symbolSize
		freq := m.freq(s)
		if high += freq; high > count {
			symbol := m.symbol(s)
			r.narrow(high-freq, freq)
			m.updateOther(s)
			return symbol, true
		}
	}
	if count >= sum {
		r.err = errDamaged
		return 0, false
	}
	m.highBits = highBits(m.symbol(m.found))
	r.narrow(high, sum-high)
	return 0, false
}

// decodeUnmasked decodes one from the next shorter context that has other symbols, if it does not escape either.
func (r *Reader) decodeUnmasked() (byte, bool) {
	m := &r.m
	masked := m.symbols(m.minimum)
	for m.symbols(m.minimum) == masked {
		m.orderFall++
		m.minimum = m.suffix(m.minimum)
		if m.minimum == 0 { // an escape from the shortest: an end that .7z does not have
			r.err = errDamaged
			return 0, false
		}
	}
	others := r.candidates[:0]
	high := uint32(0)
	s := m.first(m.minimum)
	for range m.symbols(m.minimum) {
		if !r.masked[m.symbol(s)] {
			others = append(others, s)
			high += m.freq(s)
		}
		s += symbolSize
	}
	estimate, freq := m.estimateEscape(masked)
	count := r.threshold(freq + high)
	if count >= freq+high {
		r.err = errDamaged
		return 0, false
	}
	if count >= high {
		r.narrow(high, freq)
		estimate.sum += uint16(freq + high)
		r.mask(m.minimum)
		return 0, false
	}
	start, i := uint32(0), 0
	for ; start+m.freq(others[i]) <= count; i++ {
		start += m.freq(others[i])
	}
	s = others[i]
	symbol := m.symbol(s)
	r.narrow(start, m.freq(s))
	estimate.update()
	m.updateMasked(s)
	return symbol, true
}

// estimateEscape is the estimate that serves the current context, of whose symbols so many are masked, and the
// frequency of an escape that it gives.
func (m *model) estimateEscape(masked uint32) (*escape, uint32) {
	c := m.minimum
	n := m.symbols(c)
	if n == 256 {
		return &m.dummyEscape, 1
	}
	others := n - masked
	e := &m.escapes[symbolsEscape[others]][int(b2u(others < m.symbols(m.suffix(c))-n)+2*b2u(m.sum(c) < 11*n)+4*b2u(masked > others))+
		m.highBits]
	freq := uint32(e.sum >> e.shift)
	e.sum -= uint16(freq)
	return e, max(freq, 1)
}
