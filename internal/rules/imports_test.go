package rules

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const self = "github.com/databasement/backup"

// may says what a directory's packages import beside the standard library: directories of this module ("." is the
// root package), with what is below them, and modules. The longest match counts. Tests may do more: see
// TestLight.
var may = map[string][]string{
	".":                   {"storage", "compress", "crypto", "internal"},
	"storage":             {},
	"storage/storagetest": {"storage"},
	"localfs":             {"storage", "golang.org/x/sys"},
	"s3fs":                {"storage", "internal", "github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
	"compress":            {"internal/blocks", "internal/deflate", "internal/lzma", "github.com/klauspost/compress", "github.com/ulikunitz/xz"},
	"crypto":              {"internal/sink", "filippo.io/age", "golang.org/x/crypto"},
	"crypto/sevenzip":     {"crypto", "compress", "internal", "github.com/klauspost/compress", "github.com/ulikunitz/xz"},
	"database":            {"internal", "golang.org/x/sys"},
	"schedule":            {".", "storage", "internal", "github.com/go-co-op/gocron/v2", "github.com/robfig/cron/v3"},
	"config":              {".", "storage", "compress", "crypto", "localfs", "s3fs", "database", "schedule", "filippo.io/age"},
	"internal":            {"storage", "compress", "crypto", "internal"},
	"internal/blocks":     {},
	"internal/sink":       {},
	"internal/deflate":    {"internal/blocks", "github.com/klauspost/compress"},
	"internal/lzma":       {},
	"internal/campaign":   {".", "storage", "compress", "crypto", "internal", "filippo.io/age"},                                          // run by tests
	"internal/bench":      {".", "storage", "compress", "crypto", "localfs", "github.com/klauspost/compress", "github.com/ulikunitz/xz"}, // a program
	"examples":            {".", "storage", "compress", "crypto", "localfs", "s3fs", "database", "schedule", "config", "internal", "filippo.io/age", "golang.org/x/term"},
}

// inTests says what the tests of a directory import beyond may. Nothing that an importer builds is there.
var inTests = map[string][]string{
	"internal/fakes3": {"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"}, // a fake of S3 must suit the real client
}

// heavy is what tests import only where may or inTests allows it.
var heavy = []string{"github.com/aws/", "github.com/testcontainers/", "github.com/docker/", "github.com/tink-crypto/", "google.golang.org/"}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath                         string
	Standard                           bool
	Module                             *struct{ Path string }
	Imports, TestImports, XTestImports []string
}

// golist runs go list with args in dir, for one system and all build tags. What does not compile is for the compiler to say.
func golist(t *testing.T, dir, goos string, args ...string) []pkg {
	t.Helper()
	fields := []string{"list", "-e", "-tags=agessh", "-json=ImportPath,Standard,Module,Imports,TestImports,XTestImports"}
	out := run(t, dir, []string{"GOOS=" + goos, "CGO_ENABLED=0"}, append(fields, args...)...)
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func run(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// root is the directory of the module. It looks into each of its directories, so that go test, which does not see what
// go list reads, runs these tests again when a file has changed.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// directory is where a package of this module is, "." for the root.
func directory(importPath string) (dir string, own bool) {
	if importPath == self {
		return ".", true
	}
	return strings.CutPrefix(importPath, self+"/")
}

// under reports whether path is dir or below it.
func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// rule is the entry of may for a directory.
func rule(dir string) (key string, ok bool) {
	keys := slices.Collect(maps.Keys(may))
	keys = slices.DeleteFunc(keys, func(k string) bool { return !under(dir, k) })
	if len(keys) == 0 {
		return "", false
	}
	return slices.MaxFunc(keys, func(a, b string) int { return cmp.Compare(len(a), len(b)) }), true
}

// allowed reports whether a package in dir may import path.
func allowed(t *testing.T, dir, path string) bool {
	key, ok := rule(dir)
	if !ok {
		t.Errorf("%s is a directory that no rule is about: add one to may", dir)
		return true
	}
	target, own := directory(path)
	if own && under(target, key) && (key != "." || target == ".") {
		return true // its own room
	}
	for _, m := range may[key] {
		if own && m == target || own && m != "." && under(target, m) || !own && under(path, m) {
			return true
		}
	}
	return false
}

// standard reports whether path is of the standard library.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func TestImports(t *testing.T) {
	dir := root(t)
	for _, goos := range []string{"linux", "windows", "darwin"} {
		packages := golist(t, dir, goos, "./...")
		if len(packages) < 10 {
			t.Fatalf("%s: go list found only %d packages", goos, len(packages))
		}
		for _, p := range packages {
			from, _ := directory(p.ImportPath)
			for _, path := range p.Imports {
				if !standard(path) && !allowed(t, from, path) {
					t.Errorf("%s: %s imports %s, which its rule in may does not allow", goos, from, path)
				}
			}
		}
	}
}

// The rules themselves must refuse what docs/DESIGN.md forbids.
func TestRules(t *testing.T) {
	for _, forbidden := range [][2]string{
		{".", self + "/localfs"}, {".", self + "/s3fs"}, {".", "github.com/klauspost/compress"},
		{"storage", self}, {"storage", "golang.org/x/sys/unix"}, {"storage/storagetest", self + "/localfs"},
		{"internal/segment", self + "/localfs"}, {"internal/segment", self}, {"internal/segment", self + "/s3fs"},
		{"compress", self + "/storage"}, {"compress", self}, {"compress", self + "/crypto"},
		{"crypto", self + "/storage"}, {"crypto", self}, {"crypto", self + "/compress"}, {"crypto", self + "/internal/retry"},
		{"localfs", self}, {"localfs", self + "/s3fs"}, {"database", self}, {"examples/x", "github.com/aws/aws-sdk-go-v2/aws"},
	} {
		if allowed(t, forbidden[0], forbidden[1]) {
			t.Errorf("%s may import %s", forbidden[0], forbidden[1])
		}
	}
	for _, needed := range [][2]string{
		{".", self + "/internal/segment"}, {"localfs", self + "/storage"}, {"crypto", "filippo.io/age/agessh"}, {"compress", self + "/compress"},
	} {
		if !allowed(t, needed[0], needed[1]) {
			t.Errorf("%s may not import %s", needed[0], needed[1])
		}
	}
}

// TestLight holds tests to what an importer's go mod tidy must not bring: s3fs and everything heavy stays out of all
// rooms that do not have it in their rule.
func TestLight(t *testing.T) {
	dir := root(t)
	for _, p := range golist(t, dir, "linux", "./...") {
		from, _ := directory(p.ImportPath)
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			isHeavy := path == self+"/s3fs" || slices.ContainsFunc(heavy, func(h string) bool { return strings.HasPrefix(path, h) })
			excepted := slices.ContainsFunc(inTests[from], func(m string) bool { return under(path, m) })
			if isHeavy && !excepted && !allowed(t, from, path) {
				t.Errorf("a test of %s imports %s: move it to internal/integration", from, path)
			}
		}
	}
}
