package lzma

// much says that a distance is so much farther that a length more does not pay for it.
func much(near, far uint32) bool { return far>>7 > near }

// choose decides what is encoded at pos: a literal, or so many bytes from back. What it decides by are lengths and magnitudes of
// distances, not prices; the rules are those of the LZMA SDK's fast mode.
func (e *Encoder) choose() (length, back int) {
	if !e.known {
		e.finder.find(e.pos, e.here, e.finder.Depth)
	}
	e.known = false
	rep, repLength := e.bestRep(e.pos)
	if repLength >= e.finder.Nice {
		e.finder.skip(e.pos+1, repLength-1)
		return repLength, rep
	}
	n, d := e.here.choose()
	if n >= uint32(e.finder.Nice) {
		e.finder.skip(e.pos+1, int(n)-1)
		return int(n), int(d) + len(e.model.reps)
	}
	if r := uint32(repLength); r >= minMatch && (r+1 >= n || r+2 >= n && d >= 1<<9 || r+3 >= n && d >= 1<<15) {
		e.finder.skip(e.pos+1, repLength-1)
		return repLength, rep
	}
	if n < minMatch || e.pos+1 >= len(e.src) {
		return 1, literal
	}
	depth := e.finder.Depth
	if n >= 32 { // hardly to be bettered
		depth /= 4
	}
	e.finder.find(e.pos+1, e.next, depth)
	if e.betterNext(n, d) {
		e.here, e.next, e.known = e.next, e.here, true
		return 1, literal
	}
	e.finder.skip(e.pos+2, int(n)-2)
	return int(n), int(d) + len(e.model.reps)
}

// bestRep is the latest distance that matches longest at pos.
func (e *Encoder) bestRep(pos int) (rep, length int) {
	src := e.src[:min(len(e.src), pos+maxMatch)]
	for i, d := range e.model.reps {
		at := pos - int(d) - 1
		if at < 0 || len(src)-pos < 2 || src[at] != src[pos] || src[at+1] != src[pos+1] {
			continue
		}
		if n := common(src, at, pos); n > length {
			rep, length = i, n
		}
	}
	return rep, length
}

// choose is the longest match, unless one that is a byte shorter is much nearer; length 0 is none that pays.
func (m *matches) choose() (length, distance uint32) {
	if m.n == 0 {
		return 0, 0
	}
	i := m.n - 1
	for i > 0 && m.m[i].length == m.m[i-1].length+1 && much(m.m[i-1].distance, m.m[i].distance) {
		i--
	}
	if m.m[i].length == minMatch && m.m[i].distance >= 1<<7 {
		return 0, 0
	}
	return m.m[i].length, m.m[i].distance
}

// betterNext says that a literal and the match after it are better than the match of n and d here.
func (e *Encoder) betterNext(n, d uint32) bool {
	if e.next.n > 0 {
		m := e.next.m[e.next.n-1]
		if m.length >= n && m.distance < d ||
			m.length == n+1 && !much(d, m.distance) ||
			m.length > n+1 ||
			m.length+1 >= n && n >= 3 && much(m.distance, d) {
			return true
		}
	}
	_, r := e.bestRep(e.pos + 1)
	return r >= max(minMatch, int(n)-1)
}
