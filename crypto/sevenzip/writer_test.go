package sevenzip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/databasement/backup/internal/deflate"
	"github.com/databasement/backup/internal/lzma"
)

// formats are the methods and levels that every test of the format goes through.
func formats() (all []Options) {
	all = append(all, Options{Method: Copy})
	for _, m := range []Method{Deflate, LZMA2} {
		for _, level := range []int{1, 6, 9} {
			all = append(all, Options{Method: m, Level: level})
		}
	}
	return all
}

func (o Options) String() string { return fmt.Sprintf("%s %d", o.Method, o.Level) }

// block is how many plain bytes are compressed as one.
func (o Options) block() int {
	switch o.Method {
	case Deflate:
		return deflate.BlockSize
	case LZMA2:
		return lzma.Level(o.Level).Block
	}
	return cbcBuffer
}

// Stock 7-Zip and our Reader get back what was written, at every size where something changes. Blocks of more than 4 MiB take make long.
func TestWriter(t *testing.T) {
	for _, o := range formats() {
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			block := o.block()
			around := []int{block - 1, block, block + 1, 2*block + 5}
			if block > 4<<20 && os.Getenv("BACKUP_LONG_TESTS") == "" {
				around = []int{2 << 20}
			}
			text := dump(around[len(around)-1])
			var plain [][]byte
			for _, n := range append(around, 0, 1, 15, 16, 17, 1000) {
				plain = append(plain, text[:n])
			}
			for _, n := range []int{15, 16, 17, min(block+1, 4<<20)} {
				plain = append(plain, noise(n))
			}
			checkWritten(t, o, plain)
		})
	}
}

// checkWritten has archives of each of plain read by 7-Zip and by us.
func checkWritten(t *testing.T, o Options, plain [][]byte) {
	t.Helper()
	p, dir := password(t, testKey), t.TempDir()
	for i, b := range plain {
		archive := archiveOf(t, b, p, &o)
		save(t, dir, fmt.Sprintf("%d.7z", i), archive)
		got, err := extract(t.Context(), archive, p)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		wantSame(t, "reading", got, b)
	}
	must7zz(t, dir, "t", "-p"+p.Reveal(), "*.7z")
	must7zz(t, dir, "x", "-p"+p.Reveal(), "-oextracted/*", "*.7z")
	for i, b := range plain {
		got, err := os.ReadFile(filepath.Join(dir, "extracted", fmt.Sprint(i), "shop.sql"))
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, "7zz x", got, b)
	}
}

// What 7-Zip says of an archive.
func TestListing(t *testing.T) {
	p := password(t, "correct horse: Größe €")
	for _, test := range []struct {
		options Options
		plain   []byte
		method  string
	}{
		{Options{}, dump(5000), "Deflate 7zAES:19"},
		{Options{Method: LZMA2}, dump(5000), "LZMA2:"},
		{Options{Method: Copy}, dump(5000), "7zAES:19"},
		{Options{}, nil, ""},
	} {
		path := save(t, t.TempDir(), "a.7z", archiveOf(t, test.plain, p, &test.options))
		listing := string(must7zz(t, "", "l", "-slt", "-p"+p.Reveal(), path))
		_, file, _ := strings.Cut(listing, "----------")
		for _, want := range []string{
			"Path = shop.sql\n", fmt.Sprintf("Size = %d\n", len(test.plain)), "Modified = 2026-11-23 01:02:03.4567891\n",
			"Attributes = A -rw-------\n", "Method = " + test.method,
		} {
			if !strings.Contains(file, want) {
				t.Errorf("%s: the listing lacks %q:\n%s", test.options, want, file)
			}
		}
		if _, err := sevenZip(t, "", "l", "-pwrong", path); err == nil {
			t.Errorf("%s: 7zz lists it with another password: the header is not encrypted", test.options)
		}
	}
}

// Two archives of the same have nothing in common but their sizes.
func TestRandom(t *testing.T) {
	for _, text := range []string{testKey, "correct horse"} {
		p := password(t, text)
		plain := make([]byte, 64<<10)
		a, b := archiveOf(t, plain, p, &Options{Method: Copy}), archiveOf(t, plain, p, &Options{Method: Copy})
		seen := map[string]bool{}
		for i := 32; i+16 <= len(plain); i += 16 {
			for _, block := range []string{string(a[i : i+16]), string(b[i : i+16])} {
				if seen[block] {
					t.Fatalf("a block at %d is not unique", i)
				}
				seen[block] = true
			}
		}
	}
}

