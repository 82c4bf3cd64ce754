package localfs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/databasement/backup/storage"
)

// children are what the test binary does instead of testing when childEnv
// names one of them; the volume's directory is its only argument.
const childEnv = "LOCALFS_TEST_CHILD"

var children = map[string]func(v *Volume) error{"putter": putForEver, "claimer": claimAll}

func TestMain(m *testing.M) {
	child := children[os.Getenv(childEnv)]
	if child == nil {
		os.Exit(m.Run())
	}
	v, err := Open(os.Args[1], nil)
	if err == nil {
		err = child(v)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func command(ctx context.Context, t *testing.T, child, dir string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, exe, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+child)
	cmd.Stderr = os.Stderr
	return cmd
}

// body is the only content that an object of a version has.
func body(version int) []byte {
	return bytes.Repeat([]byte{byte(version), byte(version >> 8)}, 1+version*7919%(1<<20))
}

// putForEver stores version after version and says so for each that is stored.
func putForEver(v *Volume) error {
	for version := 0; ; version++ {
		b := body(version)
		if _, err := v.Put(context.Background(), "shop/same", bytes.NewReader(b)); err != nil {
			return err
		}
		name := fmt.Sprintf("shop/d%d/%d", version%3, version)
		if _, err := v.PutHead(context.Background(), name, bytes.NewReader(b), 2, func() ([]byte, error) { return b[:2], nil }); err != nil {
			return err
		}
		fmt.Println(version)
	}
}

// A process that is killed at any moment leaves what it had stored, nothing
// torn, and nothing that a sweep does not clear away.
func TestKill(t *testing.T) {
	stored := 0
	for range 30 {
		dir := t.TempDir()
		n := killOne(t, dir)
		stored += n
		v := open(t, dir)
		for version := range n {
			name := fmt.Sprintf("shop/d%d/%d", version%3, version)
			if got := get(t, v, name); got != string(body(version)) {
				t.Errorf("%s was stored and has now %d other bytes", name, len(got))
			}
		}
		for _, name := range names(t, v, "") {
			got := []byte(get(t, v, name))
			if version := int(got[0]) | int(got[1])<<8; !bytes.Equal(got, body(version)) {
				t.Errorf("%s is torn: %d bytes of version %d", name, len(got), version)
			} else if name == "shop/same" && version < n-1 {
				t.Errorf("%s has version %d, %d was stored", name, version, n-1)
			}
		}
		if _, err := v.SweepUnfinished(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Error(err)
		}
		for _, f := range files(t, dir) {
			if strings.Contains(f, tempPrefix) {
				t.Errorf("%s outlived a sweep", f)
			}
		}
	}
	if stored == 0 {
		t.Error("no child stored anything before it was killed")
	}
}

// killOne lets a child put objects for a moment and returns how many versions
// it had stored when it was killed.
func killOne(t *testing.T, dir string) (versions int) {
	cmd := command(t.Context(), t, "putter", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if lines.Scan() { // it is under way
		versions++
		time.AfterFunc(rand.N(40*time.Millisecond), func() { cmd.Process.Kill() })
	}
	for lines.Scan() {
		versions++
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("child ended by itself: %v", err)
	}
	return versions
}

const claims = 200

// claimAll claims each slot and prints those that it got, and meanwhile makes
// and removes objects where all the others do.
func claimAll(v *Volume) error {
	ctx := context.Background()
	me := fmt.Sprint(os.Getpid())
	for slot := range claims {
		_, err := v.PutIfAbsent(ctx, fmt.Sprintf("claims/%d", slot), []byte(me))
		if err == nil {
			fmt.Println(slot)
		} else if !errors.Is(err, storage.ErrExist) {
			return err
		}
		if slot%10 != 0 {
			continue
		}
		if _, err := v.Put(ctx, "common/x/"+me, strings.NewReader(me)); err != nil {
			return err
		}
		if got, err := slurp(ctx, v, "common/x/"+me); got != me {
			return fmt.Errorf("common/x/%s = %q, %w", me, got, err)
		}
		if err := v.Delete(ctx, "common/x/"+me); err != nil {
			return err
		}
	}
	return nil
}

func slurp(ctx context.Context, v *Volume, name string) (string, error) {
	r, err := v.Open(ctx, name, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// Several processes on one volume: each claim has one winner, and none harms
// another's objects.
func TestProcessesShareAVolume(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	winner := map[string]string{} // of each slot, by process id
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			cmd := command(t.Context(), t, "claimer", dir)
			out, err := cmd.Output()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for slot := range strings.FieldsSeq(string(out)) {
				if winner[slot] != "" {
					t.Errorf("slot %s has two winners", slot)
				}
				winner[slot] = fmt.Sprint(cmd.Process.Pid)
			}
		})
	}
	wg.Wait()
	v := open(t, dir)
	for slot := range claims {
		if got, want := get(t, v, fmt.Sprintf("claims/%d", slot)), winner[fmt.Sprint(slot)]; got != want {
			t.Errorf("slot %d holds %q, won by %q", slot, got, want)
		}
	}
	if got := len(files(t, dir)); got != claims+1 {
		t.Errorf("%d files, want %d", got, claims+1)
	}
}
