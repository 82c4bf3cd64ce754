package backup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/storage"
)

// presigning is a volume that makes links, for at most a minute.
type presigning struct{ storage.Volume }

func (presigning) Presign(_ context.Context, name string, expires time.Duration) (string, time.Time, error) {
	return "https://example.com/" + name, time.Unix(0, 0).Add(min(expires, time.Minute)), nil
}

func TestLinks(t *testing.T) {
	plain := newBackup(t, storage.Memory(), nil)
	b := newBackup(t, presigning{storage.Memory()}, &Options{Compressor: compress.None, Encryptor: aes(testKey), SegmentSize: 1000})
	snap, err := b.Create(t.Context(), "shop", strings.NewReader(strings.Repeat("x", 2500)), nil)
	if err != nil {
		t.Fatal(err)
	}
	links, err := b.Links(t.Context(), "shop/latest", time.Hour)
	if err != nil || len(links) != len(snap.Details.Objects) || len(links) < 3 {
		t.Fatal(links, err, snap.Details.Objects)
	}
	var size int64
	for i, l := range links {
		size += l.Size
		if l.Object != snap.Details.Objects[i] || l.URL != "https://example.com/"+l.Object || !l.Until.Equal(time.Unix(60, 0)) {
			t.Errorf("link %d is %+v, want one to %s", i, l, snap.Details.Objects[i])
		}
	}
	if size != snap.StoredSize {
		t.Errorf("the links have %d bytes, the snapshot %d", size, snap.StoredSize)
	}
	if _, err := plain.Links(t.Context(), snap.Ref(), time.Hour); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("on a volume without links: %v", err)
	}
	if _, err := b.Links(t.Context(), "shop/20200101t000000000z-00000000", time.Hour); !errors.Is(err, storage.ErrNotExist) {
		t.Errorf("of no snapshot: %v", err)
	}
}
