package localfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// disk is a simulated file system that knows what a loss of power leaves of
// it: what was flushed, and any part of the rest.
type disk struct {
	mu   sync.Mutex
	root *node
	log  []string // what was done, such as "rename d/.tmp d/name"

	power  int                   // calls until the power fails; < 0: never
	before func(op string) error // may refuse a call
	after  func(op string) error // may report a call that was done as failed
	lies   func(op string) bool  // flushes that do nothing
}

// node is a file or, if entries is not nil, a directory. The second of each
// pair is what has been flushed.
type node struct {
	data, flushedData       []byte
	entries, flushedEntries map[string]*node
}

var errPower = errors.New("the power has failed")

func newDisk() *disk { return &disk{root: newDir(), power: -1} }

func newDir() *node {
	return &node{entries: map[string]*node{}, flushedEntries: map[string]*node{}}
}

func volumeOn(d *disk) *Volume {
	return &Volume{fs: d, dir: "/disk", dirPerm: 0o700, filePerm: 0o600}
}

var randomName = regexp.MustCompile(`\.tmp-[A-Z2-7]{26}`)

// do logs and runs one call that changes something.
func (d *disk) do(call func() error, op ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.power == 0 {
		return errPower
	}
	if d.power > 0 {
		d.power--
	}
	line := randomName.ReplaceAllString(strings.Join(op, " "), ".tmp")
	if d.before != nil {
		if err := d.before(line); err != nil {
			return err
		}
	}
	if err := call(); err != nil {
		return err
	}
	d.log = append(d.log, line)
	if d.after != nil {
		return d.after(line)
	}
	return nil
}

func (d *disk) isLie(op string) bool { return d.lies != nil && d.lies(op) }

func (d *disk) find(name string) (*node, error) {
	n := d.root
	if name == "." {
		return n, nil
	}
	for c := range strings.SplitSeq(name, "/") {
		if n.entries == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.entries[c]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// place returns the directory of name and name's entry in it, if there is one.
func (d *disk) place(name string) (dir, n *node, base string, err error) {
	if dir, err = d.find(path.Dir(name)); err == nil && dir.entries == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, nil, "", err
	}
	base = path.Base(name)
	return dir, dir.entries[base], base, nil
}

func (d *disk) OpenFile(name string, flag int, _ fs.FileMode) (file, error) {
	if flag&os.O_CREATE == 0 {
		d.mu.Lock()
		defer d.mu.Unlock()
		n, err := d.find(name)
		if err != nil {
			return nil, err
		}
		return &diskFile{d: d, n: n, name: name}, nil
	}
	f := &diskFile{d: d, n: &node{}, name: name}
	err := d.add(name, f.n, "create", name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// add makes the new entry name for n.
func (d *disk) add(name string, n *node, op ...string) error {
	return d.do(func() error {
		dir, old, base, err := d.place(name)
		if err == nil && old != nil {
			err = fs.ErrExist
		}
		if err != nil {
			return err
		}
		dir.entries[base] = n
		return nil
	}, op...)
}

func (d *disk) Mkdir(name string, _ fs.FileMode) error { return d.add(name, newDir(), "mkdir", name) }

func (d *disk) Link(oldname, newname string) error {
	n, err := d.find(oldname)
	if err != nil {
		return err
	}
	return d.add(newname, n, "link", oldname, newname)
}

func (d *disk) RenameNew(oldname, newname string) error {
	if _, err := d.find(newname); err == nil {
		return fs.ErrExist
	}
	return d.move(oldname, newname, "renamenew")
}

func (d *disk) Rename(oldname, newname string) error { return d.move(oldname, newname, "rename") }

func (d *disk) move(oldname, newname, op string) error {
	return d.do(func() error {
		from, n, oldbase, err := d.place(oldname)
		if err == nil && n == nil {
			err = fs.ErrNotExist
		}
		if err != nil {
			return err
		}
		to, old, newbase, err := d.place(newname)
		if err == nil && old != nil && old.entries != nil {
			err = syscall.EISDIR
		}
		if err != nil {
			return err
		}
		delete(from.entries, oldbase)
		to.entries[newbase] = n
		return nil
	}, op, oldname, newname)
}

func (d *disk) Remove(name string) error {
	return d.unlink("remove", name, func(n *node) error { return nil })
}

func (d *disk) Rmdir(name string) error {
	return d.unlink("rmdir", name, func(n *node) error {
		if n.entries == nil {
			return syscall.ENOTDIR
		}
		return nil
	})
}

func (d *disk) unlink(op, name string, check func(*node) error) error {
	return d.do(func() error {
		dir, n, base, err := d.place(name)
		if err != nil {
			return err
		}
		if n == nil {
			return fs.ErrNotExist
		}
		if err := check(n); err != nil {
			return err
		}
		if len(n.entries) > 0 {
			return syscall.ENOTEMPTY
		}
		delete(dir.entries, base)
		return nil
	}, op, name)
}

func (d *disk) SyncDir(name string) error {
	return d.do(func() error {
		n, err := d.find(name)
		if err == nil && !d.isLie("syncdir "+name) {
			n.flushedEntries = maps.Clone(n.entries)
		}
		return err
	}, "syncdir", name)
}

func (d *disk) Lstat(name string) (fs.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.power == 0 {
		return nil, errPower
	}
	n, err := d.find(name)
	if err != nil {
		return nil, err
	}
	return diskInfo{n, path.Base(name)}, nil
}

func (d *disk) ReadDir(name string) ([]fs.DirEntry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.find(name)
	if err != nil {
		return nil, err
	}
	var list []fs.DirEntry
	for base, n := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(diskInfo{n, base}))
	}
	return list, nil
}

func (d *disk) Close() error { return nil }

type diskInfo struct {
	n    *node
	base string
}

func (i diskInfo) Name() string       { return i.base }
func (i diskInfo) Size() int64        { return int64(len(i.n.data)) }
func (i diskInfo) ModTime() time.Time { return time.Unix(0, 0) }
func (i diskInfo) IsDir() bool        { return i.n.entries != nil }
func (i diskInfo) Sys() any           { return nil }
func (i diskInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o700
	}
	return 0o600
}

