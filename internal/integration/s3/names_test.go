package s3

import (
	"bytes"
	"io"
	"slices"
	"testing"

	"github.com/databasement/backup/storage"
)

// names are such as a client can spoil in a URL, a signature or a listing.
var names = []string{
	"a", "a b", "a+b", "a%20b", "a&b=c?d#e", "dir/b.c/~d", "é", "日本/語",
	"'quoted\"", "x;y:z@$,!*()", "*", "[]{}|^`",
}

// s3fs and the second client find the same under each name, whoever wrote it.
func TestSecondClient(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			s, bucket, opts := p.make(t)
			opts.Prefix = "pre fix"
			v := open(t, bucket, opts)
			var ours, theirs []string
			for i, name := range names {
				data, _ := io.ReadAll(dump(uint64(i), int64(i*1000)))
				ours, theirs = append(ours, "ours/"+name), append(theirs, "theirs/"+name)
				if _, err := v.Put(t.Context(), ours[i], bytes.NewReader(data)); err != nil {
					t.Fatal(err)
				}
				if got := s.read(t, bucket, "pre fix/"+ours[i]); !bytes.Equal(got, data) {
					t.Errorf("the second client reads something else as %q", ours[i])
				}
				s.write(t, bucket, "pre fix/"+theirs[i], data)
				if got, o := get(t, v, theirs[i]); !bytes.Equal(got, data) || o.Size != int64(len(data)) {
					t.Errorf("s3fs reads something else as %q", theirs[i])
				}
			}
			want := slices.Concat(ours, theirs)
			slices.Sort(want)
			all, err := storage.ListAll(t.Context(), v, "")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range all {
				got = append(got, o.Name)
			}
			if !slices.Equal(got, want) {
				t.Errorf("s3fs lists %q\nwant %q", got, want)
			}
		})
	}
}

// get is an object as s3fs reads it.
func get(t *testing.T, v storage.Volume, name string) ([]byte, storage.Object) {
	t.Helper()
	o, err := v.Stat(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Open(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data, o
}
