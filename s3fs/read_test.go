package s3fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databasement/backup/internal/fakes3"
	"github.com/databasement/backup/storage"
)

// conditional holds every GetObject of one read but the first to naming the object that it began with.
func conditional(t *testing.T, w *world, etag string) {
	t.Helper()
	for i, r := range w.of("GetObject") {
		if got := r.Header.Get("If-Match"); (i > 0 || got != "") && got != `"`+etag+`"` {
			t.Errorf("request %d for %s has If-Match %q, want %q", i+1, r.Header.Get("Range"), got, etag)
		}
		if r.Header.Get("Range") == "" {
			t.Errorf("request %d has no Range", i+1)
		}
	}
}

// TestResume: wherever an answer breaks, and however its end is told, the bytes are those of the object (aws/aws-sdk-go#1242;
// PITFALLS 6, 7).
func TestResume(t *testing.T) {
	const size = 100
	for name, framing := range map[string]fakes3.Framing{"length": fakes3.Length, "chunked": fakes3.Chunked, "closing": fakes3.Closing} {
		t.Run(name, func(t *testing.T) {
			for at := range int64(size) {
				bubble(t, nil, func(t *testing.T, w *world) {
					w.Framing = framing
					data := random(1, size)
					o := w.bucket.Put("x", data, nil)
					w.play(script{"GetObject": {
						{At: fakes3.Sending, Bytes: at, Drop: true}, {At: fakes3.Sending, Bytes: min(at, size-at-1), Drop: true}, {Status: 503},
					}})
					if got, err := w.read(t, "x", 0, -1); err != nil || !bytes.Equal(got, data) {
						t.Errorf("broken at %d: read %d bytes, %v", at, len(got), err)
					}
					conditional(t, w, o.ETag)
				})
			}
		})
	}
}

// TestResumeLong: the same in a read of many ranges, and in one of a part of them.
func TestResumeLong(t *testing.T) {
	const mib = 1 << 20
	data := random(1, 21*mib+5)
	for _, part := range [][2]int64{{0, -1}, {0, int64(len(data)) + 100}, {3*mib + 1, 16 * mib}, {4 * mib, -1}} {
		for name, framing := range map[string]fakes3.Framing{"length": fakes3.Length, "closing": fakes3.Closing} {
			t.Run(fmt.Sprint(name, part), func(t *testing.T) {
				bubble(t, nil, func(t *testing.T, w *world) {
					w.Framing = framing
					o := w.bucket.Put("x", data, nil)
					w.play(script{"GetObject": {{}, {At: fakes3.Sending, Bytes: 5 * mib, Drop: true}, {Drop: true}}})
					want := data[part[0]:]
					if part[1] >= 0 {
						want = want[:min(part[1], int64(len(want)))]
					}
					if got, err := w.read(t, "x", part[0], part[1]); err != nil || !bytes.Equal(got, want) {
						t.Errorf("read %d bytes, %v", len(got), err)
					}
					conditional(t, w, o.ETag)
				})
			})
		}
	}
}

// TestResumeGivesUp: progress starts the count anew; without it the read ends, and never with io.EOF.
func TestResumeGivesUp(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.bucket.Put("x", random(1, 100), nil)
		w.play(script{"GetObject": times(50, fakes3.Fault{At: fakes3.Sending, Bytes: 1, Drop: true})})
		if got, err := w.read(t, "x", 0, 100); err != nil || len(got) != 100 {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		w.always("GetObject", fakes3.Fault{At: fakes3.Sending, Drop: true})
		got, err := w.read(t, "x", 0, 100)
		fails(t, err, io.ErrUnexpectedEOF, "ended before byte 0 of 100", "after 12 attempts")
		if len(got) != 0 {
			t.Errorf("read %d bytes", len(got))
		}
	})
}

// TestReplaced: an object that is replaced while it is read is an error, not a mixture (PITFALLS 7).
func TestReplaced(t *testing.T) {
	for _, size := range []int{100, 40 << 20} {
		bubble(t, nil, func(t *testing.T, w *world) {
			data := random(1, size)
			w.bucket.Put("x", data, nil)
			w.play(script{"GetObject": {{At: fakes3.Sending, Bytes: 10, Drop: true}}})
			r, err := w.v.Open(t.Context(), "x", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			w.bucket.Put("x", random(2, size), nil)
			got, err := io.ReadAll(r)
			fails(t, err, nil, "replaced while it was read")
			if !bytes.HasPrefix(data, got) {
				t.Error("bytes of another object were read")
			}
		})
	}
}

// TestDeletedMeanwhile is told as what it is.
func TestDeletedMeanwhile(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.bucket.Put("x", random(1, 40<<20), nil)
		r, err := w.v.Open(t.Context(), "x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := w.v.Delete(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, r)
		fails(t, err, storage.ErrNotExist)
	})
}

