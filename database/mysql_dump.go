package database

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// version is what the dump program says of itself.
func (m *mysql) version(ctx context.Context) (string, error) {
	t, err := m.dumper()
	if err != nil {
		return "", err
	}
	t.args = []string{"--version"}
	return t.query(ctx)
}

// mysqlCollation makes a statement that the programs dump only with a CREATE DATABASE of the same name. Parameters of
// routines, and tables made later, depend on it.
const mysqlCollation = "SELECT CONCAT('ALTER DATABASE CHARACTER SET ', @@character_set_database, ' COLLATE ', @@collation_database)"

func (m *mysql) Dump(ctx context.Context, w io.Writer) error {
	if err := m.selected(); err != nil {
		return err
	}
	version, err := m.version(ctx)
	if err != nil {
		return err
	}
	args := []string{"--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--complete-insert",
		"--no-tablespaces", "--comments", "--skip-dump-date", "--max-allowed-packet=1G"}
	if !strings.Contains(version, "MariaDB") { // MySQL's own: nothing that a load needs more rights for, or other servers lack
		args = append(args, "--set-gtid-purged=OFF", "--loose-column-statistics=0")
	}
	t, err := m.dumper(append(append(args, m.extra...), "--", m.name)...)
	if err != nil {
		return err
	}
	collation, err := m.query(ctx, m.name, mysqlCollation)
	if err != nil {
		return fmt.Errorf("ask for the collation of the database %q: %w", m.name, err)
	}
	if _, err := fmt.Fprintf(w, "%s;\n", collation); err != nil {
		return err
	}
	last := &trailer{w: w}
	if err := t.dump(ctx, last); err != nil {
		return err
	}
	return t.error(last.check(), "")
}

// trailer looks for the line that ends a whole dump, as these programs have been seen to end early with status 0.
type trailer struct {
	w    io.Writer
	tail []byte
}

// completed begins the last line; a date may follow.
const completed = "-- Dump completed"

const tailSize = 256

func (t *trailer) Write(b []byte) (int, error) {
	t.tail = append(t.tail, b[max(0, len(b)-tailSize):]...)
	t.tail = append(t.tail[:0], t.tail[max(0, len(t.tail)-tailSize):]...)
	return t.w.Write(b)
}

func (t *trailer) check() error {
	last := bytes.TrimRight(t.tail, "\r\n")
	if last = last[bytes.LastIndexByte(last, '\n')+1:]; !bytes.HasPrefix(last, []byte(completed)) {
		return fmt.Errorf("it ended with status 0, but its last line is not %q, so the dump may lack something", completed)
	}
	return nil
}

// Load: in binary mode neither bytes nor commands of the client, of which some run programs, are interpreted in the dump.
func (m *mysql) Load(ctx context.Context, r io.Reader) error {
	if err := m.selected(); err != nil {
		return err
	}
	t, err := m.client("--binary-mode", "--max-allowed-packet=1G", "--", m.name)
	if err != nil {
		return err
	}
	return t.load(ctx, r)
}
