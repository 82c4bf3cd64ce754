package method

import (
	"encoding/binary"
	"math/bits"
)

// The filters of machine code, as in Bra.c and Bra86.c of the LZMA SDK.

var le, be = binary.LittleEndian, binary.BigEndian

// each makes a filter of one for every unit of size bytes.
func each(size int, convert func(b []byte, pos uint32)) func() func([]byte, uint32) int {
	return func() func([]byte, uint32) int {
		return func(b []byte, pos uint32) int {
			n := len(b) / size * size
			for i := 0; i < n; i += size {
				convert(b[i:i+size:i+size], pos+uint32(i))
			}
			return n
		}
	}
}

// ppc: bl with a relative target, big endian.
func ppc(b []byte, pos uint32) {
	if v := be.Uint32(b); v&0xfc000003 == 0x48000001 {
		be.PutUint32(b, 0x48000001|(v-pos)&0x03fffffc)
	}
}

// arm: bl, always; the target is relative to the second instruction that follows.
func arm(b []byte, pos uint32) {
	if v := le.Uint32(b); v>>24 == 0xeb {
		le.PutUint32(b, 0xeb000000|(v-(pos+8)>>2)&0xffffff)
	}
}

// sparc: call, whose target has 23 bits with its sign.
func sparc(b []byte, pos uint32) {
	v := be.Uint32(b)
	if top := v >> 22; top != 0x100 && top != 0x1ff {
		return
	}
	v -= pos >> 2
	v &= 1<<23 - 1
	v |= -(v >> 22 & 1) << 22 & 0x3fffffff
	be.PutUint32(b, v|0x40000000)
}

// ia64: the branches in a bundle of three instructions of 41 bits, after 5 bits that say what kinds they are.
func ia64(b []byte, pos uint32) {
	slots := [32]byte{16: 4, 17: 4, 18: 6, 19: 6, 22: 7, 23: 7, 24: 4, 25: 4, 28: 4, 29: 4}[b[0]&0x1f]
	for slot := range 3 {
		if slots>>slot&1 == 0 {
			continue
		}
		at := 5 + 41*slot
		var word [8]byte
		copy(word[:6], b[at/8:])
		v := le.Uint64(word[:])
		instruction := v >> (at % 8)
		if instruction>>37&0xf != 5 || instruction>>9&7 != 0 {
			continue
		}
		target := uint32(instruction>>13&0xfffff | instruction>>36&1<<20)
		target -= pos >> 4
		instruction &^= 0x8fffff << 13
		instruction |= uint64(target&0xfffff)<<13 | uint64(target>>20&1)<<36
		v = v&(1<<(at%8)-1) | instruction<<(at%8)
		le.PutUint64(word[:], v)
		copy(b[at/8:], word[:6])
	}
}

// arm64: bl, and adrp within 512 MiB.
func arm64(b []byte, pos uint32) {
	v := le.Uint32(b)
	switch {
	case v>>26 == 0x25:
		le.PutUint32(b, 0x25<<26|(v-pos>>2)&(1<<26-1))
	case v&0x9f000000 == 0x90000000:
		page := v>>29&3 | v>>3&0x1ffffc
		if (page+1<<17)&0x1c0000 != 0 {
			return
		}
		page -= pos >> 12
		v = v&0x9000001f | page&3<<29 | page&0x3fffc<<3
		v |= -(page & 0x20000) & 0xe00000
		le.PutUint32(b, v)
	}
}

// armThumb makes a filter of bl, a pair of half words.
func armThumb() func([]byte, uint32) int {
	return func(b []byte, pos uint32) int {
		i := 0
		for ; i+4 <= len(b); i += 2 {
			high, low := le.Uint16(b[i:]), le.Uint16(b[i+2:])
			if high>>11 != 0x1e || low>>11 != 0x1f {
				continue
			}
			target := uint32(high&0x7ff)<<11 | uint32(low&0x7ff)
			target -= (pos + uint32(i) + 4) >> 1
			le.PutUint16(b[i:], 0xf000|uint16(target>>11&0x7ff))
			le.PutUint16(b[i+2:], 0xf800|uint16(target&0x7ff))
			i += 2
		}
		return i
	}
}

