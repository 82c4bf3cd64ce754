package database

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/databasement/backup"
	"github.com/databasement/backup/compress"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/storage"
)

// failure is a way in which a dump fails.
type failure struct {
	name   string
	points int                                         // at so many places of the dump
	strike func(t *testing.T, e *engine) (hit bool)    // once so much of it has been read
	says   map[*engine][]string                        // one of these is in the error
	volume func(t *testing.T, at int64) storage.Volume // default: a directory
	url    func(string) string                         // of the server, instead of its own
	env    map[string]string
}

// silent is what is said of mariadb-dump where it says nothing itself, as 10.11 does of some connections that end.
const silent = "mysqldump: exit status 2, without saying why"

var failures = []failure{
	{name: "query cancelled", points: 20, strike: cancelQuery, says: map[*engine][]string{
		postgres: {"canceling statement due to user request"}, mariadb: {"Query execution was interrupted"}}},
	{name: "connection ended", points: 20, strike: endConnection, says: map[*engine][]string{
		postgres: {"terminating connection", "server closed the connection"}, mariadb: {"Lost connection", "Connection was killed", "gone away", silent}}},
	{name: "server killed", points: 4, strike: func(_ *testing.T, e *engine) bool { e.kill(); return true }, says: map[*engine][]string{
		postgres: {"server closed the connection", "terminating connection"}, mariadb: {"Lost connection", "gone away", silent}}},
	{name: "disk full", points: 10, volume: fullDisk, says: map[*engine][]string{
		postgres: {"no space left on device"}, mariadb: {"no space left on device"}}},
	{name: "wrong password", points: 1, url: wrongPassword, says: map[*engine][]string{
		postgres: {"password authentication failed"}, mariadb: {"Access denied"}}},
	{name: "tool missing", points: 1, env: map[string]string{"PATH": "/nowhere"}, says: map[*engine][]string{
		postgres: {"there is no pg_dump on PATH"}, mariadb: {"there is no mysqldump and no mariadb-dump on PATH"}}},
}

// cancelQuery interrupts what the server is doing for the dump, and reports whether there was something.
func cancelQuery(t *testing.T, e *engine) bool {
	return strikeAt(t, e, "SELECT pg_cancel_backend(%s);", "KILL QUERY %s;")
}

func endConnection(t *testing.T, e *engine) bool {
	return strikeAt(t, e, "SELECT pg_terminate_backend(%s);", "KILL %s;")
}

func strikeAt(t *testing.T, e *engine, inPostgres, inMariaDB string) bool {
	t.Helper()
	find, strike := `SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_dump' AND state = 'active';`, inPostgres
	if e == mariadb {
		find, strike = `SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command = 'Query';`, inMariaDB
	}
	id := strings.TrimSpace(e.sql(t, "", find))
	if id == "" {
		return false
	}
	_, err := e.try("", fmt.Sprintf(strike, id)) // it may have ended by now
	return err == nil
}

// fullDisk is a directory that takes about so many bytes.
func fullDisk(t *testing.T, at int64) storage.Volume {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", 64+at>>10)); err != nil {
		t.Fatalf("mount a small tmpfs, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	v, err := localfs.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

const wrong = "wr0ng/p@ss"

func wrongPassword(text string) string {
	u, _ := url.Parse(text)
	u.User = url.UserPassword(u.User.Username(), wrong)
	return u.String()
}

// long is a database of one table, longer than what sockets and pipes hold, so that its server is not done before it is struck.
func long(t *testing.T, e *engine) database.Server {
	t.Helper()
	e.up(t)
	db := e.at(t, "long")
	if e.long {
		return db
	}
	if err := db.Prepare(t.Context(), database.DropAndCreate); err != nil {
		t.Fatal(err)
	}
	rows := "SELECT repeat(md5(i::text), 30) AS x FROM generate_series(1, 60000) i"
	if e == mariadb {
		rows = "SELECT REPEAT(MD5(seq), 30) AS x FROM seq_1_to_60000"
	}
	e.sql(t, "long", "CREATE TABLE rows_of_it AS "+rows+";")
	e.long = true
	return db
}

// striker passes a dump on, and strikes when so many bytes of it have passed, a few times unless it hits.
type striker struct {
	w      io.Writer
	left   int64
	strike func() bool
	tries  int
}

func (s *striker) Write(p []byte) (int, error) {
	if s.left -= int64(len(p)); s.left < 0 && s.tries > 0 {
		if s.tries--; s.strike() {
			s.tries = 0
		}
	}
	return s.w.Write(p)
}

// A dump that fails, wherever, leaves no snapshot, says what the tool said, and no password. Where the server was done before it
// was struck, the dump is whole.
func TestFailure(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	for _, e := range engines {
		size := lengthOf(t, e)
		for _, f := range failures {
			t.Run(e.name+" "+f.name, func(t *testing.T) {
				failed := 0
				for try := 0; failed < f.points; try++ {
					if try > 2*f.points+5 {
						t.Fatalf("only %d of %d dumps failed", failed, try)
					}
					if fails(t, e, f, random.Int64N(size*7/10), size) {
						failed++
					}
				}
			})
		}
	}
}

// lengthOf is how long a good dump is.
func lengthOf(t *testing.T, e *engine) int64 {
	t.Helper()
	n := striker{w: io.Discard}
	if err := long(t, e).Dump(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return -n.left
}

// fails has a dump fail, and looks at what is there then.
func fails(t *testing.T, e *engine, f failure, at, size int64) bool {
	t.Helper()
	long(t, e)
	password, address := e.password(), e.server.URL
	if f.url != nil {
		address = f.url(address)
	}
	server, err := e.open(address)
	if err != nil {
		t.Fatal(err)
	}
	v := directory(t)
	if f.volume != nil {
		v = f.volume(t, at)
	}
	b, err := backup.New(v, &backup.Options{Encryptor: crypto.None, Compressor: compress.None})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range f.env {
		t.Setenv(name, value)
	}
	snap, err := b.CreateFunc(t.Context(), "shop", nil, func(ctx context.Context, w io.Writer) error {
		if f.strike != nil {
			w = &striker{w: w, left: at, strike: func() bool { return f.strike(t, e) }, tries: 2}
		}
		return server.Select("long").Dump(ctx, w)
	})
	if err == nil {
		if f.strike == nil || snap.Details.PlainSize != size {
			t.Fatalf("struck after %d bytes: a snapshot of %d bytes, a whole one has %d", at, snap.Details.PlainSize, size)
		}
		return false
	}
	if !containsAny(err.Error(), f.says[e]) {
		t.Errorf("struck after %d bytes: the error %q has none of %q", at, err, f.says[e])
	}
	for _, secret := range []string{password, url.QueryEscape(password), url.PathEscape(password), wrong, url.PathEscape(wrong)} {
		if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("the error holds a password: %v", err)
		}
	}
	snapshots, err := b.List(t.Context(), "shop")
	if err != nil || len(snapshots) > 0 {
		t.Errorf("struck after %d bytes: there are %d snapshots, %v", at, len(snapshots), err)
	}
	if objects, err := storage.ListAll(t.Context(), v, ""); err != nil || len(objects) > 0 {
		t.Errorf("struck after %d bytes: %d objects are left, %v", at, len(objects), err)
	}
	return true
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
