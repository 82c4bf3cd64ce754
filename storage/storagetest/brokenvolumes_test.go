package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/databasement/backup/storage"
)

// brokenVolumes each violate one clause of the contract.
var brokenVolumes = []struct {
	name  string
	check string
	make  func(m memory) storage.Volume
}{
	{"commits on a read error", "Put/ReadError", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		data, err := io.ReadAll(r)
		o, _ := m.Put(ctx, name, bytes.NewReader(data))
		if err != nil {
			err = &storage.Error{Op: "put", Name: name, Err: err}
		}
		return o, err
	})},
	{"takes io.ErrUnexpectedEOF for the end", "Put/ReadError", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		data, err := io.ReadAll(r)
		if err != nil && err != io.ErrUnexpectedEOF {
			return m.Put(ctx, name, failing{err})
		}
		return m.Put(ctx, name, bytes.NewReader(data))
	})},
	{"takes a wrapped io.EOF for the end", "Put/ReadError", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		data, err := io.ReadAll(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return m.Put(ctx, name, failing{err})
		}
		return m.Put(ctx, name, bytes.NewReader(data))
	})},
	{"drops the error of the reader", "Put/ReadError", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		if err != nil {
			err = &storage.Error{Op: "put", Name: name, Err: errors.New("upload failed")}
		}
		return o, err
	})},
	{"deletes the old object when a Put fails", "Put/ReadErrorLeavesOld", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		if err != nil {
			_ = m.Delete(ctx, name)
		}
		return o, err
	})},
	{"is not atomic", "Put/InvisibleUntilDone", put(notAtomic)},
	{"is not atomic over an old object", "Put/OldVisibleUntilDone", put(notAtomic)},
	{"ignores the ctx in Put", "Put/Cancel", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		return m.Put(context.WithoutCancel(ctx), name, r)
	})},
	{"looks at the ctx at the start of Put only", "Put/Cancel", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		if ctx.Err() != nil {
			return m.Put(ctx, name, r)
		}
		return m.Put(context.WithoutCancel(ctx), name, r)
	})},
	{"closes the reader", "Put/Sizes", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		if c, ok := r.(io.Closer); ok {
			defer c.Close()
		}
		return m.Put(ctx, name, r)
	})},
	{"reads after Put has returned", "Put/ReadError", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		go func() {
			time.Sleep(time.Millisecond / 2)
			_, _ = r.Read(make([]byte, 1))
		}()
		return o, err
	})},
	{"takes (0, nil) for the end", "Put/OddReaders", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		var data []byte
		buf := make([]byte, 64*kib)
		for {
			n, err := r.Read(buf)
			data = append(data, buf[:n]...)
			if n == 0 || err != nil {
				return m.Put(ctx, name, bytes.NewReader(data))
			}
		}
	})},
	{"drops the bytes that come with io.EOF", "Put/OddReaders", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		var data []byte
		buf := make([]byte, 64*kib)
		for {
			n, err := r.Read(buf)
			if err == io.EOF {
				return m.Put(ctx, name, bytes.NewReader(data))
			}
			data = append(data, buf[:n]...)
			if err != nil {
				return m.Put(ctx, name, failing{err})
			}
		}
	})},
	{"cuts at 32 MiB", "Put/Sizes", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		return m.Put(ctx, name, io.LimitReader(r, 32*mib))
	})},
	{"loses the last byte of a full chunk", "Put/Sizes", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		data, err := io.ReadAll(r)
		if len(data) == chunk {
			data = data[:chunk-1]
		}
		return m.Put(ctx, name, io.MultiReader(bytes.NewReader(data), failing{cmpOr(err, io.EOF)}))
	})},
	{"keeps the first object", "Put/Replace", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		if o, err := m.Stat(ctx, name); err == nil {
			return o, nil
		}
		return m.Put(ctx, name, r)
	})},
	{"returns an empty Object", "Put/Sizes", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		_, err := m.Put(ctx, name, r)
		return storage.Object{}, err
	})},
	{"says another ETag at Put", "Put/Object", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		o.ETag += "x"
		return o, err
	})},
	{"leaves a goroutine behind", "Goroutines", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		if err != nil {
			go time.Sleep(20 * time.Second)
		}
		return o, err
	})},
	{"mixes concurrent Puts", "Concurrent/SameName", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		for {
			buf := make([]byte, kib)
			n, err := io.ReadFull(r, buf)
			var old []byte
			if body, err := m.Open(ctx, name, 0, -1); err == nil {
				old, _ = io.ReadAll(body)
			}
			o, _ := m.Put(ctx, name, bytes.NewReader(append(old, buf[:n]...)))
			if err != nil {
				return o, nil
			}
		}
	})},
	{"cleans names", "Names/Invalid", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		return m.Put(ctx, strings.Trim(name, "/"), r)
	})},
	{"unescapes names", "Names/Odd", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		return m.Put(ctx, strings.ReplaceAll(name, "+", " "), r)
	})},
	{"returns bare errors", "Names/Invalid", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		return o, bare(err)
	})},
	{"wraps errors twice", "Cancelled", put(func(m memory, ctx context.Context, name string, r io.Reader) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		if err != nil {
			err = &storage.Error{Op: "put", Name: name, Err: err}
		}
		return o, err
	})},

	{"ends bodies early", "Open/Ranges", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		body, err := m.Open(ctx, name, off, n)
		return readCloser{io.LimitReader(body, 3)}, err
	})},
	{"serves too much", "Open/Ranges", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		if n > 0 {
			n = -1
		}
		return m.Open(ctx, name, off, n)
	})},
	{"takes n == 0 for everything", "Open/Ranges", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		if n == 0 {
			n = -1
		}
		return m.Open(ctx, name, off, n)
	})},
	{"does not clip", "Open/Ranges", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		if o, err := m.Stat(ctx, name); err == nil && n > o.Size-off {
			return nil, &storage.Error{Op: "open", Name: name, Err: storage.ErrInvalidRange}
		}
		return m.Open(ctx, name, off, n)
	})},
	{"serves an empty range past the end", "Open/Ranges", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		body, err := m.Open(ctx, name, off, n)
		if errors.Is(err, storage.ErrInvalidRange) {
			return readCloser{strings.NewReader("")}, nil
		}
		return body, err
	})},
	{"opens missing objects at n == 0", "Open/Missing", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		if n == 0 {
			return readCloser{strings.NewReader("")}, nil
		}
		return m.Open(ctx, name, off, n)
	})},
	{"ignores the ctx in Read", "Open/Cancel", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		return m.Open(context.WithoutCancel(ctx), name, off, n)
	})},
	{"ignores the ctx in Open", "Cancelled", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		return m.Open(context.WithoutCancel(ctx), name, off, n)
	})},
	{"forgets the end", "Open/Reader", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		body, err := m.Open(ctx, name, off, n)
		return readCloser{&forgetful{r: body}}, err
	})},
	{"reads from two objects", "Open/DuringReplace", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		if _, err := m.Open(ctx, name, off, n); err != nil {
			return nil, err
		}
		return readCloser{&reopening{m: m, ctx: ctx, name: name, off: off}}, nil
	})},
	{"fails to Close early", "Open/CloseEarly", open(func(m memory, ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
		body, err := m.Open(ctx, name, off, n)
		return struct {
			io.Reader
			io.Closer
		}{body, failing{errors.New("not at the end")}}, err
	})},

	{"finds directories", "Stat", func(m memory) storage.Volume {
		return brokenStat{m, func(m memory, ctx context.Context, name string) (storage.Object, error) {
			for range m.List(ctx, name+"/") {
				return storage.Object{Name: name}, nil
			}
			return m.Stat(ctx, name)
		}}
	}},
	{"lists directory by directory", "List/Order", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		all, _ := storage.ListAll(ctx, m, prefix)
		slices.SortFunc(all, func(a, b storage.Object) int {
			return slices.Compare(strings.Split(a.Name, "/"), strings.Split(b.Name, "/"))
		})
		each(all, yield)
	})},
	{"lists whole components only", "List/Prefix", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		m.List(ctx, prefix)(yield)
	})},
	{"cleans the prefix", "List/Prefix", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		m.List(ctx, strings.TrimLeft(prefix, "./"))(yield)
	})},
	{"lists one page", "List/Many", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		all, _ := storage.ListAll(ctx, m, prefix)
		each(all[:min(1000, len(all))], yield)
	})},
	{"ends half a list cleanly", "List/Cancel", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		for o, err := range m.List(ctx, prefix) {
			if err != nil || !yield(o, nil) {
				return
			}
		}
	})},
	{"goes on after an error", "Cancelled", list(func(m memory, ctx context.Context, prefix string, yield func(storage.Object, error) bool) {
		for o, err := range m.List(ctx, prefix) {
			if !yield(o, err) || err != nil && !yield(o, err) {
				return
			}
		}
	})},
	{"says that a missing object cannot be deleted", "Delete", del(func(m memory, ctx context.Context, name string) error {
		if _, err := m.Stat(ctx, name); err != nil {
			return err
		}
		return m.Delete(ctx, name)
	})},
	{"deletes what begins alike", "Delete", del(func(m memory, ctx context.Context, name string) error {
		for o := range m.List(ctx, name) {
			_ = m.Delete(ctx, o.Name)
		}
		return nil
	})},
	{"does not delete", "Delete", del(func(memory, context.Context, string) error { return nil })},

	{"keeps the placeholder", "PutHead/Stores", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		o, err := m.Put(ctx, name, r)
		_, _ = head()
		return o, err
	})},
	{"calls head first", "PutHead/Stores", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		b, err := head()
		return m.MemoryVolume.PutHead(ctx, name, r, size, func() ([]byte, error) { return b, err })
	})},
	{"calls head twice", "PutHead/Stores", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		return m.MemoryVolume.PutHead(ctx, name, r, size, func() ([]byte, error) {
			_, _ = head()
			return head()
		})
	})},
	{"takes a head of any length", "PutHead/Refuses", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		return m.MemoryVolume.PutHead(ctx, name, r, size, func() ([]byte, error) {
			b, err := head()
			return append(b, make([]byte, size)...)[:size], err
		})
	})},
	{"commits on an error of head", "PutHead/Refuses", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		var failed error
		o, err := m.MemoryVolume.PutHead(ctx, name, r, size, func() ([]byte, error) {
			b, err := head()
			failed = err
			return append(b, make([]byte, size)...)[:size], nil
		})
		return o, cmpOr(err, failed)
	})},
	{"shows the object before the head", "PutHead/InvisibleUntilDone", head(func(m memory, ctx context.Context, name string, r io.Reader, size int, head headFunc) (storage.Object, error) {
		data, err := io.ReadAll(r)
		if err != nil {
			return storage.Object{}, err
		}
		_, _ = m.Put(ctx, name, bytes.NewReader(data))
		return m.MemoryVolume.PutHead(ctx, name, bytes.NewReader(data), size, head)
	})},
	{"looks before it puts", "PutIfAbsent/Race", exclusive(func(m memory, ctx context.Context, name string, data []byte) (storage.Object, error) {
		if _, err := m.Stat(ctx, name); err == nil {
			return storage.Object{}, &storage.Error{Op: "put", Name: name, Err: storage.ErrExist}
		}
		time.Sleep(time.Millisecond)
		return m.Put(ctx, name, bytes.NewReader(data))
	})},
	{"overwrites", "PutIfAbsent/Refuses", exclusive(func(m memory, ctx context.Context, name string, data []byte) (storage.Object, error) {
		_, err := m.MemoryVolume.PutIfAbsent(ctx, name, data)
		o, _ := m.Put(ctx, name, bytes.NewReader(data))
		return o, err
	})},
	{"sweeps objects", "SweepUnfinished", func(m memory) storage.Volume { return brokenSweep{m} }},
	{"does not keep its limit", "MaxObjectSize", func(m memory) storage.Volume { return brokenLimit{m} }},
}
