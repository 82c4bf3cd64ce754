package database

import "errors"

// MySQLOptions are for MySQL; nil and zero fields are the defaults.
type MySQLOptions struct{}

// MySQL is a MySQL or MariaDB server.
func MySQL(url string, o *MySQLOptions) (Server, error) { return nil, errors.New("not yet") }
