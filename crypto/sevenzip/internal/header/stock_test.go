package header

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

// sevenZip runs stock 7-Zip in dir.
func sevenZip(t testing.TB, dir, input string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("7zz"); err != nil {
		t.Fatalf("%v: run `make tools` (Debian package 7zip)", err)
	}
	cmd := exec.CommandContext(t.Context(), "7zz", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, append(os.Environ(), "TZ=UTC"), strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("7zz %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// saveFiles writes files, or directories where the name ends with a slash.
func saveFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(data), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

// read finds the header in an archive that stock 7-Zip has made, and unpacks it if that is needed.
func read(t testing.TB, archive []byte) *Header {
	t.Helper()
	start, err := ParseStart([StartSize]byte(archive))
	if err != nil {
		t.Fatal(err)
	}
	if end := StartSize + start.Offset + start.Size; end != uint64(len(archive)) {
		t.Fatalf("%d bytes, the start header says %d", len(archive), end)
	}
	b := archive[StartSize+start.Offset:]
	if crc32.ChecksumIEEE(b) != start.CRC {
		t.Fatal("the header has another CRC")
	}
	if len(b) == 0 {
		return &Header{}
	}
	h, encoded, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if encoded != nil {
		b = unpack(t, archive, encoded)
		if h, encoded, err = Parse(b); err != nil || encoded != nil {
			t.Fatalf("unpacked: %v, %v", encoded, err)
		}
	}
	wantConsistent(t, h)
	return h
}

// unpack decodes LZMA.
func unpack(t testing.TB, archive []byte, s *Streams) []byte {
	t.Helper()
	wantConsistentStreams(t, s)
	f := s.Folders[0]
	if len(s.Folders) != 1 || len(f.Coders) != 1 || f.Coders[0].Method != 0x030101 || f.CRC == nil {
		t.Fatalf("the header is packed in %+v", s.Folders)
	}
	head := binary.LittleEndian.AppendUint64(bytes.Clone(f.Coders[0].Properties), f.PlainSize())
	r, err := lzma.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(archive[StartSize+s.Offset:][:s.Packed[0].Size])))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil || uint64(len(b)) != f.PlainSize() || crc32.ChecksumIEEE(b) != *f.CRC {
		t.Fatalf("the header was unpacked to %d bytes, not %d: %v", len(b), f.PlainSize(), err)
	}
	return b
}

// listed is what `7zz l -slt` says of each file.
func listed(t testing.TB, dir string) (files []map[string]string) {
	t.Helper()
	_, list, _ := strings.Cut(sevenZip(t, dir, "", "l", "-slt", "-p", "a.7z"), "----------\n")
	for _, block := range strings.Split(strings.TrimSpace(list), "\n\n") {
		file := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " =")
			file[key] = strings.TrimPrefix(value, " ")
		}
		if file["Anti"] == "-" {
			file["Anti"] = ""
		}
		if len(file) > 0 {
			files = append(files, file)
		}
	}
	return files
}

// list says the same of what was parsed, but for methods and times that are not needed.
func list(h *Header) (files []map[string]string) {
	folder, plain := 0, 0
	for _, f := range h.Files {
		file := map[string]string{"Path": f.Name, "Size": "0", "Modified": "", "CRC": "", "Block": "", "Attributes": attributes(f), "Anti": ""}
		if !f.Modified.IsZero() {
			file["Modified"] = f.Modified.Format("2006-01-02 15:04:05.0000000")
		}
		if f.Anti {
			file["Anti"] = "+"
		}
		if f.HasStream {
			for plain == len(h.Streams.Folders[folder].Plain) {
				folder, plain = folder+1, 0
			}
			p := h.Streams.Folders[folder].Plain[plain]
			file["Size"], file["Block"] = fmt.Sprint(p.Size), fmt.Sprint(folder)
			if p.CRC != nil {
				file["CRC"] = fmt.Sprintf("%08X", *p.CRC)
			}
			plain++
		}
		files = append(files, file)
	}
	return files
}

// attributes is what 7-Zip says of those of a directory or regular file.
func attributes(f File) string {
	var s []string
	if f.Directory {
		s = append(s, "D")
	}
	if f.Attributes&AttributeArchive != 0 {
		s = append(s, "A")
	}
	if f.Attributes&UnixExtension != 0 {
		mode := fs.FileMode(f.Attributes >> 16 & 0o777)
		if f.Directory {
			mode |= fs.ModeDir
		}
		s = append(s, mode.String())
	}
	return strings.Join(s, " ")
}

// wantListed compares with what stock 7-Zip lists of dir/a.7z.
func wantListed(t testing.TB, dir string, h *Header) {
	t.Helper()
	want, got := listed(t, dir), list(h)
	if len(got) != len(want) {
		t.Fatalf("%d files, 7-Zip lists %d", len(got), len(want))
	}
	for i := range want {
		for key, value := range got[i] { // 7-Zip leaves out what no file has
			if w, ok := want[i][key]; value != w && (ok || value != "" && value != "D") {
				t.Errorf("%s of file %d: %q, 7-Zip lists %q", key, i, value, w)
			}
		}
	}
}