// TestRangeIgnored: a store that answers with the whole object is not misread (PITFALLS 7).
func TestRangeIgnored(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.IgnoreRange = true
		w.bucket.Put("x", random(1, 100), nil)
		for _, off := range []int64{0, 10} {
			_, err := w.read(t, "x", off, 20)
			fails(t, err, nil, "status 200, not 206", "ignores Range")
		}
		w.counts(t, map[string]int{"GetObject": 2})
	})
}

// TestContentRange: an answer for other bytes than those asked for is made again, and is an error when it stays so.
func TestContentRange(t *testing.T) {
	body := strings.Repeat("x", 10)
	for _, test := range []struct{ contentRange, etag string }{
		{"bytes 11-20/100", ""}, {"bytes 9-18/100", ""}, {"bytes 10-18/100", ""}, {"bytes 10-20/100", ""}, {"bytes 10-19/15", ""}, {"bytes 10-19/*", ""},
		{"", ""}, {"10-19/100", ""}, {"bytes */100", ""}, {"bytes 10-19/100 ", "trailing"}, {"bytes 10-19/-1", ""}, {"bytes 10-99999999999999999999/100", ""},
	} {
		t.Run(test.contentRange, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				data := random(1, 100)
				w.bucket.Put("x", data, nil)
				fault := fakes3.Fault{Status: 206, Body: body, Header: http.Header{"Content-Range": {test.contentRange}, "Etag": {`"e"`}}}
				w.play(script{"GetObject": times(3, fault)})
				got, err := w.read(t, "x", 10, 10)
				if test.etag != "" { // net/http trims it: it is right, but the bytes are the fault's
					if err != nil || string(got) != body {
						t.Errorf("read %q, %v", got, err)
					}
					w.play(nil)
					return
				}
				if err != nil || !bytes.Equal(got, data[10:20]) {
					t.Errorf("read %q, %v", got, err)
				}
				w.always("GetObject", fault)
				_, err = w.read(t, "x", 10, 10)
				fails(t, err, nil, "Content-Range", "after 12 attempts")
			})
		})
	}
}

// TestBodyLength: more bytes than promised, or fewer, are not handed out as if all were well.
func TestBodyLength(t *testing.T) {
	header := http.Header{"Content-Range": {"bytes 10-19/100"}, "Etag": {`"e"`}}
	for _, n := range []int{0, 9, 11, 1000} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.bucket.Put("x", random(1, 100), nil)
			w.always("GetObject", fakes3.Fault{Status: 206, Body: strings.Repeat("x", n), Header: header})
			_, err := w.read(t, "x", 10, 10)
			fails(t, err, nil, "Content-Length")
		})
	}
}

// TestRanges: a long read asks for at most 8 MiB at once and has three of them ahead, each complete in memory, so that a consumer
// may sleep as long as it likes (PITFALLS 47).
func TestRanges(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		const n = 7
		data := random(1, n*rangeSize-3)
		w.bucket.Put("x", data, nil)
		r, err := w.v.Open(t.Context(), "x", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got := make([]byte, len(data))
		for i := range n {
			piece := got[i*rangeSize : min((i+1)*rangeSize, len(got))]
			if _, err := io.ReadFull(r, piece[:1]); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Hour)
			if asked := w.Count("GetObject"); asked != min(i+1+3, n) {
				t.Errorf("while range %d is read %d have been asked for, want %d", i+1, asked, min(i+1+3, n))
			}
			if _, err := io.ReadFull(r, piece[1:]); err != nil {
				t.Fatal(err)
			}
		}
		if k, err := r.Read(make([]byte, 1)); k != 0 || err != io.EOF || !bytes.Equal(got, data) {
			t.Errorf("%d, %v, or other bytes", k, err)
		}
		asked := map[string]int{}
		for _, q := range w.of("GetObject") {
			asked[q.Header.Get("Range")]++
		}
		for i := range n {
			if spec := fmt.Sprintf("bytes=%d-%d", i*rangeSize, min((i+1)*rangeSize, len(data))-1); asked[spec] != 1 {
				t.Errorf("%s was asked for %d times of %v", spec, asked[spec], asked)
			}
		}
	})
}

