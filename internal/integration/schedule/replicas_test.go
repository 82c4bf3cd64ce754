package schedule

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/internal/integration/minio"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/s3fs"
	"github.com/databasement/backup/schedule"
	"github.com/databasement/backup/storage"
)

// replicaVariable has this test binary be a replica, as JSON says.
const replicaVariable = "INTEGRATION_REPLICA"

// replica is what a process needs to know.
type replica struct {
	Dir                                    string // of the volume; empty: the bucket
	Endpoint, Bucket, AccessKey, SecretKey string
	Name, Owner, Cron                      string
	Timeout, Work                          time.Duration // of a backup
}

func TestMain(m *testing.M) {
	if text := os.Getenv(replicaVariable); text != "" {
		if err := replicate(text); err != nil {
			fmt.Fprintln(os.Stderr, "replica:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// replicate runs the schedule until standard input ends, and writes a line when a try begins and when one has failed.
func replicate(text string) error {
	var r replica
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	v, err := r.open(ctx)
	if err != nil {
		return err
	}
	b, err := backup.New(v, &backup.Options{Encryptor: crypto.None})
	if err != nil {
		return err
	}
	job := schedule.Backup(b, r.Name, nil, func(ctx context.Context, w io.Writer) error {
		select {
		case <-time.After(r.Work):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		_, err := io.WriteString(w, "by "+r.Owner)
		return err
	}, nil)
	job.Cron, job.Timeout, job.Backoff = r.Cron, r.Timeout, 200*time.Millisecond
	s, err := schedule.New([]schedule.Job{job}, &schedule.Options{
		Volume: v, Owner: r.Owner,
		OnStart: func(run schedule.Run) { fmt.Printf("start %s %d\n", run.Slot.Format(time.RFC3339), run.Try) },
		OnFailure: func(run schedule.Run, err error) {
			fmt.Printf("failure %s %d %v\n", run.Slot.Format(time.RFC3339), run.Try, err)
		},
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func (r replica) open(ctx context.Context) (storage.Volume, error) {
	if r.Dir != "" {
		return localfs.Open(r.Dir, nil)
	}
	return s3fs.Open(ctx, r.Bucket, &s3fs.Options{Endpoint: r.Endpoint, PathStyle: true, AccessKeyID: r.AccessKey, SecretAccessKey: r.SecretKey})
}

// process is a running replica.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string // closed at its end
}

func start(t *testing.T, r replica) *process {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), replicaVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	p := &process{cmd: cmd, lines: make(chan string, 1000)}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// end lets a replica stop, and returns what it has written.
func (p *process) end(t *testing.T) (lines []string) {
	t.Helper()
	p.stdin.Close()
	for line := range p.lines {
		lines = append(lines, line)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("a replica ended with %v", err)
	}
	return lines
}

// places are where replicas meet.
func places(t *testing.T) map[string]replica {
	t.Helper()
	m, err := minio.Start(t.Context(), minio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fmt.Printf("minio: %v\n", m)
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	bucket := "schedule-" + strings.ToLower(rand.Text())
	host, _ := strings.CutPrefix(m.Endpoint, "http://")
	c, err := miniogo.New(host, &miniogo.Options{Creds: credentials.NewStaticV4(m.AccessKey, m.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeBucket(t.Context(), bucket, miniogo.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return map[string]replica{
		"directory": {Dir: t.TempDir()},
		"minio":     {Endpoint: m.Endpoint, Bucket: bucket, AccessKey: m.AccessKey, SecretKey: m.SecretKey},
	}
}

func TestReplicas(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("nobody dies", func(t *testing.T) { onceEach(t, place) })
			t.Run("the winner is killed", func(t *testing.T) { killed(t, place) })
		})
	}
}

const slotEvery = 2 * time.Second

// onceEach runs three replicas for some slots: each has one try, and one snapshot.
func onceEach(t *testing.T, place replica) {
	place.Name, place.Cron, place.Timeout, place.Work = "shop", "*/2 * * * * *", time.Minute, 100*time.Millisecond
	var all []*process
	for i := range 3 {
		place.Owner = fmt.Sprintf("replica-%d", i)
		all = append(all, start(t, place))
	}
	time.Sleep(13 * time.Second)
	tries := map[string]int{}
	for _, p := range all {
		for _, line := range p.end(t) {
			kind, rest, _ := strings.Cut(line, " ")
			if kind != "start" || !strings.HasSuffix(rest, " 1") {
				t.Errorf("a replica writes %q, where only first tries were expected", line)
			}
			tries[rest]++
		}
	}
	snapshots := map[time.Time]int{}
	for _, s := range list(t, place) {
		snapshots[s.Time.Truncate(slotEvery)]++
	}
	if len(tries) < 5 || len(snapshots) != len(tries) {
		t.Errorf("%d tries, %d slots with a snapshot, in 13 s", len(tries), len(snapshots))
	}
	for slot, n := range tries {
		if n != 1 {
			t.Errorf("slot and try %s began %d times", slot, n)
		}
	}
	for slot, n := range snapshots {
		if n != 1 {
			t.Errorf("slot %v has %d snapshots", slot, n)
		}
	}
}

// killed kills the winner of a slot in the midst of its backup: another takes the next try, once the claim has timed out. The
// slot is the beginning of the year, which the replicas make up for when they start.
func killed(t *testing.T, place replica) {
	place.Name, place.Cron, place.Timeout, place.Work = "killed", "0 0 1 1 *", 3*time.Second, time.Second
	all := map[string]*process{}
	begun := make(chan string, 100) // "owner: line"
	for i := range 3 {
		place.Owner = fmt.Sprintf("replica-%d", i)
		p := start(t, place)
		all[place.Owner] = p
		go func(owner string) {
			for line := range p.lines {
				begun <- owner + ": " + line
			}
		}(place.Owner)
	}
	next := func(want string) (owner string) {
		select {
		case line := <-begun:
			owner, what, _ := strings.Cut(line, ": ")
			if !strings.HasPrefix(what, "start ") || !strings.HasSuffix(what, want) {
				t.Fatalf("%q, where the start of try %s was expected", line, want)
			}
			return owner
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody has begun try %s", want)
			return ""
		}
	}
	winner := next(" 1")
	dead := time.Now()
	if err := all[winner].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = all[winner].cmd.Wait()
	delete(all, winner)
	if second := next(" 2"); second == winner {
		t.Errorf("%s was killed, and goes on", winner)
	}
	if waited := time.Since(dead); waited < place.Timeout-time.Second || waited > 4*place.Timeout {
		t.Errorf("the next try came after %v, with a timeout of %v", waited, place.Timeout)
	}
	for deadline := time.Now().Add(10 * time.Second); len(list(t, place)) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slot has no snapshot")
		}
	}
	for _, p := range all {
		p.stdin.Close()
		if err := p.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if n := len(list(t, place)); n != 1 {
		t.Errorf("the slot has %d snapshots", n)
	}
}

// list lists the snapshots of a place.
func list(t *testing.T, place replica) []*backup.Snapshot {
	t.Helper()
	v, err := place.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer v.(io.Closer).Close()
	b, err := backup.New(v, &backup.Options{Encryptor: crypto.None})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.List(t.Context(), place.Name)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