// readFile is an archive.
func readFile(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "a.7z"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var someFiles = map[string]string{
	"shop.sql": strings.Repeat("INSERT INTO orders VALUES (1, 2, 3);\n", 100), "one": "1", "empty": "", "eu/größe €.sql": "ö", "eu/𝄞": "astral",
	"eu/empty": "", "none/": "", "none/of it/": "", strings.Repeat("long", 60): "long", "noise": noise(5000),
}

func noise(n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return string(b)
}

// Everything is as stock 7-Zip lists it.
func TestStockArchives(t *testing.T) {
	dir := t.TempDir()
	saveFiles(t, filepath.Join(dir, "in"), someFiles)
	for i, args := range []string{
		"", "-mhc=off", "-ms=off", "-ms=off -mhc=off", "-m0=Copy -mhc=off", "-m0=PPMd", "-mf=off", "-m0=LZMA", "-mtc -mta", "-mtc -mta -mhc=off",
		"-mtm=off", "-mtr=off", "-mtm=off -mtr=off -mhc=off", "-psecret", "-psecret -mhc=off -ms=off", "-ms=2f -mqs", "-mx=9 -ms=e",
		"-m0=BCJ2 -m1=LZMA -m2=LZMA -m3=LZMA -mb0:1 -mb0s1:2 -mb0s2:3 -mhc=off", "-m0=Delta:4 -m1=BCJ -m2=LZMA2",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(dir, fmt.Sprint(i))
			sevenZip(t, filepath.Join(dir, "in"), "", append([]string{"a", filepath.Join(out, "a.7z"), "."}, strings.Fields(args)...)...)
			h := read(t, readFile(t, out))
			if len(h.Files) != len(someFiles)+1 { // and eu
				t.Errorf("%d files", len(h.Files))
			}
			wantListed(t, out, h)
		})
	}
}

// A header of thousands of files, each in a folder of its own or all in one.
func TestManyFiles(t *testing.T) {
	dir, files := t.TempDir(), map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("%d/table %d.sql", i%7, i)] = strings.Repeat("x", i%3)
	}
	saveFiles(t, filepath.Join(dir, "in"), files)
	for _, args := range []string{"-ms=off", "-ms=on"} {
		out := filepath.Join(dir, args)
		sevenZip(t, filepath.Join(dir, "in"), "", "a", filepath.Join(out, "a.7z"), ".", "-m0=Copy", "-mhc=off", args)
		archive := readFile(t, out)
		h := read(t, archive)
		wantListed(t, out, h)
		start, _ := ParseStart([StartSize]byte(archive))
		if n := start.Size / uint64(len(h.Files)); n*50_000 > MaxSize {
			t.Errorf("%s: %d bytes for each file: MaxSize is less than that of 50,000", args, n)
		}
	}
}

// What comes from a pipe has no name in the archive.
func TestStockPipe(t *testing.T) {
	dir := t.TempDir()
	sevenZip(t, dir, "CREATE TABLE orders;", "a", "a.7z", "-si")
	h := read(t, readFile(t, dir))
	if len(h.Files) != 1 || h.Files[0].Name != "" || !h.Files[0].HasStream || h.Files[0].Modified.IsZero() {
		t.Errorf("got %+v", h.Files)
	}
}

// An update says which files are gone.
func TestStockAnti(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	saveFiles(t, in, map[string]string{"stays": "stays", "changes": "changes", "goes": "goes", "d/goes": "", "d/e/": ""})
	sevenZip(t, in, "", "a", "../base.7z", ".")
	for _, gone := range []string{"goes", "d"} {
		if err := os.RemoveAll(filepath.Join(in, gone)); err != nil {
			t.Fatal(err)
		}
	}
	saveFiles(t, in, map[string]string{"changes": "changed"})
	sevenZip(t, in, "", "u", "../base.7z", "-u-", "-up0q3r2x2y2z0w2!../a.7z", ".")
	h := read(t, readFile(t, dir))
	wantListed(t, dir, h)
	var anti []string
	for _, f := range h.Files {
		if f.Anti {
			anti = append(anti, f.Name)
		}
	}
	slices.Sort(anti)
	if want := []string{"d", "d/e", "d/goes", "goes"}; !slices.Equal(anti, want) {
		t.Errorf("%q are gone, not %q", anti, want)
	}
}

// What is left after files were deleted from a solid archive, and an archive of nothing.
func TestStockDeleted(t *testing.T) {
	dir := t.TempDir()
	saveFiles(t, filepath.Join(dir, "in"), someFiles)
	sevenZip(t, filepath.Join(dir, "in"), "", "a", "../a.7z", ".")
	sevenZip(t, dir, "", "d", "a.7z", "eu", "one")
	wantListed(t, dir, read(t, readFile(t, dir)))
	sevenZip(t, dir, "", "d", "a.7z", "*")
	if h := read(t, readFile(t, dir)); len(h.Files) > 0 {
		t.Errorf("%+v in an archive of nothing", h)
	}
}

// Stock 7-Zip lists what Append wrote.
func TestStockReads(t *testing.T) {
	dir := t.TempDir()
	contents := "CREATE TABLE orders;"
	for name, h := range written(t) {
		if len(h.Files) == 1 && h.Files[0].Name == "" {
			continue // 7-Zip would name it after the archive
		}
		h.Streams.Offset = 0
		for i := range h.Streams.Folders { // all are the same bytes, stored
			crc := crc32.ChecksumIEEE([]byte(contents))
			n := uint64(len(contents))
			h.Streams.Packed[i] = Packed{Size: n}
			coders := []Coder{{Method: Copy, Inputs: 1}}
			h.Streams.Folders[i] = Folder{Coders: coders, Sizes: []uint64{n}, Plain: []Plain{{n, &crc}}}
		}
		b := h.Append(nil)
		data := strings.Repeat(contents, len(h.Streams.Folders))
		start := Start{Offset: uint64(len(data)), Size: uint64(len(b)), CRC: crc32.ChecksumIEEE(b)}
		archive := append(append(start.Append(nil), data...), b...)
		if err := os.WriteFile(filepath.Join(dir, "a.7z"), archive, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			sevenZip(t, dir, "", "t", "a.7z")
			wantListed(t, dir, read(t, archive))
		})
	}
}
