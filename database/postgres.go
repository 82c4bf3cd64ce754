package database

import "errors"

// PostgresOptions are for Postgres; nil and zero fields are the defaults.
type PostgresOptions struct{}

// Postgres is a PostgreSQL server.
func Postgres(url string, o *PostgresOptions) (Server, error) { return nil, errors.New("not yet") }
