package header

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"
)

// maxFactor is how many times as much memory as its input Parse may take, beside a fixed amount, as MaxSize says.
const (
	maxFactor = 64
	maxFixed  = 64 << 10
)

// parseMeasured returns what Parse allocated in all.
func parseMeasured(b []byte) (allocated uint64, h *Header, encoded *Streams, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, encoded, err = Parse(b)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, h, encoded, err
}

// hostile makes headers of about n bytes that say as much as they can.
func hostile(n int) map[string][]byte {
	cat := func(parts ...any) (b []byte) {
		for _, p := range parts {
			switch p := p.(type) {
			case int:
				b = append(b, byte(p))
			case uint64:
				b = appendNumber(b, p)
			case []byte:
				b = append(b, p...)
			}
		}
		return b
	}
	many := func(n int, b ...byte) []byte { return bytes.Repeat(b, n) }
	num := func(n int) uint64 { return uint64(n) }
	packInfo := func(n int) []byte { return cat(idPackInfo, 0, num(n), idSize, many(n, 0), idEnd) }
	oneFolder := func(size uint64) []byte {
		return cat(idUnpackInfo, idFolder, 1, 0, 1, 0, idUnpackSize, size, idEnd)
	}
	smallest := func(n int) []byte {
		return cat(idUnpackInfo, idFolder, num(n), 0, many(n, 1, 0), idUnpackSize, many(n, 0))
	}
	bits := func(n int) []byte { return make([]byte, (n+7)/8) }
	emptyFiles := func(n int) []byte { return cat(idFiles, num(n), idEmptyStream, num((n+7)/8), many((n+7)/8, 0xff)) }
	names := func(n int, name ...byte) []byte { return cat(idName, num(1+n*len(name)), 0, many(n, name...)) }

	f := n / 4 // folders of four bytes
	hostile := map[string][]byte{
		"packed streams":                 cat(idHeader, idMainStreams, packInfo(n), idEnd, idEnd),
		"packed streams, CRC bits":       cat(idHeader, idMainStreams, idPackInfo, 0, num(n), idSize, many(n, 0), idCRC, 0, bits(n), idEnd, idEnd, idEnd),
		"packed streams that are absent": cat(idHeader, idMainStreams, idPackInfo, 0, num(n-20), many(n, 0xff)),
		"folders":                        cat(idHeader, idMainStreams, packInfo(f), smallest(f), idEnd, idEnd, idFiles, num(0), idEnd, idEnd),
		"folders, CRC bits":              cat(idHeader, idMainStreams, packInfo(f), smallest(f), idCRC, 0, bits(f), idEnd, idEnd, idEnd),
		"folders that are absent":        cat(idHeader, idMainStreams, packInfo(1), idUnpackInfo, idFolder, num(n/3-20), 0, many(n, 0xff)),
		"folders of an encoded header":   cat(idEncodedHeader, packInfo(f), smallest(f), idEnd, idEnd),
		"folders of no plain streams": cat(idHeader, idMainStreams, packInfo(n/5), smallest(n/5), idEnd, idSubStreams, idNumUnpackStream, many(n/5, 0),
			idEnd, idEnd, idEnd),
		"plain streams": cat(idHeader, idMainStreams, packInfo(1), oneFolder(0), idSubStreams, idNumUnpackStream, num(n), idSize, many(n-1, 0), idEnd,
			idEnd, idEnd),
		"plain streams, CRC bits": cat(idHeader, idMainStreams, packInfo(1), oneFolder(0), idSubStreams, idNumUnpackStream, num(n), idSize,
			many(n-1, 0), idCRC, 0, bits(n), idEnd, idEnd, idEnd),
		"plain streams that are absent": cat(idHeader, idMainStreams, packInfo(1), oneFolder(1), idSubStreams, idNumUnpackStream, num(n), many(n, 0xff)),
		"plain streams, absent many times": cat(idHeader, idMainStreams, packInfo(n/100), smallest(n/100), idEnd, idSubStreams, idNumUnpackStream,
			bytes.Repeat(appendNumber(nil, num(n)), n/100), many(n, 0xff)),
		"counts, many times": cat(idHeader, idMainStreams, packInfo(1), oneFolder(1), idSubStreams,
			bytes.Repeat(cat(idNumUnpackStream, num(n)), n/5), many(n, 0xff)),
		"unknown properties":     cat(idHeader, idMainStreams, idPackInfo, 0, 0, many(n/2, 0x20, 0)),
		"archive properties":     cat(idHeader, idArchive, many(n/2, 0x20, 0)),
		"coder properties":       cat(idHeader, idMainStreams, packInfo(1), idUnpackInfo, idFolder, 1, 0, 1, 0x20, num(n), many(n, 0xff)),
		"files that are absent":  cat(idHeader, idFiles, num(n/2-20), many(n, 0xff)),
		"files of no names":      cat(idHeader, emptyFiles(n/2), names(n/2, 0, 0), idEnd, idEnd),
		"files of short names":   cat(idHeader, emptyFiles(n/4), names(n/4, 'a', 0, 0, 0), idEnd, idEnd),
		"files of shorter names": cat(idHeader, emptyFiles(n/4), names(n/4, 0x20, 0xac, 0, 0), idEnd, idEnd),
		"a long name":            cat(idHeader, emptyFiles(1), names(1, append(many(n/2, 0xac, 0x20), 0, 0)...), idEnd, idEnd),
		"properties of files":    cat(idHeader, emptyFiles(1), names(1, 0, 0), many(n/2, 0x20, 0), idEnd, idEnd),
		"padding of files":       cat(idHeader, emptyFiles(1), names(1, 0, 0), many(n/2, idDummy, 0), idEnd, idEnd),
		"bits of files": cat(idHeader, emptyFiles(n/2), bytes.Repeat(appendProperty(nil, idAnti, make([]byte, (n/2+7)/8)), 5), names(n/2, 0, 0),
			idEnd, idEnd),
		"times of files": cat(idHeader, emptyFiles(n/10), names(n/10, 0, 0), idMTime, num(2+n/10*8), 1, 0, make([]byte, n/10*8), idEnd, idEnd),
	}
	coders := many(maxCoders, 0) // folders of as many coders as there may be, one after the other
	for i := range maxCoders - 1 {
		coders = append(coders, byte(i+1), byte(i))
	}
	f = n / (len(coders) + 1 + maxCoders + 1)
	hostile["many coders"] = cat(idHeader, idMainStreams, packInfo(f), idUnpackInfo, idFolder, num(f), 0,
		bytes.Repeat(append([]byte{maxCoders}, coders...), f), idUnpackSize, many(f*maxCoders, 0), idEnd, idEnd, idEnd)
	return hostile
}

