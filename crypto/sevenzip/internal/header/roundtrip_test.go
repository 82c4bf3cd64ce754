package header

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// chain is a folder of coders, one after the other, in the order of AES first, with no CRCs.
func chain(sizes ...uint64) Folder {
	f := Folder{Sizes: sizes, Packed: []int{0}, Plain: []Plain{{Size: sizes[len(sizes)-1]}}}
	for i := range sizes {
		f.Coders = append(f.Coders, Coder{Method: LZMA2, Inputs: 1, Properties: []byte{24}})
		if i > 0 {
			f.Bonds = append(f.Bonds, Bond{Input: i, Output: i - 1})
		}
	}
	return f
}

// written is what Append can write.
func written(t testing.TB) map[string]*Header {
	t.Helper()
	modified := time.Date(2026, 11, 23, 1, 2, 3, 456_789_100, time.UTC)
	crc, crc2 := uint32(0xdeadbeef), uint32(0)
	one := File{Name: "shop.sql", Modified: modified, Attributes: AttributeArchive | UnixExtension | 0o100600<<16, HasStream: true}
	empty := File{Name: "empty", Attributes: AttributeArchive}
	directory := File{Name: "größe €/𝄞", Directory: true, Modified: modified}
	anti, antiDirectory := File{Name: "gone", Anti: true}, File{Name: "gone/d", Anti: true, Directory: true}
	streams := func(folders ...Folder) Streams {
		s := Streams{Offset: 7, Folders: folders}
		for i := range folders {
			s.Packed = append(s.Packed, Packed{Size: uint64(1000 * i)})
		}
		return s
	}
	checked, whole := chain(5000), chain(4096, 5000)
	checked.Plain[0].CRC = &crc
	whole.CRC, whole.Plain[0].CRC = &crc2, &crc2
	dated := func(t time.Time) File { return File{Name: "dated", Modified: t} }
	h := map[string]*Header{
		"no file":             {Files: []File{}},
		"an empty file":       {Files: []File{empty}},
		"a directory":         {Files: []File{directory}},
		"a nameless file":     {Files: []File{{HasStream: true}}, Streams: streams(chain(1))},
		"one file":            {Files: []File{one}, Streams: streams(checked)},
		"one file, whole CRC": {Files: []File{one}, Streams: streams(whole)},
		"one file, no CRC":    {Files: []File{one}, Streams: streams(chain(1, 2, 3))},
		"files that are gone": {Files: []File{anti, antiDirectory, empty}},
		"all kinds of files": {
			Files:   []File{directory, one, empty, one, anti, antiDirectory, one, empty, one, directory},
			Streams: streams(checked, chain(0), whole, chain(1, 0)),
		},
		"times at the borders": {Files: []File{
			dated(time.Time{}), dated(time.Unix(0, 0).UTC()), dated(time.Unix(-toUnix, 100).UTC()),
			dated(time.Unix(maxSeconds-toUnix-1, 999_999_900).UTC()),
		}},
	}
	h["the largest sizes"] = &Header{Files: []File{one}, Streams: streams(chain(1, maxTotal))}
	h["the largest sizes"].Streams.Packed[0].Size = maxTotal - 7
	h["packed streams with CRCs"] = &Header{Files: []File{one, one, one}, Streams: streams(checked, checked, checked)}
	h["packed streams with CRCs"].Streams.Packed[1].CRC = &crc
	return h
}

// What Append writes is what Parse returns.
func TestRoundTrip(t *testing.T) {
	for name, h := range written(t) {
		wantRoundTrip(t, name, h)
	}
	for seed := range uint64(500) {
		wantRoundTrip(t, fmt.Sprint(seed), randomHeader(seed, "größe 𝄞"))
	}
}

func wantRoundTrip(t *testing.T, name string, h *Header) {
	t.Helper()
	b := h.Append([]byte("before"))
	got, encoded, err := Parse(b[6:])
	if err != nil || encoded != nil || !reflect.DeepEqual(got, h) {
		t.Fatalf("%s:\n%+v\nbecame\n%+v\n%v, %v: % x", name, h, got, encoded, err, b[6:])
	}
	wantConsistent(t, got)
	if len(h.Streams.Folders) == 0 {
		return
	}
	h2, streams, err := Parse(h.Streams.AppendEncoded(nil))
	if err != nil || h2 != nil || !reflect.DeepEqual(streams, &h.Streams) {
		t.Fatalf("%s, encoded:\n%+v\nbecame\n%+v\n%v, %v", name, h.Streams, streams, h2, err)
	}
}

