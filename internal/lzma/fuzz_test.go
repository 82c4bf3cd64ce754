package lzma

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// fuzzLimit is how long a block of the fuzz target gets: several chunks.
const fuzzLimit = 200_000

// unfold makes a block of a program, so that a few bytes make matches from far back: each command is a byte, of which two bits say
// what it does, and two of operands.
func unfold(program []byte) (plain []byte) {
	for len(program) >= 3 && len(plain) < fuzzLimit {
		kind, n := program[0]>>6, int(program[0]&63)+1
		operand := int(program[1])<<8 | int(program[2])
		program = program[3:]
		switch kind {
		case 0: // literals
			n = min(n, len(program))
			plain, program = append(plain, program[:n]...), program[n:]
		case 1: // a copy, near or far, which may overlap itself
			if len(plain) == 0 {
				continue
			}
			from := len(plain) - 1 - operand%len(plain)
			for i := range n * n {
				plain = append(plain, plain[from+i])
			}
		case 2: // a run
			plain = append(plain, bytes.Repeat([]byte{byte(operand)}, n*(operand>>8+1))...)
		case 3: // noise, in a fifth of cases of a chunk's length
			rnd := rand.New(rand.NewPCG(uint64(operand), 0))
			if operand%5 == 0 {
				n *= 1500
			}
			for range n {
				plain = append(plain, byte(rnd.Uint32()))
			}
		}
	}
	return plain[:min(len(plain), fuzzLimit)]
}

func FuzzEncode(f *testing.F) {
	f.Add(byte(0), []byte("\x09\x00\x00INSERT INTO\x7f\x00\x05\x4f\x01\x00\xc3\x00\x01\x4f\x00\x0d"))
	f.Add(byte(1), []byte("\xff\x00\x05\x7f\x0f\xff\x7f\x10\x00\x7f\x10\x01"))                 // noise, and copies from the dictionary's border
	f.Add(byte(2), []byte("\xbf\xff\x00\xff\x00\x05\xbf\xff\x01\xc0\x00\x01\x7f\x40\x00\x7f")) // runs and noise in turns
	f.Add(byte(3), []byte("\xc9\x00\x01\x40\x00\x07\xc0\x00\x02\x41\x00\x07\xc0\x00\x03\x42\x00\x03\xc0\x00\x04\x43\x00\x07"))
	settings := []Params{
		small,
		{Dictionary: 4 << 10, Row: 64, Depth: 63, Nice: 273},
		{Dictionary: 5000, Row: 32, Depth: 2, Nice: 8},
		{Dictionary: 64 << 10, Row: 16, Depth: 15, Nice: 24},
	}
	f.Fuzz(func(t *testing.T, which byte, program []byte) {
		p := settings[int(which)%len(settings)]
		plain := unfold(program)
		stored := NewEncoder(p).Encode(nil, plain)
		chunks := wellMade(t, stored, len(plain))
		if got := decode(t, stored, p.Dictionary); !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d", len(plain), len(got))
		}
		if got := length(chunks); got > len(plain)+6+3*(len(plain)/(maxCoded-1000)+1) {
			t.Errorf("%d bytes became %d", len(plain), got)
		}
	})
}
