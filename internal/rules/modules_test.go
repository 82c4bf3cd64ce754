package rules

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reviewed are the direct dependencies, and why each is there. A new one is a decision: docs/DESIGN.md.
var reviewed = map[string]string{
	"filippo.io/age":                           "the age format, by its author",
	"github.com/aws/aws-sdk-go-v2":             "S3: signatures, retried nowhere but in s3fs",
	"github.com/aws/aws-sdk-go-v2/config":      "the configuration files and variables that every AWS tool reads",
	"github.com/aws/aws-sdk-go-v2/credentials": "static keys, and roles that are assumed",
	"github.com/aws/aws-sdk-go-v2/service/s3":  "the requests of S3",
	"github.com/aws/aws-sdk-go-v2/service/sts": "AssumeRole",
	"github.com/aws/smithy-go":                 "what the SDK's errors and middleware are made of",
	"github.com/go-co-op/gocron/v2":            "the timers of schedule",
	"github.com/klauspost/compress":            "zstd, and a deflate faster than the standard library's",
	"github.com/robfig/cron/v3":                "cron expressions, by the parser that gocron has",
	"github.com/ulikunitz/xz":                  "LZMA2, in pure Go",
	"golang.org/x/crypto":                      "SSH keys as age recipients, with the build tag agessh",
	"golang.org/x/term":                        "asking for a secret without showing it, in the examples",
	"golang.org/x/sys":                         "durable directories, and files as Windows wants them",
}

// maxModules is how many modules an importer of the root package and localfs may have in its build list. Those of the AWS SDK and gocron
// are in it by name only: nothing of them is downloaded, as nothing of them is compiled.
const maxModules = 32

func TestDirectDependencies(t *testing.T) {
	dir := root(t)
	imported := map[string]bool{}
	for _, goos := range []string{"linux", "windows", "darwin"} {
		direct := map[string]bool{}
		for _, p := range golist(t, dir, goos, "./...") {
			for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				direct[path] = true
			}
		}
		for _, p := range golist(t, dir, goos, "-test", "-deps", "./...") {
			if direct[p.ImportPath] && p.Module != nil && p.Module.Path != self {
				imported[p.Module.Path] = true
			}
		}
	}
	for module := range imported {
		if reviewed[module] == "" {
			t.Errorf("%s is imported, but was not reviewed", module)
		}
	}
	for module := range reviewed {
		if !imported[module] {
			t.Errorf("%s is reviewed, but not imported any more", module)
		}
	}
}

// TestImporter is a program that uses the root package and localfs, and looks at what it inherits.
func TestImporter(t *testing.T) {
	home, dir := root(t), t.TempDir()
	sums, err := os.ReadFile(filepath.Join(home, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"go.mod":  "module example.com/importer\n\ngo 1.25.0\n\nrequire " + self + " v0.0.0\n\nreplace " + self + " => " + filepath.ToSlash(home) + "\n",
		"go.sum":  string(sums), // so that what is in the module cache needs no network
		"main.go": "package main\n\nimport (\n\t_ \"" + self + "\"\n\t_ \"" + self + "/localfs\"\n)\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
	modules := strings.Fields(run(t, dir, env, "list", "-m", "-f", "{{.Path}}", "all"))
	t.Logf("an importer of the root package and localfs has %d modules in its build list (at most %d are allowed): %s",
		len(modules), maxModules, strings.Join(modules, " "))
	if len(modules) > maxModules {
		t.Errorf("%d modules, at most %d are allowed", len(modules), maxModules)
	}
	built := strings.Fields(run(t, dir, env, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "."))
	if len(built) == 0 {
		t.Fatal("the importer builds no module")
	}
	slices.Sort(built)
	built = slices.Compact(built)
	t.Logf("it compiles packages of %d: %s", len(built), strings.Join(built, " "))
	for _, module := range built {
		if strings.Contains(module, "aws") {
			t.Errorf("it compiles %s", module)
		}
	}
}