// The description of an encoded header names no plain streams; each folder has one.
func TestEncodedRoundTrip(t *testing.T) {
	crc := uint32(5)
	for _, c := range []*uint32{&crc, nil} {
		f := chain(4096)
		f.CRC, f.Plain = c, nil
		_, got, err := Parse((&Streams{Offset: 1 << 40, Packed: []Packed{{4096, c}}, Folders: []Folder{f}}).AppendEncoded(nil))
		f.Plain = []Plain{{4096, c}}
		if want := (&Streams{1 << 40, []Packed{{4096, c}}, []Folder{f}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v became %+v: %v", want, got, err)
		}
	}
}

// What is stored, byte by byte.
func TestAppend(t *testing.T) {
	crc := uint32(0xed6f7a7a)
	h := &Header{Files: []File{{Name: "a", Modified: timeOf(0x01dd7af1485f7e38), Attributes: AttributeArchive, HasStream: true}}}
	h.Streams = Streams{Packed: []Packed{{Size: 7}}, Folders: []Folder{{
		Coders: []Coder{{Method: LZMA2, Properties: []byte{0x18}}}, Sizes: []uint64{3}, Plain: []Plain{{3, &crc}},
	}}}
	want := unhex(t, "01"+streams+"05 01 11 05 00 6100 0000 14 0a 01 00 387e5f48f17add01 15 06 01 00 20000000 00 00")
	if got := h.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("% x\nis not\n% x", got, want)
	}
	h.Streams.Folders[0].Coders[0], h.Streams.Folders[0].Plain[0].CRC = Coder{Method: Copy}, nil
	h.Files = []File{{Name: "", HasStream: true}, {Name: "d", Directory: true}}
	want = unhex(t, "01 04"+packInfo+"07 0b 01 00 01 01 00 0c 03 00 00 05 02 0e 01 40 11 07 00 0000 6400 0000 15 0a 01 00 00000000 00000000 00 00")
	if got := h.Append(nil); !bytes.Equal(got, want) {
		t.Errorf("% x\nis not\n% x", got, want)
	}
}

// Times that Windows cannot count are not stored.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want uint64
	}{
		{time.Time{}, 0},
		{time.Unix(-toUnix, 0), 0},
		{time.Unix(-toUnix, 99), 0},
		{time.Unix(-toUnix, 100), 1},
		{time.Unix(-toUnix-1, 999_999_999), 0},
		{time.Unix(0, 0), 116444736000000000},
		{time.Date(2026, 11, 23, 2, 21, 1, 90_770_499, time.FixedZone("", 3600)), 0x01dd7ae8e69b1638},
		{time.Unix(maxSeconds-toUnix, 0), 0},
		{time.Unix(math.MaxInt64, 0), 0},
		{time.Unix(math.MinInt64, 0), 0},
	} {
		if got := fileTime(c.t); got != c.want {
			t.Errorf("%v is %#x, not %#x", c.t, got, c.want)
		}
	}
	for _, units := range []uint64{0, maxSeconds * unitsPerSecond, math.MaxInt64, 1 << 63, math.MaxUint64} {
		if got := timeOf(units); !got.IsZero() {
			t.Errorf("%#x is %v", units, got)
		}
	}
}

// FuzzRoundTrip makes a header at random, with one name that is given.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), "shop.sql")
	f.Add(uint64(2), "\ufffd𝄞/\uffff")
	f.Fuzz(func(t *testing.T, seed uint64, name string) {
		wantRoundTrip(t, fmt.Sprint(seed), randomHeader(seed, strings.ReplaceAll(strings.ToValidUTF8(name, "?"), "\x00", "?")))
	})
}

func randomHeader(seed uint64, name string) *Header {
	r := rand.New(rand.NewPCG(seed, 1))
	h := &Header{Files: []File{}}
	for range r.IntN(20) {
		f := File{Name: fmt.Sprint(r.Uint64() >> r.IntN(64)), Attributes: r.Uint32()}
		if r.IntN(5) == 0 {
			f.Name = name
		}
		if r.IntN(3) > 0 {
			f.Modified = timeOf(r.Uint64() >> r.IntN(64))
		}
		if f.HasStream = r.IntN(3) > 0; f.HasStream {
			h.Streams.Folders = append(h.Streams.Folders, randomFolder(r))
			h.Streams.Packed = append(h.Streams.Packed, Packed{randomSize(r), randomCRC(r)})
			h.Streams.Offset = randomSize(r)
		} else {
			f.Directory, f.Anti = r.IntN(2) == 0, r.IntN(2) == 0
		}
		h.Files = append(h.Files, f)
	}
	return h
}

// randomFolder chains coders in a random order.
func randomFolder(r *rand.Rand) Folder {
	order := r.Perm(1 + r.IntN(maxCoders))
	f := Folder{Packed: []int{order[0]}, CRC: randomCRC(r)}
	for i := range order {
		c := Coder{Method: r.Uint64() >> r.IntN(64), Inputs: 1}
		for range r.IntN(3) * r.IntN(100) {
			c.Properties = append(c.Properties, byte(r.Uint32()))
		}
		f.Coders, f.Sizes = append(f.Coders, c), append(f.Sizes, randomSize(r))
		if i > 0 {
			f.Bonds = append(f.Bonds, Bond{Input: order[i], Output: order[i-1]})
		}
	}
	f.Plain = []Plain{{Size: f.Sizes[order[len(order)-1]], CRC: f.CRC}}
	if f.CRC == nil {
		f.Plain[0].CRC = randomCRC(r)
	}
	return f
}

// randomSize is small enough for twenty of them to add up.
func randomSize(r *rand.Rand) uint64 { return r.Uint64() >> (8 + r.IntN(56)) }

func randomCRC(r *rand.Rand) *uint32 {
	if r.IntN(2) == 0 {
		return nil
	}
	crc := r.Uint32()
	return &crc
}
