package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/databasement/backup"
	"github.com/databasement/backup/crypto"
	"github.com/databasement/backup/database"
	"github.com/databasement/backup/localfs"
	"github.com/databasement/backup/schedule"
)

// snapshotName is what the snapshots of this program are called.
const snapshotName = "notes"

// linkLife is how long a download link works.
const linkLife = 15 * time.Minute

// backups is what this program offers of the library over HTTP.
type backups struct {
	volume    *localfs.Volume
	b         *backup.Backup
	db        database.Database
	links     *links
	scheduler *schedule.Scheduler
}

// openBackups prepares snapshots of db in the directory data. A bucket would do as well: s3fs.Open instead of localfs.Open.
func openBackups(data string, db *sql.DB, cron string) (*backups, error) {
	key, err := loadKey(filepath.Join(data, "backup.key"))
	if err != nil {
		return nil, err
	}
	volume, err := localfs.Open(filepath.Join(data, "backups"), nil)
	if err != nil {
		return nil, err
	}
	s := &backups{volume: volume, links: newLinks()}
	if err := s.open(key, db, cron); err != nil {
		return nil, errors.Join(err, volume.Close())
	}
	return s, nil
}

func (s *backups) open(key crypto.Key, db *sql.DB, cron string) (err error) {
	if s.b, err = backup.New(s.volume, &backup.Options{Encryptor: crypto.AES256(crypto.NewKeyring(key))}); err != nil {
		return err
	}
	if s.db, err = database.SQLiteDB(db, nil); err != nil {
		return err
	}
	// After a good backup, and only then, older ones go: the last 10, 7 daily and 4 weekly ones stay.
	job := schedule.Backup(s.b, snapshotName, s.options(), s.db.Dump, &backup.Retention{KeepLast: 10, KeepDaily: 7, KeepWeekly: 4})
	job.Cron = cron
	s.scheduler, err = schedule.New([]schedule.Job{job}, &schedule.Options{Volume: s.volume})
	return err
}

func (s *backups) options() *backup.CreateOptions {
	return &backup.CreateOptions{Ext: s.db.Ext(), MinSize: 1}
}

func (s *backups) close() error { return s.volume.Close() }

// loadKey reads the key, or makes one at the first start. Whoever has lost it has lost the backups: a copy belongs
// somewhere else.
func loadKey(file string) (crypto.Key, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(crypto.NewKey().Encode())
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return crypto.Key{}, err
	}
	return crypto.ParseKey(strings.TrimSpace(string(text)))
}

// entry is a snapshot as JSON.
type entry struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Stored int64     `json:"stored_bytes"`
}

func entryOf(s *backup.Snapshot) entry { return entry{s.ID, s.Time, s.StoredSize} }

// back makes a snapshot. A dump that fails leaves none.
func (s *backups) back(ctx context.Context) (*backup.Snapshot, error) {
	return s.b.CreateFunc(ctx, snapshotName, s.options(), s.db.Dump)
}

// create makes a snapshot now.
func (s *backups) create(w http.ResponseWriter, r *http.Request) {
	snap, err := s.back(r.Context())
	if err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, entryOf(snap), nil)
}

// list shows the snapshots, the oldest first, and the state of the schedule.
func (s *backups) list(w http.ResponseWriter, r *http.Request) {
	snapshots, err := s.b.List(r.Context(), snapshotName)
	entries := []entry{}
	for _, snap := range snapshots {
		entries = append(entries, entryOf(snap))
	}
	reply(w, map[string]any{"snapshots": entries, "schedule": s.state()}, err)
}

// state is that of the schedule, for a monitor: when the newest backup was due that is done, and what went wrong last.
func (s *backups) state() map[string]any {
	st := s.scheduler.Status()[0]
	state := map[string]any{"next": st.Next, "running": st.Running, "done": st.Done}
	if st.LastError != nil {
		state["last_error"], state["failed"] = st.LastError.Error(), st.Failed
	}
	return state
}

// link makes a link by which anybody can download a snapshot for a while.
func (s *backups) link(w http.ResponseWriter, r *http.Request) {
	snap, err := s.b.Stat(r.Context(), snapshotName+"/"+r.PathValue("id"))
	switch {
	case errors.Is(err, backup.ErrNotExist):
		http.Error(w, "there is no such snapshot", http.StatusNotFound)
		return
	case err != nil:
		reply(w, nil, err)
		return
	}
	until := time.Now().Add(linkLife)
	reply(w, map[string]any{"url": "http://" + r.Host + s.links.sign(snap.ID, until), "until": until.UTC()}, nil)
}

// download streams a snapshot, decrypted and verified, to whoever has a link. A file that is cut off says so: the connection
// breaks, and the response never ends properly.
func (s *backups) download(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.links.check(id, r.URL.Query(), time.Now()) {
		http.Error(w, "the link is wrong or has expired", http.StatusForbidden)
		return
	}
	body := &lateHeader{ResponseWriter: w, file: snapshotName + "-" + id + s.db.Ext()}
	err := s.b.Restore(r.Context(), snapshotName+"/"+id, body)
	switch {
	case err != nil && !body.begun:
		http.Error(w, "the snapshot cannot be read", http.StatusInternalServerError)
	case err != nil:
		panic(http.ErrAbortHandler)
	}
}

// lateHeader sends the headers of a download with its first byte, so that an error before it can still be told.
type lateHeader struct {
	http.ResponseWriter
	file  string
	begun bool
}

func (l *lateHeader) Write(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		l.Header().Set("Content-Type", "application/vnd.sqlite3")
		l.Header().Set("Content-Disposition", `attachment; filename="`+l.file+`"`)
	}
	return l.ResponseWriter.Write(p)
}
