package s3fs

import (
	"errors"
	"strings"
	"testing"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// checked is what Check says of one thing.
func (w *world) checked(t *testing.T, name string) storage.CheckItem {
	t.Helper()
	for _, item := range w.v.Check(t.Context()) {
		if strings.HasPrefix(item.Name, name) {
			return item
		}
	}
	t.Fatalf("Check has nothing about %s", name)
	return storage.CheckItem{}
}

// TestCheck: each thing is tried apart; what a backup can do without is a note, and nothing is left (PITFALLS 26).
func TestCheck(t *testing.T) {
	for what, test := range map[string]struct {
		change func(w *world)
		item   string
		note   string
		err    error
	}{
		"no versions":        {func(*world) {}, "versions", "no versions", nil},
		"versions":           {func(w *world) { w.Versioned = true }, "versions", "lifecycle rule for noncurrent versions", nil},
		"upload":             {func(*world) {}, "upload", "can be removed", nil},
		"small parts":        {func(w *world) { w.MinPartSize = 0 }, "upload", "can be removed", nil},
		"abort denied":       {func(w *world) { w.Deny = map[string]bool{"AbortMultipartUpload": true} }, "upload", "allow s3:AbortMultipartUpload", nil},
		"put denied":         {func(w *world) { w.Deny = map[string]bool{"PutObject": true} }, "versions", "", storage.ErrPermission},
		"upload denied":      {func(w *world) { w.Deny = map[string]bool{"UploadPart": true} }, "upload", "", storage.ErrPermission},
		"uploads":            {func(*world) {}, "unfinished", "can be listed", nil},
		"uploads denied":     {func(w *world) { w.Deny = map[string]bool{"ListMultipartUploads": true} }, "unfinished", "allow s3:ListBucketMultipartUploads", nil},
		"uploads lie":        {func(w *world) { w.answers(t, uploads{IsTruncated: true}) }, "unfinished", "", errAny},
		"conditional":        {func(*world) {}, "conditional", "PutIfAbsent does", nil},
		"conditional not":    {func(w *world) { w.Conditional = fakes3.Refused }, "conditional", "backups do not need it", nil},
		"conditional denied": {func(w *world) { w.Deny = map[string]bool{"PutObject": true} }, "conditional", "", storage.ErrPermission},
		"locked bucket":      {func(w *world) { w.ObjectLock = true }, "versions", "no versions", nil},
		"conditional racy":   {func(w *world) { w.Conditional = fakes3.Racy }, "conditional", "cannot be relied on", nil},
		"a slow start":       {func(w *world) { w.play(script{"PutObject": times(3, fakes3.Fault{Status: 503})}) }, "versions", "no versions", nil},
		"own encryption":     {func(w *world) { w.v.o.SSE = SSES3 }, "versions", "AES256", nil},
		"no own encryption":  {func(*world) {}, "versions", "none that the store tells", nil},
		"delete denied":      {func(w *world) { w.Deny = map[string]bool{"DeleteObject": true} }, "versions", "no versions", nil},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				test.change(w)
				item := w.checked(t, test.item)
				if test.err == nil && item.Err != nil || test.err != nil && item.Err == nil || test.err != errAny && !errors.Is(item.Err, test.err) {
					t.Errorf("got %v, want %v", item.Err, test.err)
				}
				if !strings.Contains(item.Note, test.note) {
					t.Errorf("note %q, want %q in it", item.Note, test.note)
				}
				if len(w.Deny) == 0 && (len(w.bucket.Objects()) > 0 || len(w.bucket.Uploads()) > 0) {
					t.Errorf("%d objects and %d uploads are left", len(w.bucket.Objects()), len(w.bucket.Uploads()))
				}
				for _, r := range w.Requests() {
					if r.Key != "" && !strings.HasPrefix(r.Key, probeDir) {
						t.Errorf("%s of %s", r.Op, r.Key)
					}
				}
			})
		})
	}
}

// errAny stands for any error.
var errAny = errors.New("any")
