package manifest

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/databasement/backup/crypto"
)

// edit replaces one occurrence of old, which must be there.
func edit(t *testing.T, data []byte, old, with string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("no %q in %s", old, data)
	}
	return bytes.Replace(data, []byte(old), []byte(with), 1)
}

func TestParseHostile(t *testing.T) {
	good := object(t, single())
	body, _, _ := bytes.Cut(good, []byte("\n"))
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"nothing":            {nil, ErrDamaged},
		"a newline":          {[]byte("\n"), ErrDamaged},
		"not JSON":           {[]byte("PK\x03\x04\n{}\n"), ErrDamaged},
		"an array":           {[]byte("[]\n{}\n"), ErrDamaged},
		"null":               {[]byte("null\n{}\n"), ErrDamaged},
		"an empty object":    {[]byte("{}\n{}\n"), ErrDamaged},
		"line 2 missing":     {body, ErrDamaged},
		"line 2 open":        {good[:len(good)-1], ErrDamaged},
		"line 3":             {append(bytes.Clone(good), "{}\n"...), ErrDamaged},
		"an empty line 3":    {append(bytes.Clone(good), '\n'), ErrDamaged},
		"two values":         {edit(t, good, "\n", "{}\n"), ErrDamaged},
		"cut":                {good[:len(good)/2], ErrDamaged},
		"too large":          {append(bytes.Clone(good), make([]byte, MaxSize)...), ErrDamaged},
		"large, one line":    {bytes.Repeat([]byte("["), MaxSize), ErrDamaged},
		"deep":               {[]byte(`{"format":1,"x":` + strings.Repeat("[", 500_000) + "\n"), ErrDamaged},
		"newer":              {edit(t, good, `"format":1`, `"format":2`), ErrNewer},
		"newer, other line":  {[]byte(`{"format":99,"segments":"elsewhere"}`), ErrNewer},
		"format is text":     {edit(t, good, `"format":1`, `"format":"1"`), ErrDamaged},
		"format is huge":     {edit(t, good, `"format":1`, `"format":1e99`), ErrDamaged},
		"size is a float":    {edit(t, good, `"plain_size":41943040`, `"plain_size":0.5`), ErrDamaged},
		"size overflows":     {edit(t, good, `"plain_size":41943040`, `"plain_size":9223372036854775808`), ErrDamaged},
		"short digest":       {edit(t, good, `"digest":"`, `"digest":"00`), ErrDamaged},
		"digest not hex":     {edit(t, good, `"digest":"`+good64(good), `"digest":"`+strings.Repeat("g", 64)), ErrDamaged},
		"header not base64":  {edit(t, good, `"encryption":{`, `"encryption":{"header":"*",`), ErrDamaged},
		"format twice":       {edit(t, good, `"format":1`, `"format":1,"Format":2`), ErrDamaged},
		"newer twice":        {edit(t, good, `"format":1`, `"format":1,"format":2`), ErrNewer},
		"capitals":           {edit(t, good, `"source"`, `"Source"`), ErrDamaged},
		"unknown capitals":   {edit(t, good, `"format":1`, `"format":1,"Unknown":1`), ErrDamaged},
		"a folding letter":   {edit(t, good, `"format":1`, `"format":1,"\u017fource":"x"`), ErrDamaged},
		"label twice":        {edit(t, good, `"labels":{`, `"labels":{"a":"1","a":"2",`), ErrDamaged},
		"twice in unknown":   {edit(t, good, `"format":1`, `"format":1,"x":[{"a":1,"a":1}]`), ErrDamaged},
		"null text":          {edit(t, good, `"source":"`, `"source":null,"x":"`), ErrDamaged},
		"null in unknown":    {edit(t, good, `"format":1`, `"format":1,"x":[null]`), ErrDamaged},
		"nested":             {edit(t, good, `"format":1`, `"format":1,"x":`+strings.Repeat("[", 17)+strings.Repeat("]", 17)), ErrDamaged},
		"not UTF-8":          {edit(t, good, `"source":"`, `"source":"`+"\xff"), ErrDamaged},
		"digest in capitals": {edit(t, good, good64(good), strings.ToUpper(good64(good))), ErrDamaged},
		"time with offset":   {edit(t, good, `"ended":"2026-11-22T18:00:00Z"`, `"ended":"2026-11-22T18:00:00+00:00"`), ErrDamaged},
		"time with comma":    {edit(t, good, `55:00.123Z`, `55:00,123Z`), ErrDamaged},
		"time with zeros":    {edit(t, good, `55:00.123Z`, `55:00.1230Z`), ErrDamaged},
		"name twice":         {edit(t, good, `"name":"shop/eu"`, `"name":"shop/eu","NAME":"../x"`), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := Parse(test.data); !errors.Is(err, test.want) || m != nil {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

// good64 is the digest of the segment in an object.
func good64(data []byte) string {
	_, after, _ := bytes.Cut(data, []byte(`"digest":"`))
	return string(after[:64])
}

func TestUnsealHostile(t *testing.T) {
	encryption, key := aes(t)
	for _, line := range []string{
		"", "{}", "null", "[]", `{"seal":""}`, `{"seal":null}`, `{"seal":"*"}`, `{"seal":5}`,
		`{"seal":"AAAA"}`, `{"seal":"` + strings.Repeat("AAAA", crypto.MaxSeal/3+1) + `"}`,
		`{"plain_sha256":"` + strings.Repeat("00", 32) + `"}`,
	} {
		data := append(edit(t, object(t, single()), "\n", "\n"+line+"\n\x00"), 0)
		data = data[:bytes.IndexByte(data, 0)]
		m, err := Parse(data)
		if err != nil {
			t.Fatalf("%.40q: %v", line, err)
		}
		if _, err := m.Unseal(key); !errors.Is(err, ErrDamaged) {
			t.Errorf("AES256, line 2 %.40q: got %v", line, err)
		}
		if _, err := m.Unseal(nil); !errors.Is(err, ErrDamaged) {
			t.Errorf("clear, line 2 %.40q: got %v", line, err)
		}
	}
	short, err := single().Encode(Digest{}, func(body, _ []byte) ([]byte, error) { return encryption.Seal(body, []byte("short")) })
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(short)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Unseal(key); !errors.Is(err, ErrDamaged) {
		t.Errorf("a seal around 5 bytes: got %v", err)
	}
}

// TestEveryByte changes every byte of an object. Line 1 is covered by both seals, so that must be an error.
// The plain digest in line 2 of a clear one is not covered: a change there is an error, or it is another plain digest,
// which the restored stream then does not have.
func TestEveryByte(t *testing.T) {
	encryption, key := aes(t)
	for name, test := range map[string]struct {
		seal func(body, secret []byte) ([]byte, error)
		key  crypto.Decryption
	}{
		"clear":  {},
		"aes256": {encryption.Seal, key},
	} {
		t.Run(name, func(t *testing.T) {
			plain := Digest{0xab, 0xcd}
			good, err := single().Encode(plain, test.seal)
			if err != nil {
				t.Fatal(err)
			}
			line2 := bytes.IndexByte(good, '\n') + 1
			accepted := 0
			for i := range good {
				for _, with := range []byte{good[i] ^ 1, good[i] ^ 2, good[i] ^ 0x20, good[i] ^ 0x80, '\n', ' ', '0', '"'} {
					if with == good[i] {
						continue
					}
					data := bytes.Clone(good)
					data[i] = with
					m, err := Parse(data)
					if err != nil {
						continue
					}
					got, err := m.Unseal(test.key)
					if err != nil {
						continue
					}
					accepted++
					if i < line2 || !reflect.DeepEqual(m.Manifest, single()) {
						t.Fatalf("byte %d, %q for %q, goes unnoticed", i, with, good[i])
					}
					if test.key != nil || got == plain {
						t.Fatalf("byte %d, %q for %q, is accepted in line 2", i, with, good[i])
					}
				}
			}
			t.Logf("%d bytes; %d changes accepted, all in line 2", len(good), accepted)
		})
	}
}

func TestParseSums(t *testing.T) {
	m := several()
	good, err := EncodeSums(testID, 1, chunksOf(3))
	if err != nil {
		t.Fatal(err)
	}
	chunks, err := m.ParseSums(good, 1)
	if err != nil || !reflect.DeepEqual(chunks, chunksOf(3)) {
		t.Fatalf("got %v, %v", chunks, err)
	}
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"not JSON":      []byte("<html>"),
		"an object":     []byte("{}"),
		"too large":     append(bytes.Clone(good), bytes.Repeat([]byte(" "), MaxSize)...),
		"two values":    append(bytes.Clone(good), good...),
		"other format":  edit(t, good, `"format":1`, `"format":2`),
		"other id":      edit(t, good, testID, "20261122t175500123z-00000000"),
		"other segment": edit(t, good, `"segment":1`, `"segment":2`),
		"chunk missing": mustSums(t, 1, chunksOf(2)),
		"chunk added":   mustSums(t, 1, chunksOf(4)),
		"other order":   mustSums(t, 1, []Digest{chunksOf(3)[1], chunksOf(3)[0], chunksOf(3)[2]}),
		"no chunks":     mustSums(t, 1, nil),
	} {
		if chunks, err := m.ParseSums(data, 1); !errors.Is(err, ErrDamaged) || chunks != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := m.ParseSums(good, 2); !errors.Is(err, ErrDamaged) {
		t.Errorf("the sums of segment 1 for segment 2: %v", err)
	}
}

func mustSums(t *testing.T, i int, chunks []Digest) []byte {
	data, err := EncodeSums(testID, i, chunks)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// maxAlloc is what reading an object of MaxSize may allocate in all. Most of it, for segments of which an object names
// 500,000 in two bytes each, is garbage at once.
const maxAlloc = 320 << 20

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What an object claims costs nothing; only what it holds does.
func TestMemory(t *testing.T) {
	fill := func(head, unit, tail string) []byte {
		n := (MaxSize/4 - len(head) - len(tail)) / len(unit) // a quarter: these are slow with -race
		return []byte(head + strings.TrimSuffix(strings.Repeat(unit, n), ",") + tail)
	}
	claims := edit(t, object(t, single()), `"stored_size":17825792,"chunk_size":8388608`, `"stored_size":9223372036854775807,"chunk_size":1`)
	for name, test := range map[string]struct {
		data []byte
		max  uint64
	}{
		"claims":   {claims, 1 << 20},
		"segments": {fill(`{"format":1,"segments":[`, "0,", "]}\n{}\n"), maxAlloc / 4},
		"objects":  {fill(`{"format":1,"segments":[`, "{},", "]}\n{}\n"), maxAlloc / 4},
		"chunks":   {fill(`{"format":1,"segments":[{"chunks":[`, "null,", "]}]}\n{}\n"), maxAlloc / 4},
		"key ids":  {fill(`{"format":1,"encryption":{"key_ids":[`, `"",`, "]}}\n{}\n"), maxAlloc / 4},
		"spaces":   {fill(`{"format":1`, " ", "}\n{}\n"), maxAlloc / 4},
	} {
		n := allocated(func() {
			if _, err := Parse(test.data); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v", name, err)
			}
		})
		if n > test.max {
			t.Errorf("%s: %d bytes were allocated for an object of %d", name, n, len(test.data))
		}
		t.Logf("%s: %.1f MiB", name, float64(n)/(1<<20))
	}
	sums := fill(`{"format":1,"chunks":[`, "null,", "]}")
	n := allocated(func() {
		if _, err := several().ParseSums(sums, 1); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
	if n > maxAlloc/4 {
		t.Errorf("%d bytes were allocated for a sums object", n)
	}
}

// What a later version may add within format 1.
func TestUnknownFieldsAreIgnored(t *testing.T) {
	good := object(t, single())
	for _, field := range []string{`"x":1`, `"x_2":{"y":[true,"z",-1.5e3]}`, `"x":""`} {
		if m, err := Parse(edit(t, good, `"format":1`, `"format":1,`+field)); err != nil || m.Source == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