// x86 makes a filter of call and jmp with a relative target of 32 bits. Targets within 16 MiB are absolute if no more than
// one such opcode, itself left alone, is among the three bytes before.
func x86() func([]byte, uint32) int {
	var (
		last   uint32 // where the last opcode was
		alone  uint32 // bit i: the byte i before last is an opcode that was left alone
		nearly uint32 // those of alone that were so because of the ones before them
	)
	return func(b []byte, pos uint32) int {
		i := 0
		for ; i+5 <= len(b); i++ {
			if b[i]&0xfe != 0xe8 {
				continue
			}
			at := pos + uint32(i)
			alone, nearly = alone<<(at-last)&0xe, nearly<<(at-last)&0xe
			last = at
			near := b[i+4] == 0 || b[i+4] == 0xff
			if !near || nearly != 0 || bits.OnesCount32(alone) > 1 {
				alone |= 1
				if near {
					nearly |= 1
				}
				continue
			}
			target := x86Target(le.Uint32(b[i+1:]), at+5, bits.TrailingZeros32(alone)%32)
			le.PutUint32(b[i+1:], target&0x1ffffff|-(target>>24&1)<<24)
			alone, nearly = 0, 0
			i += 4
		}
		return i
	}
}

// x86Target makes an absolute target relative to pos. The byte of it that is distance bytes before the top one follows the
// opcode that was left alone, if distance is not 0: it stays one that is not near.
func x86Target(target, pos uint32, distance int) uint32 {
	for {
		target -= pos
		if distance == 0 {
			return target
		}
		if b := byte(target >> (24 - 8*distance)); b != 0 && b != 0xff {
			return target
		}
		target ^= 1<<(32-8*distance) - 1
	}
}

// riscv makes a filter of jal, and of auipc with the instruction that uses its result.
func riscv() func([]byte, uint32) int {
	return func(b []byte, pos uint32) int {
		i := 0
		for i+8 <= len(b) {
			switch v := le.Uint32(b[i:]); {
			case v&0xdff == 0xef: // to x1 or x5
				le.PutUint32(b[i:], riscvJAL(v, pos+uint32(i)))
				i += 4
			case v&0x7f == 0x17:
				i += riscvPair(b[i:i+8], pos+uint32(i))
			default:
				i += 2
			}
		}
		return i
	}
}

// riscvJAL makes the target relative, whose bits 17 to 20, 9 to 16 and 1 to 8 are stored in this order.
func riscvJAL(v, pos uint32) uint32 {
	target := v>>12&0xf<<17 | v>>16&0xff<<9 | v>>24<<1
	target -= pos
	return v&0xfff | target>>20&1<<31 | target>>1&0x3ff<<21 | target>>11&1<<20 | target>>12&0xff<<12
}

// riscvPair converts auipc and what follows it, and says how long that was.
func riscvPair(b []byte, pos uint32) int {
	first, second := le.Uint32(b), le.Uint32(b[4:])
	if first&0xe80 != 0 { // its register is not x0 or x2: it was not converted, or is escaped
		if (first<<8^(second-3))&0xf8003 != 0 {
			return 6
		}
		le.PutUint32(b, 0x17|2<<7|second<<12)
		le.PutUint32(b[4:], first&0xfffff000+second>>20)
		return 8
	}
	register := first >> 27
	if (first-0x3117)<<18 >= register&0x1d {
		return 4
	}
	target := be.Uint32(b[4:]) - pos
	le.PutUint32(b, 0x17|register<<7|(target+0x800)&0xfffff000)
	le.PutUint32(b[4:], first>>12|target<<20)
	return 8
}
