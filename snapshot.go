package backup

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/databasement/backup/internal/layout"
	"github.com/databasement/backup/internal/manifest"
)

// Snapshot is one committed backup.
type Snapshot struct {
	Name       string    // such as "shop"
	ID         string    // such as "20261122t175500123z-7f3a9c2e"
	Time       time.Time // when it was begun, UTC, to the millisecond; from the id
	StoredSize int64     // bytes of its data objects
	// Details come from the manifest. They are nil in listings, which read no object.
	Details *Details
}

// Ref addresses the snapshot: "name/id".
func (s *Snapshot) Ref() string { return s.Name + "/" + s.ID }

// Details is what a manifest says.
type Details struct {
	Ext          string            `json:"ext,omitempty"`
	OriginalName string            `json:"original_name,omitempty"`
	CopiedFrom   string            `json:"copied_from,omitempty"` // name/id
	Source       string            `json:"source,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Begun        time.Time         `json:"begun"`
	Ended        time.Time         `json:"ended"`
	Compression  Stage             `json:"compression"`
	Encryption   Stage             `json:"encryption"`
	PlainSize    int64             `json:"plain_size"`             // bytes
	PlainSHA256  string            `json:"plain_sha256,omitempty"` // hex; empty if the seal was not opened
	Objects      []string          `json:"objects"`                // the stored stream, in order
	Seal         Seal              `json:"seal"`
}

// Stage is a compressor or an encryptor, as a manifest describes it.
type Stage struct {
	Name   string            `json:"name"`
	Params map[string]string `json:"params,omitempty"`
	KeyIDs []string          `json:"key_ids,omitempty"`
}

// Seal says what protects a manifest, and whether that was checked.
type Seal string

const (
	SealVerified Seal = "verified" // opened with the key: the manifest is what its writer wrote
	SealNone     Seal = "none"     // the snapshot is not encrypted: its digests find damage, not tampering
	SealUnknown  Seal = "unknown"  // there was no key to check it with
)

// ParseRef takes "name/id" or "name/latest" apart. For the latter, id is "latest".
func ParseRef(ref string) (name, id string, err error) {
	i := strings.LastIndexByte(ref, '/')
	if i < 0 {
		return "", "", fmt.Errorf("%q is not a snapshot: want name/id or name/latest", ref)
	}
	name, id = ref[:i], ref[i+1:]
	if err := layout.CheckName(name); err != nil {
		return "", "", fmt.Errorf("%q is not a snapshot: %w", ref, err)
	}
	if _, ok := layout.IDTime(id); !ok && id != layout.Latest {
		return "", "", fmt.Errorf("%q is not a snapshot: %q is neither an id, such as 20261122t175500123z-7f3a9c2e, nor latest", ref, id)
	}
	return name, id, nil
}

// snapshotOf describes what a manifest commits.
func snapshotOf(m *manifest.Manifest, seal Seal, plain manifest.Digest) *Snapshot {
	at, _ := layout.IDTime(m.ID)
	d := &Details{
		Ext: m.Ext, OriginalName: m.OriginalName, CopiedFrom: m.CopiedFrom, Source: m.Source, Labels: m.Labels,
		Begun: time.Time(m.Begun).UTC(), Ended: time.Time(m.Ended).UTC(), PlainSize: m.PlainSize, Seal: seal,
		Compression: stageOf(m.Compression), Encryption: stageOf(m.Encryption),
	}
	if seal != SealUnknown {
		text, _ := plain.MarshalText()
		d.PlainSHA256 = string(text)
	}
	for _, s := range m.Segments {
		d.Objects = append(d.Objects, path.Join(m.Name, s.Object))
	}
	return &Snapshot{Name: m.Name, ID: m.ID, Time: at, StoredSize: m.StoredSize, Details: d}
}

func stageOf(s manifest.Stage) Stage { return Stage{s.Name, s.Params, s.KeyIDs} }