// TestCloseEarly: a reader that is not read to its end ends its requests. That nothing is left the bubble sees.
func TestCloseEarly(t *testing.T) {
	for _, fault := range []fakes3.Fault{{}, {At: fakes3.Sending, Bytes: 100, Pause: never}} {
		for _, n := range []int64{1000, -1} {
			bubble(t, nil, func(t *testing.T, w *world) {
				w.bucket.Put("x", random(1, 40<<20), nil)
				w.always("GetObject", fault)
				r, err := w.v.Open(t.Context(), "x", 0, n)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // until what is read ahead waits for the store
				start := time.Now()
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				took(t, start, 0, 0)
				if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
					t.Errorf("a read after Close gives %v", err)
				}
			})
		}
	}
}

// TestReadCancelled: a read that waits ends with its context.
func TestReadCancelled(t *testing.T) {
	for _, n := range []int64{1000, -1} {
		bubble(t, nil, func(t *testing.T, w *world) {
			w.bucket.Put("x", random(1, 40<<20), nil)
			w.always("GetObject", fakes3.Fault{At: fakes3.Sending, Bytes: 100, Pause: never})
			stop := errors.New("stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			r, err := w.v.Open(ctx, "x", 0, n)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			time.AfterFunc(5*time.Second, func() { cancel(stop) })
			start := time.Now()
			_, err = io.Copy(io.Discard, r)
			took(t, start, 5*time.Second, 5*time.Second)
			fails(t, err, stop)
		})
	}
}

// TestMissing: 404 is absence, 403 is not, and neither is a bucket that is not there (fsspec/s3fs#591; PITFALLS 21).
func TestMissing(t *testing.T) {
	for what, test := range map[string]struct {
		change func(w *world)
		is     error
		delete error
	}{
		"no object":  {func(*world) {}, storage.ErrNotExist, nil},
		"no listing": {func(w *world) { w.Deny = map[string]bool{"ListObjectsV2": true} }, storage.ErrPermission, nil},
		"no rights": {func(w *world) { w.Deny = map[string]bool{"GetObject": true, "HeadObject": true, "DeleteObject": true} },
			storage.ErrPermission, storage.ErrPermission},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, w *world) {
				test.change(w)
				_, stat := w.v.Stat(t.Context(), "x")
				_, all := w.v.Open(t.Context(), "x", 0, -1)
				_, some := w.v.Open(t.Context(), "x", 5, 5)
				_, none := w.v.Open(t.Context(), "x", 0, 0)
				for _, err := range []error{stat, all, some, none} {
					fails(t, err, test.is)
					if test.is == storage.ErrPermission && errors.Is(err, storage.ErrNotExist) {
						t.Errorf("%v is read as absence", err)
					}
				}
				if err := w.v.Delete(t.Context(), "x"); !errors.Is(err, test.delete) {
					t.Errorf("Delete gives %v, want %v", err, test.delete)
				}
			})
		})
	}
}

// TestNoBucket is not that the object is missing: what a listing or Delete of it says would otherwise pass for an empty volume.
func TestNoBucket(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.v.bucket = "other"
		_, put := w.v.Put(t.Context(), "x", strings.NewReader("data"))
		_, open := w.v.Open(t.Context(), "x", 0, -1)
		_, list := storage.ListAll(t.Context(), w.v, "")
		_, sweep := w.v.SweepUnfinished(t.Context(), time.Now())
		for op, err := range map[string]error{"put": put, "open": open, "list": list, "sweep": sweep, "delete": w.v.Delete(t.Context(), "x")} {
			if err == nil || errors.Is(err, storage.ErrNotExist) {
				t.Errorf("%s gives %v", op, err)
				continue
			}
			fails(t, err, nil, "NoSuchBucket", "create the bucket")
		}
	})
}

// TestArchived: the error says what to do, and is not repeated (PITFALLS 45).
func TestArchived(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		w.Archived = true
		w.bucket.Put("x", random(1, 100), nil)
		_, err := w.read(t, "x", 0, -1)
		fails(t, err, nil, "InvalidObjectState", "restore it there first")
		if errors.Is(err, storage.ErrPermission) || errors.Is(err, storage.ErrNotExist) {
			t.Errorf("%v is neither a matter of permission nor of absence", err)
		}
		w.counts(t, map[string]int{"GetObject": 1})
	})
}
