// Package lzma encodes blocks as LZMA2, made for speed. The format is that of the LZMA SDK (https://www.7-zip.org/sdk.html) and of
// liblzma; the parser is greedy with one byte of lookahead, as that of 7-Zip's fast levels.
package lzma

// Params are the settings of an [Encoder]. Larger numbers make smaller output, and take more time.
type Params struct {
	Dictionary int // how far back matches reach, in bytes
	Row        int // how many candidates are kept for one match: 16, 32 or 64, less a quarter for the tags
	Depth      int // how many of them are compared
	Nice       int // a match of this length is taken as it is; 8 to 273
	Block      int // the length of block that suits the dictionary, in bytes
}

// levels are what Level returns. On dumps, 3 and 4 make about what 7-Zip's level 3 makes.
var levels = [10]Params{
	1: {Dictionary: 256 << 10, Row: 16, Depth: 3, Nice: 24},
	2: {Dictionary: 1 << 20, Row: 16, Depth: 6, Nice: 32},
	3: {Dictionary: 4 << 20, Row: 16, Depth: 15, Nice: 32},
	4: {Dictionary: 4 << 20, Row: 32, Depth: 31, Nice: 64},
	5: {Dictionary: 8 << 20, Row: 32, Depth: 31, Nice: 96},
	6: {Dictionary: 8 << 20, Row: 64, Depth: 63, Nice: 128},
	7: {Dictionary: 16 << 20, Row: 32, Depth: 31, Nice: 192},
	8: {Dictionary: 16 << 20, Row: 64, Depth: 63, Nice: 273},
	9: {Dictionary: 32 << 20, Row: 64, Depth: 63, Nice: 273},
}

// Level is the settings of a level, 1 (fastest) to 9 (smallest). Others are taken for the nearest of these.
func Level(level int) Params {
	p := levels[min(max(level, 1), 9)]
	p.Block = max(2*p.Dictionary, min(4*p.Dictionary, 16<<20), 1<<20)
	return p
}

// DictionaryProp is the property byte of LZMA2 for a dictionary of at least size bytes.
func DictionaryProp(size int) byte {
	for p := byte(0); p < 40; p++ {
		if DictionarySize(p) >= int64(size) {
			return p
		}
	}
	return 40
}

// DictionarySize is the reverse of DictionaryProp; p is at most 40.
func DictionarySize(p byte) int64 {
	if p >= 40 {
		return 1<<32 - 1
	}
	return int64(2|p&1) << (p/2 + 11)
}

// Limits of the format.
const (
	minMatch = 2
	maxMatch = 273
	maxPlain = 2 << 20  // bytes of a chunk
	maxCoded = 64 << 10 // likewise, as they are stored
	worst    = 64       // no symbol and the end of its chunk take more
)

// Encoder encodes blocks, one at a time, in 4 bytes of memory for each byte of the dictionary, and 250 KiB.
type Encoder struct {
	finder finder
	model  model
	rc     rangeEncoder
	src    []byte
	pos    int      // of what is to be encoded next
	here   *matches // at pos, if known says so
	next   *matches // at pos+1
	known  bool
}

// NewEncoder makes an Encoder.
func NewEncoder(p Params) *Encoder {
	e := &Encoder{here: &matches{}, next: &matches{}}
	e.finder.init(p)
	return e
}

// Encode appends src, which is shorter than 2 GiB, to dst, as LZMA2 chunks of which the first resets dictionary, state and properties;
// without the zero byte that ends a stream. Blocks one behind the other are one stream. What an Encoder encoded before makes no
// difference.
func (e *Encoder) Encode(dst, src []byte) []byte {
	e.src, e.pos, e.known = src, 0, false
	e.finder.reset(src)
	reset := byte(resetAll)
	for e.pos < len(src) {
		start := e.pos
		if reset > 0 {
			e.model.reset()
		}
		e.encodeChunk(start)
		coded := e.rc.finish()
		if len(coded) >= e.pos-start {
			dst = appendStored(dst, src[start:e.pos], reset == resetAll)
			// The decoder's model knows nothing of what was stored.
			reset = min(max(reset, resetState), resetProperties)
			continue
		}
		dst = appendChunkHeader(dst, reset, e.pos-start, len(coded))
		dst = append(dst, coded...)
		reset = 0
	}
	e.src, e.finder.src = nil, nil
	return dst
}

// encodeChunk encodes as much as goes into a chunk.
func (e *Encoder) encodeChunk(start int) {
	e.rc.reset()
	for e.pos < len(e.src) && e.pos-start <= maxPlain-maxMatch && e.rc.n <= maxCoded-worst {
		length, back := e.choose()
		e.model.encode(&e.rc, e.src, e.pos, length, back)
		e.pos += length
	}
}

// What a chunk resets, as in its control byte.
const (
	resetState      = 1
	resetProperties = 2 // and state
	resetAll        = 3 // and the dictionary
)

// properties is lc, lp and pb as LZMA writes them.
const properties = (posBits*5+0)*9 + literalContext

func appendChunkHeader(dst []byte, reset byte, plain, coded int) []byte {
	plain, coded = plain-1, coded-1
	dst = append(dst, 0x80|reset<<5|byte(plain>>16), byte(plain>>8), byte(plain), byte(coded>>8), byte(coded))
	if reset >= resetProperties {
		dst = append(dst, properties)
	}
	return dst
}

// appendStored appends a chunk that is not compressed; coding it would have filled a chunk, so it is no longer than that.
func appendStored(dst, plain []byte, resetDictionary bool) []byte {
	control := byte(2)
	if resetDictionary {
		control = 1
	}
	n := len(plain) - 1
	return append(append(dst, control, byte(n>>8), byte(n)), plain...)
}
