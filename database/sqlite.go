package database

import "errors"

// SQLiteOptions are for SQLite; nil and zero fields are the defaults.
type SQLiteOptions struct{}

// SQLite is a file of SQLite.
func SQLite(path string, o *SQLiteOptions) (Database, error) { return nil, errors.New("not yet") }