func TestWriterAtAnOffset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("something before"); err != nil {
		t.Fatal(err)
	}
	p := password(t, testKey)
	w, err := NewWriter(f, FileHeader{Name: "a"}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(dump(1000))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("writing after Close: %v", err)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at <= 1000/8 {
		t.Errorf("after Close the position is %d, not the end", at)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := bytes.CutPrefix(b, []byte("something before"))
	if !ok {
		t.Fatal("what was there before is gone")
	}
	got, err := extract(t.Context(), rest, p)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, "at an offset", got, dump(1000))
}

// An archive that was not closed is none, and says so.
func TestUnfinished(t *testing.T) {
	p := password(t, testKey)
	m := &memory{}
	w, err := NewWriter(m, FileHeader{Name: "a"}, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(dump(5 << 20)); err != nil {
		t.Fatal(err)
	}
	if _, err := extract(t.Context(), m.b, p); err == nil || !strings.Contains(err.Error(), "never finished") {
		t.Errorf("reading an archive that was not closed: %v", err)
	}
	w.Close()
}

func TestWriterRefuses(t *testing.T) {
	p := password(t, testKey)
	for name, test := range map[string]struct {
		file     string
		password Password
		options  *Options
		want     string
	}{
		"no name":     {"", p, nil, "name"},
		"a path":      {"../a", p, nil, "name"},
		"a stream":    {"a:b", p, nil, "name"},
		"dots":        {"..", p, nil, "name"},
		"a long name": {strings.Repeat("a", 256), p, nil, "name"},
		"not UTF-8":   {"a\xff", p, nil, "name"},
		"no password": {"a", Password{}, nil, "password"},
		"a method":    {"a", p, &Options{Method: "rar"}, "deflate"},
		"a level":     {"a", p, &Options{Level: 10}, "between 1 and 9"},
		"less":        {"a", p, &Options{Level: -1}, "between 1 and 9"},
		"copy's":      {"a", p, &Options{Method: Copy, Level: 1}, "no levels"},
	} {
		if _, err := NewWriter(&memory{}, FileHeader{Name: test.file}, test.password, test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, test.want)
		}
	}
	if _, err := NewWriter(pipe{}, FileHeader{Name: "a"}, p, nil); err == nil || !strings.Contains(err.Error(), "seekable") {
		t.Errorf("a pipe: %v", err)
	}
}

type pipe struct{ io.Writer }

func (pipe) Seek(int64, int) (int64, error) { return 0, errors.New("illegal seek") }

// The destination's error is the one returned, wherever it comes, and there is no head after it.
func TestWriterFails(t *testing.T) {
	p, plain := password(t, testKey), noise(1<<20+1000)
	whole := int64(len(archiveOf(t, plain, p, &Options{Method: Copy})))
	for _, o := range []Options{{}, {Method: LZMA2, Level: 1}, {Method: Copy}} {
		for at := int64(0); at < whole; at += 250_007 {
			full := errors.New("no space left")
			dst := &failing{memory: &memory{}, at: at, err: full}
			w, err := NewWriter(dst, FileHeader{Name: "a"}, p, &o)
			if err == nil {
				_, err = io.Copy(struct{ io.Writer }{w}, bytes.NewReader(plain))
				err = errors.Join(err, w.Close())
			}
			if !errors.Is(err, full) {
				t.Fatalf("%s, at %d: %v", o, at, err)
			}
			if bytes.HasPrefix(dst.b, []byte("7z")) {
				t.Fatalf("%s, at %d: it got its first bytes", o, at)
			}
		}
	}
}

// failing fails at a byte.
type failing struct {
	*memory
	at  int64
	err error
}

func (f *failing) Write(p []byte) (int, error) {
	if int64(f.memory.at)+int64(len(p)) > f.at {
		return 0, f.err
	}
	return f.memory.Write(p)
}
