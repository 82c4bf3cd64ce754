package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// FS returns v as a read-only file system: an object "a/b" is the file b in the
// directory a. All its calls use ctx. It implements [fs.StatFS],
// [fs.ReadDirFS] and [fs.ReadFileFS]; files also implement [io.Seeker] and
// [io.ReaderAt], and their FileInfo.Sys is the [Object].
//
// A volume has no directories: one is there as long as it has files, and
// ReadDir lists all that is below it. Where a name is both an object and a directory,
// Open and Stat give the object, and ReadDir fails rather than hide one of them.
func FS(ctx context.Context, v Volume) fs.FS { return &volumeFS{ctx, v} }

type volumeFS struct {
	ctx context.Context
	v   Volume
}

var (
	_ fs.StatFS     = (*volumeFS)(nil)
	_ fs.ReadDirFS  = (*volumeFS)(nil)
	_ fs.ReadFileFS = (*volumeFS)(nil)
)

func (f *volumeFS) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &dir{f: f, name: name, info: info}, nil
	}
	return &file{f: f, info: info}, nil
}

func (f *volumeFS) Stat(name string) (fs.FileInfo, error) {
	info, err := f.stat("stat", name)
	if err != nil {
		return nil, err
	}
	return info, nil
}

func (f *volumeFS) ReadFile(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("readfile", name, fs.ErrInvalid)
	}
	if name == "." {
		return nil, pathError("readfile", name, errIsDir)
	}
	data, err := ReadObject(f.ctx, f.v, name, math.MaxInt64)
	if err != nil {
		return nil, pathError("readfile", name, err)
	}
	return data, nil
}

// ReadDir returns what is in the directory, in order of the names there, which
// is not that of the listing: "a-b" is listed before "a/b", but after the directory "a".
func (f *volumeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("readdir", name, fs.ErrInvalid)
	}
	objects, err := ListAll(f.ctx, f.v, below(name))
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	if len(objects) == 0 && name != "." {
		if _, err = f.v.Stat(f.ctx, name); err == nil {
			err = errNotDir
		}
		return nil, pathError("readdir", name, err)
	}
	found := make(map[string]fileInfo)
	for _, o := range objects {
		info := fileInfo{name: o.Name[len(below(name)):], object: o}
		if d, _, ok := strings.Cut(info.name, "/"); ok {
			info = fileInfo{name: d, dir: true}
		}
		if old, ok := found[info.name]; ok && old.dir != info.dir {
			return nil, pathError("readdir", path.Join(name, info.name), errBoth)
		}
		found[info.name] = info
	}
	entries := make([]fs.DirEntry, 0, len(found))
	for _, info := range found {
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

var (
	errIsDir  = errors.New("is a directory")
	errNotDir = errors.New("not a directory")
	errBoth   = errors.New("both an object and a directory, which files cannot be; use the volume itself")
)

// below is the prefix of the names in a directory.
func below(dir string) string {
	if dir == "." {
		return ""
	}
	return dir + "/"
}

func (f *volumeFS) stat(op, name string) (fileInfo, error) {
	if !fs.ValidPath(name) {
		return fileInfo{}, pathError(op, name, fs.ErrInvalid)
	}
	info := fileInfo{name: path.Base(name), dir: true}
	if name == "." {
		return info, nil
	}
	o, err := f.v.Stat(f.ctx, name)
	if err == nil {
		return fileInfo{name: path.Base(name), object: o}, nil
	}
	if !errors.Is(err, ErrNotExist) {
		return fileInfo{}, pathError(op, name, err)
	}
	for _, listErr := range f.v.List(f.ctx, below(name)) {
		if listErr != nil {
			return fileInfo{}, pathError(op, name, listErr)
		}
		return info, nil
	}
	return fileInfo{}, pathError(op, name, err)
}

// pathError is the error that io/fs asks for. The volume's own error would name everything twice.
func pathError(op, name string, err error) error {
	if e, ok := err.(*Error); ok {
		err = e.Err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// fileInfo describes a file, by its object, or a directory.
type fileInfo struct {
	name   string
	dir    bool
	object Object
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.object.Size }
func (i fileInfo) ModTime() time.Time { return i.object.ModTime }
func (i fileInfo) IsDir() bool        { return i.dir }

func (i fileInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

func (i fileInfo) Sys() any {
	if i.dir {
		return nil
	}
	return i.object
}

// dir is an open directory. It is listed at the first ReadDir.
type dir struct {
	f      *volumeFS
	name   string
	info   fileInfo
	listed bool
	rest   []fs.DirEntry
}

func (d *dir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *dir) Close() error               { return nil }

func (d *dir) Read([]byte) (int, error) { return 0, pathError("read", d.name, errIsDir) }

func (d *dir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		rest, err := d.f.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.listed = rest, true
	}
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	entries := d.rest[:n:n]
	d.rest = d.rest[n:]
	return entries, nil
}
