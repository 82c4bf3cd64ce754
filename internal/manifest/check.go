package manifest

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/layout"
)

var stageName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// check holds a manifest to everything that readers rely on.
func (m *Manifest) check() error {
	if m.Format != Format {
		return fmt.Errorf("format %d", m.Format)
	}
	if _, ok := layout.IDTime(m.ID); !ok {
		return fmt.Errorf("id %q", m.ID)
	}
	if time.Time(m.Begun).IsZero() || time.Time(m.Ended).IsZero() {
		return errors.New("begun or ended is missing")
	}
	if len(m.Compression.Header) > 0 || !m.Encrypted() && len(m.Encryption.Header) > 0 {
		return errors.New("an encryption header without an encryption")
	}
	return errors.Join(
		layout.CheckName(m.Name),
		layout.CheckExt(m.Ext),
		CheckTexts(m.OriginalName, m.Source, m.Labels),
		m.Compression.Check("compression"),
		m.Encryption.Check("encryption"),
		m.checkSizes(),
	)
}

// CheckTexts holds what people may write into a manifest to its limits.
func CheckTexts(originalName, source string, labels map[string]string) error {
	if len(labels) > MaxLabels {
		return fmt.Errorf("%d labels, at most %d are allowed", len(labels), MaxLabels)
	}
	texts := []string{originalName, source}
	for k, v := range labels {
		texts = append(texts, k, v)
	}
	total := 0
	for _, s := range texts {
		total += len(s)
		if len(s) > MaxText {
			return fmt.Errorf("text of %d bytes, at most %d are allowed", len(s), MaxText)
		}
		if !utf8.ValidString(s) {
			return fmt.Errorf("text %q is not UTF-8", s)
		}
	}
	if total > MaxTexts {
		return fmt.Errorf("labels and other texts have %d bytes, at most %d are allowed", total, MaxTexts)
	}
	return nil
}

// Check holds a stage to what a manifest can say of it; what names it in the error.
func (s *Stage) Check(what string) error {
	if !stageName.MatchString(s.Name) {
		return fmt.Errorf("%s %q: the name of a stage is 1 to 32 of a-z, 0-9 and '-'", what, s.Name)
	}
	if err := layout.CheckStageExt(s.Ext); err != nil {
		return fmt.Errorf("%s %s: %w", what, s.Name, err)
	}
	if len(s.KeyIDs) > MaxKeyIDs {
		return fmt.Errorf("%s %s: %d key ids, at most %d are allowed", what, s.Name, len(s.KeyIDs), MaxKeyIDs)
	}
	for _, id := range s.KeyIDs { // which errors will name as they are
		if err := layout.CheckKeyID(id); err != nil {
			return fmt.Errorf("%s %s: %w", what, s.Name, err)
		}
	}
	if len(s.Header) > crypto.MaxHeader {
		return fmt.Errorf("%s header of %d bytes", what, len(s.Header))
	}
	return nil
}

func (m *Manifest) checkSizes() error {
	if m.PlainSize < 0 || m.ChunkSize < 1 || m.ChunkSize > ChunkSize {
		return fmt.Errorf("plain size %d, chunk size %d", m.PlainSize, m.ChunkSize)
	}
	if n := len(m.Segments); n < 1 || n > layout.MaxSegments {
		return fmt.Errorf("%d segments", n)
	}
	if _, _, kind, ok := layout.Parse(m.Object(1)); !ok || kind != layout.KindData {
		return fmt.Errorf("the data would be in %q", m.Object(1))
	}
	var total int64
	for i, s := range m.Segments {
		if s.Size < 0 || s.Size > math.MaxInt64-total {
			return fmt.Errorf("segment of %d bytes", s.Size)
		}
		total += s.Size
		if err := m.checkSize(i); err != nil {
			return err
		}
		if want := path.Base(m.Object(i + 1)); s.Object != want {
			return fmt.Errorf("segment is in %q, not %q", s.Object, want)
		}
		n := chunksIn(s.Size, m.ChunkSize)
		if n > MaxChunks {
			return fmt.Errorf("segment of %d chunks, at most %d are allowed", n, MaxChunks)
		}
		if len(m.Segments) > 1 {
			if len(s.Chunks) != 0 {
				return errors.New("chunk digests inside the manifest of several segments")
			}
		} else if int64(len(s.Chunks)) != n || DigestOf(s.Chunks) != s.Digest {
			return errors.New("the chunk digests do not fit the segment")
		}
	}
	if total != m.StoredSize {
		return fmt.Errorf("stored size %d, segments have %d", m.StoredSize, total)
	}
	return nil
}

// checkSize holds segment i, from 0, to how a stream is cut: all are full, but for the last, which is not empty.
func (m *Manifest) checkSize(i int) error {
	size, first, last := m.Segments[i].Size, m.Segments[0].Size, i == len(m.Segments)-1
	if !last && size != first || last && size > first || i > 0 && size == 0 {
		return fmt.Errorf("segment %d has %d bytes, the first has %d", i+1, size, first)
	}
	return nil
}

func chunksIn(size, chunk int64) int64 {
	n := size / chunk
	if size%chunk != 0 {
		n++
	}
	return n
}