type diskFile struct {
	d      *disk
	n      *node
	name   string
	off    int64
	closed bool
}

func (f *diskFile) Read(p []byte) (int, error) {
	if f.off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[f.off:])
	f.off += int64(n)
	return n, nil
}

func (f *diskFile) Write(p []byte) (int, error) {
	err := f.d.do(func() error { f.n.data = append(f.n.data, p...); return nil }, "write", f.name)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.d.do(func() error {
		f.n.data = slices.Replace(bytes.Clone(f.n.data), int(off), int(off)+len(p), p...)
		return nil
	}, "writeat", f.name)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *diskFile) Seek(off int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		off += int64(len(f.n.data))
	}
	f.off = off
	return off, nil
}

func (f *diskFile) Sync() error {
	return f.d.do(func() error {
		if !f.d.isLie("fsync") {
			f.n.flushedData = bytes.Clone(f.n.data)
		}
		return nil
	}, "fsync", f.name)
}

func (f *diskFile) Close() error {
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return f.d.do(func() error { return nil }, "close", f.name)
}

// fill puts durable files there.
func (d *disk) fill(body map[string]string) {
	for name, data := range body {
		n := d.root
		dirs := strings.Split(name, "/")
		for _, c := range dirs[:len(dirs)-1] {
			if n.entries[c] == nil {
				n.entries[c] = newDir()
			}
			n = n.entries[c]
		}
		n.entries[path.Base(name)] = &node{data: []byte(data)}
	}
	d.flushAll()
}

// flushAll makes all there is durable.
func (d *disk) flushAll() {
	var flush func(n *node)
	flush = func(n *node) {
		n.flushedData = bytes.Clone(n.data)
		if n.entries != nil {
			n.flushedEntries = maps.Clone(n.entries)
		}
		for _, kid := range n.entries {
			flush(kid)
		}
	}
	flush(d.root)
	d.log = nil
}

// reboot returns a disk as it may be found after the power failed now.
func (d *disk) reboot(rnd *rand.Rand) *disk {
	seen := map[*node]*node{} // linked files stay linked
	var keep func(n *node) *node
	keep = func(n *node) *node {
		if seen[n] != nil {
			return seen[n]
		}
		m := &node{}
		seen[n] = m
		if n.entries == nil {
			m.data = torn(rnd, n)
			return m
		}
		m.entries = map[string]*node{}
		for _, name := range slices.Sorted(maps.Keys(union(n.entries, n.flushedEntries))) {
			kid := n.flushedEntries[name]
			if rnd.IntN(2) == 0 { // each entry by itself: directories are not written in order
				kid = n.entries[name]
			}
			if kid != nil {
				m.entries[name] = keep(kid)
			}
		}
		return m
	}
	after := newDisk()
	after.root = keep(d.root)
	after.flushAll()
	return after
}

func union(a, b map[string]*node) map[string]*node {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// torn returns what was flushed of a file with some of what was not.
func torn(rnd *rand.Rand, n *node) []byte {
	if bytes.Equal(n.data, n.flushedData) {
		return bytes.Clone(n.data)
	}
	data := make([]byte, rnd.IntN(len(n.data)+1))
	copy(data, n.flushedData)
	for i := range data {
		if i/4%2 == rnd.IntN(2) && i < len(n.data) {
			data[i] = n.data[i]
		}
	}
	return data
}

func (d *disk) String() string {
	var b strings.Builder
	var show func(dir string, n *node)
	show = func(dir string, n *node) {
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			kid := n.entries[name]
			fmt.Fprintf(&b, "%s%s=%q ", dir, name, kid.data)
			show(dir+name+"/", kid)
		}
	}
	show("", d.root)
	return b.String()
}
