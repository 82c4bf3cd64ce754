//go:build unix

package main

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how often TestKill kills: 15, or what the environment variable DBBACKUP_KILLS says (make kill).
func kills(t *testing.T) int {
	s := os.Getenv("DBBACKUP_KILLS")
	if s == "" {
		return 15
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("DBBACKUP_KILLS=%q is no number of kills", s)
	}
	return n
}

// noise is what does not compress.
func noise(n int, seed uint64) []byte {
	p := make([]byte, n)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	rand.NewChaCha8(key).Read(p)
	return p
}

// A backup that is killed at any moment either exists and restores, or does not exist. Older snapshots are not
// harmed, and a sweep, a week later, finds all that was left.
func TestKill(t *testing.T) {
	s := newShell(t)
	random := rand.New(rand.NewPCG(15, 200))
	first := noise(100, 1<<20)
	content := map[string][]byte{last(s.ok(string(first), "backup", "--name=shop")): first}
	committed := 0
	for i := range kills(t) {
		data := noise([]int{1 << 10, 1 << 20, 9 << 20, 18 << 20}[random.IntN(4)]+random.IntN(1000), uint64(i))
		s.killOne(random, data)
		for _, ref := range s.refs() {
			if content[ref] == nil {
				content[ref] = data
				committed++
				s.restores(ref, data)
			}
		}
		if got := len(s.refs()); got != len(content) {
			t.Fatalf("after kill %d: %d snapshots, there were %d", i, got, len(content))
		}
	}
	for ref, data := range content {
		s.restores(ref, data)
	}
	t.Logf("of %d killed backups %d were committed; left: %d files", kills(t), committed, len(s.files())-2*len(content))
	s.sweepAll(content)
}

// killedFormats are stored in different ways: a .7z gets its first bytes last.
var killedFormats = [][]string{nil, nil, {"--encryption=7z"}, {"--encryption=7z", "--7z-method=copy", "--segment-size=5000000"}}

// killOne starts a backup of data and kills it: while it reads, or within the moments after its input has ended.
func (s *shell) killOne(random *rand.Rand, data []byte) {
	s.t.Helper()
	cmd := s.program(append([]string{"backup", "--name=shop"}, killedFormats[random.IntN(len(killedFormats))]...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	part := data
	if random.IntN(3) == 0 {
		part = data[:random.IntN(len(data))]
	}
	_, err = stdin.Write(part)
	if err == nil && len(part) == len(data) {
		err = stdin.Close()
	}
	if err != nil {
		s.t.Fatalf("writing to the program: %v", err)
	}
	time.Sleep(time.Duration(random.ExpFloat64() * float64(40*time.Millisecond)))
	cmd.Process.Kill()
	cmd.Wait() // it was killed, or was done before
}

// refs lists all snapshots.
func (s *shell) refs() []string {
	s.t.Helper()
	var records []record
	if err := json.Unmarshal([]byte(s.ok("", "list", "--json")), &records); err != nil {
		s.t.Fatal(err)
	}
	var refs []string
	for _, r := range records {
		refs = append(refs, r.Ref)
	}
	return refs
}

func (s *shell) restores(ref string, want []byte) {
	s.t.Helper()
	if got := s.ok("", "restore", ref); got != string(want) {
		s.t.Fatalf("%s restores as %d bytes, not the %d that were backed up", ref, len(got), len(want))
	}
}

// sweepAll makes everything 8 days old, and sweeps: the snapshots and RESTORE.txt must stay, and nothing else.
func (s *shell) sweepAll(content map[string][]byte) {
	s.t.Helper()
	before := s.files()
	s.ok("", "sweep")
	if got := s.files(); !slices.Equal(got, before) {
		s.t.Errorf("a sweep removed what is not old: %q are left of %q", got, before)
	}
	old := time.Now().Add(-8 * 24 * time.Hour)
	for _, name := range before {
		if err := os.Chtimes(filepath.Join(s.dir, name), old, old); err != nil {
			s.t.Fatal(err)
		}
	}
	s.ok("", "sweep")
	for _, name := range s.files() {
		ref, _, _ := strings.Cut(name, ".")
		if _, known := content[ref]; !known && name != restoreTextName {
			s.t.Errorf("the sweep left %s", name)
		}
	}
	for ref, data := range content {
		s.restores(ref, data)
	}
	if !slices.Contains(s.files(), restoreTextName) {
		s.t.Error("RESTORE.txt is gone")
	}
}
