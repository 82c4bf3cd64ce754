package fakes3

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Bucket is one bucket, with which a test looks behind S3's back.
type Bucket struct {
	Name string

	s       *Server
	objects map[string][]*Object // by key; the last version counts
	uploads map[string]*Upload
	ended   map[string]*Upload // those completed or aborted
}

// Object is a stored object, or a version of one. It is never changed.
type Object struct {
	Key       string
	Data      []byte
	ETag      string      // without quotes
	Modified  time.Time   // of an upload in parts: when it was initiated, as AWS has it
	VersionID string      // empty without versions
	Header    http.Header // that it was stored with and is returned with: Content-Type, X-Amz-Meta-…, X-Amz-Tagging, …
	Parts     int         // 0 for PutObject

	marker   bool // says that the object was deleted
	checksum checksum
}

// Upload is an upload in parts that is not finished.
type Upload struct {
	ID, Key   string
	Initiated time.Time
	Header    http.Header // as Object.Header
	Parts     []Part      // in ascending order

	algorithm string // of the checksums of parts, empty without
	completed bool
}

// Part is an uploaded part.
type Part struct {
	Number   int
	Data     []byte
	ETag     string // without quotes
	Modified time.Time

	checksum checksum
}

// Objects returns the objects in the order of their keys.
func (b *Bucket) Objects() []*Object {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.list()
}

func (b *Bucket) list() []*Object {
	all := make([]*Object, 0, len(b.objects))
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if o := b.current(key); o != nil {
			all = append(all, o)
		}
	}
	return all
}

// Object returns the object of that key, or nil.
func (b *Bucket) Object(key string) *Object {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.current(key)
}

// Bytes returns the contents of the object of that key, and whether there is one.
func (b *Bucket) Bytes(key string) ([]byte, bool) {
	o := b.Object(key)
	if o == nil {
		return nil, false
	}
	return slices.Clone(o.Data), true
}

// Versions returns how many versions there are of the key, delete markers included.
func (b *Bucket) Versions(key string) int {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return len(b.objects[key])
}

// Uploads returns the unfinished uploads in the order of their keys, and of one key in that of their beginning.
func (b *Bucket) Uploads() []Upload {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	return b.unfinished()
}

// Put stores an object, without a request. Metadata has names without x-amz-meta-.
func (b *Bucket) Put(key string, data []byte, metadata map[string]string) *Object {
	o := &Object{Key: key, Data: slices.Clone(data), Header: http.Header{}, Modified: b.s.now()}
	for name, value := range metadata {
		o.Header.Set("X-Amz-Meta-"+name, value)
	}
	o.ETag = etag(o.Data, o.Header)
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.store(o)
	return o
}

// What follows is called with the lock held.

func (b *Bucket) current(key string) *Object {
	versions := b.objects[key]
	if len(versions) == 0 || versions[len(versions)-1].marker {
		return nil
	}
	return versions[len(versions)-1]
}

// store makes o the current version.
func (b *Bucket) store(o *Object) {
	if !b.s.Versioned {
		b.objects[o.Key] = []*Object{o}
		return
	}
	o.VersionID = b.s.id()
	b.objects[o.Key] = append(b.objects[o.Key], o)
}

// remove deletes the object of that key. With versions it returns the marker that now hides it.
func (b *Bucket) remove(key string) *Object {
	if !b.s.Versioned {
		delete(b.objects, key)
		return nil
	}
	marker := &Object{Key: key, Modified: b.s.now(), marker: true}
	b.store(marker)
	return marker
}

func (b *Bucket) unfinished() []Upload {
	all := make([]Upload, 0, len(b.uploads))
	for _, u := range b.uploads {
		c := *u
		c.Parts = slices.Clone(u.Parts)
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y Upload) int { return compare(x.Key, x.ID, y.Key, y.ID) })
	return all
}

// id returns a new identifier. They ascend.
func (s *Server) id() string {
	s.sequence++
	return fmt.Sprintf("%09d-%s", s.sequence, rand.Text())
}
