package method_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// text is what a dump looks like.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "INSERT INTO t VALUES (%d, 'customer %x', %d.%02d);\n", i, uint32(i*i)*2654435761, i%977, i*7%100)
	}
	return b.Bytes()[:n]
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// noisy is text of which parts do not compress.
func noisy(n int) []byte {
	b, noise := text(n), random(n)
	for i := range b {
		if i>>16%3 == 1 {
			b[i] = noise[i]
		}
	}
	return b
}

// x86 is dense with what matters to the filters of x86 code.
func x86(n int) []byte {
	b := random(n)
	const alphabet = "\xe8\xe9\x0f\x84\x00\x00\xff\xff\x01\x12"
	for i := range b {
		if i>>9%2 == 0 {
			b[i] = alphabet[int(b[i])%len(alphabet)]
		}
	}
	return b
}

// words is big-endian words with the bits of free at random, most of them at multiples of step.
func words(word, free uint32, step int) func(int) []byte {
	return func(n int) []byte {
		b := random(n)
		for i := 0; i+4 <= n; i += 4 {
			if b[i]%8 > 1 {
				binary.BigEndian.PutUint32(b[i:], word|binary.BigEndian.Uint32(b[i:])&free)
			} else if b[i]%8 == 1 {
				i += step - 4
			}
		}
		return b
	}
}

func sparc(n int) []byte {
	b := words(0x40000000, 0x3fffff, 4)(n)
	for i := 4; i+4 <= n; i += 8 {
		copy(b[i:], []byte{0x7f, b[i+1] | 0xc0})
	}
	return b
}

func ia64(n int) []byte {
	b := random(n)
	for i := 0; i+16 <= n; i += 16 {
		for slot := range 3 {
			at := 5 + 41*slot
			var word [8]byte
			copy(word[:6], b[i+at/8:])
			v := binary.LittleEndian.Uint64(word[:])
			v = v&^(0xf<<37<<(at%8)|7<<9<<(at%8)) | 5<<37<<(at%8)
			binary.LittleEndian.PutUint64(word[:], v)
			copy(b[i+at/8:], word[:6])
		}
	}
	return b
}

// little swaps the bytes of words.
func little(b []byte) []byte {
	for i := 0; i+4 <= len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	return b
}

func arm64(n int) []byte {
	b := little(words(0x94000000, 0x03ffffff, 4)(n))
	pages := little(words(0x90000000, 0x60ffffff, 4)(n))
	for i := range b {
		if i>>2%2 == 1 {
			b[i] = pages[i]
		}
	}
	return b
}

func riscv(n int) []byte {
	b := random(n)
	for i := 0; i+8 <= n; i += 8 {
		switch v := binary.LittleEndian.Uint32(b[i:]); v >> 29 {
		case 0, 1: // jal
			binary.LittleEndian.PutUint32(b[i:], v&^0xfff|0x0ef|v&0x200)
		case 2, 3, 4: // auipc and what uses its register
			register := v >> 7 & 0x1f
			binary.LittleEndian.PutUint32(b[i:], v&^0x7f|0x17)
			second := binary.LittleEndian.Uint32(b[i+4:])
			binary.LittleEndian.PutUint32(b[i+4:], second&^0xf8003|register<<15|3)
		case 5: // auipc of x0 or x2, as if it were converted
			binary.LittleEndian.PutUint32(b[i:], v&^0xfff|0x17|v&0x100)
		case 6:
			i -= 6
		}
	}
	return b
}
