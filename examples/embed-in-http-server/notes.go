package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	_ "modernc.org/sqlite" // any driver of database/sql would do
)

// notes is the application that is backed up: texts in a SQLite file. It knows nothing of backups.
type notes struct{ db *sql.DB }

func openNotes(ctx context.Context, file string) (*notes, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, at TEXT NOT NULL, text TEXT NOT NULL)`); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	return &notes{db}, nil
}

// note is a row, and its JSON.
type note struct {
	ID   int64     `json:"id"`
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// maxNote bounds what a request may bring, in bytes.
const maxNote = 64 << 10

// add stores the request's body as a note.
func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNote))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	added := note{At: time.Now().UTC(), Text: string(text)}
	err = n.db.QueryRowContext(r.Context(), `INSERT INTO note (at, text) VALUES (?, ?) RETURNING id`,
		added.At.Format(time.RFC3339Nano), added.Text).Scan(&added.ID)
	reply(w, added, err)
}

// list shows all notes.
func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	all, err := n.all(r.Context())
	reply(w, all, err)
}

func (n *notes) all(ctx context.Context) ([]note, error) {
	rows, err := n.db.QueryContext(ctx, `SELECT id, at, text FROM note ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []note{}
	for rows.Next() {
		var one note
		var at string
		if err := rows.Scan(&one.ID, &at, &one.Text); err != nil {
			return nil, err
		}
		if one.At, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// reply writes JSON, or says what failed.
func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is no concern of ours
}
