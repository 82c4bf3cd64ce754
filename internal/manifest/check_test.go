package manifest

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRules breaks one rule at a time.
func TestRules(t *testing.T) {
	labels := map[string]string{}
	for i := range MaxLabels + 1 {
		labels[strings.Repeat("k", i+1)] = ""
	}
	for name, test := range map[string]struct {
		breaks func(m *Manifest)
		want   string
	}{
		"format 0":       {func(m *Manifest) { m.Format = 0 }, "format 0"},
		"format -1":      {func(m *Manifest) { m.Format = -1 }, "format -1"},
		"no id":          {func(m *Manifest) { m.ID = "" }, `id ""`},
		"path in id":     {func(m *Manifest) { m.ID = "../../../etc/passwd" }, "id "},
		"no such time":   {func(m *Manifest) { m.ID = "20261322t175500123z-7f3a9c2e" }, "id "},
		"no name":        {func(m *Manifest) { m.Name = "" }, "name is empty"},
		"path in name":   {func(m *Manifest) { m.Name = "../shop" }, "component"},
		"long name":      {func(m *Manifest) { m.Name = strings.Repeat("n", 201) }, "201 bytes"},
		"path in ext":    {func(m *Manifest) { m.Ext = "/../x" }, "extension"},
		"numbered ext":   {func(m *Manifest) { m.Ext = ".001" }, "reserved"},
		"manifest's ext": {func(m *Manifest) { m.Ext = ".manifest.json" }, "reserved"},
		"long source":    {func(m *Manifest) { m.Source = strings.Repeat("s", MaxText+1) }, "1025 bytes"},
		"long original":  {func(m *Manifest) { m.OriginalName = strings.Repeat("s", MaxText+1) }, "1025 bytes"},
		"long label":     {func(m *Manifest) { m.Labels = map[string]string{"k": strings.Repeat("v", MaxText+1)} }, "1025 bytes"},
		"long label key": {func(m *Manifest) { m.Labels = map[string]string{strings.Repeat("k", MaxText+1): ""} }, "1025 bytes"},
		"many labels":    {func(m *Manifest) { m.Labels = labels }, "65 labels"},
		"too much text": {func(m *Manifest) {
			m.Labels = map[string]string{}
			for i := range MaxLabels {
				m.Labels[strconv.Itoa(i)] = strings.Repeat("<", MaxText)
			}
		}, "labels and other texts have"},
		"not begun":             {func(m *Manifest) { m.Begun = Time{} }, "begun or ended"},
		"not ended":             {func(m *Manifest) { m.Ended = Time{} }, "begun or ended"},
		"header of compression": {func(m *Manifest) { m.Compression.Header = []byte("x") }, "without an encryption"},
		"header of none":        {func(m *Manifest) { m.Encryption.Header = []byte("x") }, "without an encryption"},
		"last segment larger":   {func(m *Manifest) { *m = *several(); m.Segments[1].Size = 17<<20 + 1 }, "segment 2 has"},
		"last segment empty":    {func(m *Manifest) { *m = *several(); m.Segments[1].Size = 0 }, "segment 2 has 0"},
		"segments of two sizes": {func(m *Manifest) {
			*m = *several()
			m.Segments = append(m.Segments, m.Segments[1])
		}, "segment 2 has"},
		"data named as manifest": {func(m *Manifest) { m.Ext, m.Compression.Ext, m.Encryption.Ext = ".manifest", "", ".json" }, "the data would be in"},
		"no compression":         {func(m *Manifest) { m.Compression.Name = "" }, "compression"},
		"capital stage":          {func(m *Manifest) { m.Encryption.Name = "AES" }, "encryption"},
		"long stage":             {func(m *Manifest) { m.Encryption.Name = strings.Repeat("a", 33) }, "encryption"},
		"path in stage":          {func(m *Manifest) { m.Compression.Ext = "/x" }, "extension"},
		"two stage exts":         {func(m *Manifest) { m.Compression.Ext = ".a.b" }, "extension"},
		"numbered stage":         {func(m *Manifest) { m.Encryption.Ext = ".002" }, "extension"},
		"long header":            {func(m *Manifest) { m.Encryption.Name, m.Encryption.Header = "aes256", make([]byte, 8<<10+1) }, "header of 8193 bytes"},
		"key id with escapes":    {func(m *Manifest) { m.Encryption.KeyIDs = []string{"\x1b[2J"} }, `key id "\x1b[2J"`},
		"long key id":            {func(m *Manifest) { m.Encryption.KeyIDs = []string{strings.Repeat("k", 65)} }, "key id"},
		"many key ids":           {func(m *Manifest) { m.Encryption.KeyIDs = slices.Repeat([]string{"k"}, 65) }, "key ids"},
		"negative plain":         {func(m *Manifest) { m.PlainSize = -1 }, "plain size -1"},
		"no chunk size":          {func(m *Manifest) { m.ChunkSize = 0 }, "chunk size 0"},
		"negative chunk":         {func(m *Manifest) { m.ChunkSize = -ChunkSize }, "chunk size -"},
		"large chunk":            {func(m *Manifest) { m.ChunkSize++ }, "chunk size 8388609"},
		"no segments":            {func(m *Manifest) { m.Segments = nil }, "null"},
		"no segments at all":     {func(m *Manifest) { m.Segments = segments{} }, "0 segments"},
		"1000 segments":          {func(m *Manifest) { m.Segments = make([]Segment, 1000) }, "more than 999 segments"},
		"negative segment":       {func(m *Manifest) { m.Segments[0].Size = -1 }, "segment of -1 bytes"},
		"other object":           {func(m *Manifest) { m.Segments[0].Object = "../other/" + testID + ".sql.zst" }, "not \""},
		"no object":              {func(m *Manifest) { m.Segments[0].Object = "" }, "not \""},
		"number missing":         {func(m *Manifest) { m.Numbered = true }, "not \""},
		"10^18 chunks":           {func(m *Manifest) { m.Segments[0].Size, m.ChunkSize = math.MaxInt64, 1 }, "chunks, at most 9000"},
		"9001 chunks":            {func(m *Manifest) { m.Segments[0].Size = MaxChunks*ChunkSize + 1 }, "9001 chunks"},
		"chunk missing":          {func(m *Manifest) { m.Segments[0].Chunks = m.Segments[0].Chunks[:2] }, "do not fit"},
		"chunk added":            {func(m *Manifest) { m.Segments[0].Chunks = chunksOf(4) }, "do not fit"},
		"chunks missing":         {func(m *Manifest) { m.Segments[0].Chunks = nil }, "do not fit"},
		"other digest":           {func(m *Manifest) { m.Segments[0].Digest[31] ^= 1 }, "do not fit"},
		"other chunk":            {func(m *Manifest) { m.Segments[0].Chunks[2][0] ^= 1 }, "do not fit"},
		"chunks swapped": {func(m *Manifest) {
			c := m.Segments[0].Chunks
			c[0], c[1] = c[1], c[0]
		}, "do not fit"},
		"other stored size": {func(m *Manifest) { m.StoredSize-- }, "stored size"},
		"size overflows": {func(m *Manifest) {
			*m = *several()
			m.Segments[0].Size, m.Segments[1].Size, m.StoredSize = 2, math.MaxInt64, math.MinInt64+1
		}, "segment of 9223372036854775807 bytes"},
		"digests in several": {func(m *Manifest) {
			*m = *several()
			m.Segments[1].Chunks = chunksOf(1)
		}, "of several segments"},
		"wrong order": {func(m *Manifest) {
			*m = *several()
			m.Segments[0], m.Segments[1] = m.Segments[1], m.Segments[0]
		}, "not \""},
		"segment twice": {func(m *Manifest) {
			*m = *several()
			m.Segments[1].Object = m.Segments[0].Object
		}, "not \""},
	} {
		t.Run(name, func(t *testing.T) {
			m := single()
			test.breaks(m)
			_, err := Parse(object(t, m))
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want ErrDamaged with %q", err, test.want)
			}
		})
	}
}

// What the rules leave open must stay readable.
func TestAllowed(t *testing.T) {
	for name, change := range map[string]func(m *Manifest){
		"no texts":       func(m *Manifest) { m.OriginalName, m.Source, m.CopiedFrom, m.Labels = "", "", "", nil },
		"unknown stages": func(m *Manifest) { m.Compression.Name, m.Encryption.Name = "brotli", "kms-7" },
		"odd chunk":      func(m *Manifest) { m.ChunkSize = 6 << 20 },
	} {
		m := single()
		change(m)
		if _, err := Parse(object(t, m)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// encoding/json turns what is not UTF-8 into U+FFFD, so this rule is for those who write.
func TestTextsAreUTF8(t *testing.T) {
	for _, s := range []string{"\xff", "a\xc3"} {
		if CheckTexts(s, "", nil) == nil || CheckTexts("", s, nil) == nil || CheckTexts("", "", map[string]string{s: ""}) == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}