// Memory and time are linear in the length of the header, whatever it says. It is some milliseconds here; if it grew with the square of the
// length, it would be a minute.
func TestHostile(t *testing.T) {
	const n = 256 << 10
	for name, b := range hostile(n) {
		if len(b) < n*9/10 {
			t.Errorf("%s: only %d bytes", name, len(b))
		}
		begun := time.Now()
		allocated, _, _, err := parseMeasured(b)
		took := time.Since(begun)
		t.Logf("%s: %d bytes, %.1f times as much memory, %v: %.150v", name, len(b), float64(allocated)/float64(len(b)), took, err)
		if allocated > maxFactor*uint64(len(b))+maxFixed || took > 5*time.Second {
			t.Errorf("%s: %d bytes allocated for %d, in %v: %v", name, allocated, len(b), took, err)
		}
	}
}

// Numbers of things that are not there allocate nothing.
func TestHugeNumbers(t *testing.T) {
	numbers := []uint64{128, 1 << 16, 1<<31 - 1, 1 << 31, 1 << 32, 1 << 40, math.MaxInt64 / 8, math.MaxInt64, 1 << 63, math.MaxUint64}
	h := unhex(t, "01"+streams+"05 01 0e 01 00 11 05 00 6100 0000 14 0a 01 00 387e5f48f17add01 15 06 01 00 20000000 00 00")
	for i := range h {
		for _, n := range numbers {
			b := slices.Concat(h[:i], appendNumber(nil, n), h[i+1:])
			allocated, got, _, err := parseMeasured(b)
			if allocated > maxFixed {
				t.Errorf("%d at %d: %d bytes allocated: %v", n, i, allocated, err)
			}
			if err == nil {
				wantConsistent(t, got)
			}
		}
	}
}
