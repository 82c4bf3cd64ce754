package s3fs

import (
	"flag"
	"net/http/httptest"
	"testing"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
	"github.com/databasement/backup/storage/storagetest"
)

// TestConformance runs the suite of every volume, over TCP, on a store as AWS is, and on one as odd as stores are. With its long
// listing cut to two pages: internal/integration has that, on real stores.
func TestConformance(t *testing.T) {
	short := flag.Lookup("test.short").Value.String()
	flag.Set("test.short", "true")
	t.Cleanup(func() { flag.Set("test.short", short) })
	for what, c := range map[string]struct {
		prefix string
		part   int64 // 0: the default
		store  func(*fakes3.Server)
	}{
		"as AWS is": {"", 0, func(*fakes3.Server) {}},
		"odd": {"of/this", 1_000_000, func(s *fakes3.Server) {
			s.MinPartSize, s.EqualParts, s.RefuseTrailers, s.Versioned, s.ObjectLock, s.Fragile = 1, true, true, true, true, true
			s.PageSize, s.Conditional, s.Lie, s.Framing = 700, fakes3.Refused, fakes3.EmptyFirst, fakes3.Chunked
		}},
	} {
		t.Run(what, func(t *testing.T) {
			storagetest.Run(t, func(t *testing.T) storage.Volume {
				setenv(t, nil)
				s, _ := server(t)
				c.store(s)
				web := httptest.NewServer(s)
				t.Cleanup(web.Close)
				v := mustOpen(t, &Options{Endpoint: web.URL, PathStyle: true, Prefix: c.prefix, AccessKeyID: "AKIAROOT", SecretAccessKey: "root"})
				if c.part > 0 {
					v.o.PartSize = c.part
				}
				return v
			})
		})
	}
}
