package manifest

import (
	"errors"
	"reflect"
	"testing"

	"github.com/databasement/backup/internal/layout"
)

func FuzzParse(f *testing.F) {
	f.Add(object(f, single()))
	f.Add(object(f, several()))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`{"format":1,"segments":[{},{}],"chunk_size":1}` + "\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *Sealed
		var err error
		if n := allocated(func() { m, err = Parse(data) }); n > maxAlloc {
			t.Fatalf("%d bytes were allocated for %d", n, len(data))
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) || m != nil {
				t.Fatalf("neither damaged nor newer: %v", err)
			}
			return
		}
		var total int64
		for i, s := range m.Segments {
			total += s.Size
			if name, id, _, ok := layout.Parse(m.Object(i + 1)); !ok || name != m.Name || id != m.ID {
				t.Fatalf("segment in %q", m.Object(i+1))
			}
		}
		if total != m.StoredSize || m.PlainSize < 0 {
			t.Fatalf("sizes %d, %d, %d", total, m.StoredSize, m.PlainSize)
		}
		again, err := Parse(object(t, m.Manifest))
		if err != nil || !reflect.DeepEqual(again.Manifest, m.Manifest) {
			t.Fatalf("it does not survive another round: %v", err)
		}
		_, _ = m.Unseal(nil)
	})
}

func FuzzParseSums(f *testing.F) {
	good, err := EncodeSums(testID, 1, chunksOf(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"chunks":[null,null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := several()
		var chunks []Digest
		var err error
		if n := allocated(func() { chunks, err = m.ParseSums(data, 1) }); n > maxAlloc {
			t.Fatalf("%d bytes were allocated for %d", n, len(data))
		}
		if err == nil && !reflect.DeepEqual(chunks, chunksOf(3)) {
			t.Fatalf("other digests pass for those of the manifest: %x", chunks)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	})
}
