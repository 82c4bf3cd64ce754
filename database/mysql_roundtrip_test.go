//go:build linux

package database

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// shop is a database with everything in it.
func (s *mariaDB) shop(t *testing.T, name string) Server {
	t.Helper()
	db := s.fresh(t, name)
	s.sql(t, name, "ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german1_ci")
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	s.sql(t, name, fmt.Sprintf("SET @every = x'%x';\n", every)+mysqlSchema)
	return db
}

// state has a checksum of each table, and what the other things do.
func (s *mariaDB) state(t *testing.T, db string) string {
	t.Helper()
	tables := s.sql(t, db, "SELECT CONCAT('`', REPLACE(table_name, '`', '``'), '`') FROM information_schema.tables WHERE table_schema = DATABASE() "+
		"AND table_type IN ('BASE TABLE', 'SEQUENCE') ORDER BY table_name") // not the versioned one: its rows say when they were written
	if n := strings.Count(tables, "\n") + 1; n != 12 {
		t.Fatalf("%s has %d tables: %s", db, n, tables)
	}
	sums := s.sql(t, db, "CHECKSUM TABLE "+strings.ReplaceAll(tables, "\n", ", ")+" EXTENDED")
	if strings.Contains(sums, "NULL") {
		t.Fatalf("a table has no checksum: %s", sums)
	}
	return strings.ReplaceAll(sums, db+".", "") + "\n" + s.sql(t, db, `
		SELECT 'numbers', id, d, HEX(g), HEX(bits64), hidden, twice, next FROM numbers ORDER BY id;
		SELECT 'times', id, d, t, dt, UNIX_TIMESTAMP(ts), y, UNIX_TIMESTAMP(made) FROM times ORDER BY id;
		SELECT 'texts', id, HEX(c), SHA2(v, 256), SHA2(l, 256), HEX(latin), HEX(ucs), e + 0, s + 0, HEX(j) FROM texts ORDER BY id;
		SELECT 'bytes', id, HEX(fixed), SHA2(v, 256), SHA2(b, 256), SHA2(l, 256), u, i, ST_AsText(g), ST_AsText(poly) FROM bytes ORDER BY id;
		SELECT 'versioned', id FROM versioned ORDER BY id; SELECT 'view', n FROM a_view; SELECT * FROM b_view ORDER BY id; SELECT 'function', shout('größe'), NEXTVAL(counter);
		UPDATE customer SET name = 'triggered' WHERE id = 1; SELECT what FROM audit ORDER BY id;
		SELECT event_name, event_definition, starts, status FROM information_schema.events WHERE event_schema = DATABASE();
		SELECT @@character_set_database, @@collation_database;
		INSERT INTO aria VALUES (LAST_INSERT_ID());`)
}

func testMySQLRoundTrip(t *testing.T, s *mariaDB) {
	source := s.shop(t, "shop_a")
	dump := dumpOf(t, source)
	if !utf8.ValidString(dump) {
		t.Error("the dump is no text")
	}
	restored := s.fresh(t, "shop_b")
	// TIMESTAMPs do not depend on the zones of the servers.
	s.sql(t, "", "SET GLOBAL time_zone = '-07:00'")
	err := restored.Load(t.Context(), strings.NewReader(dump))
	s.sql(t, "", "SET GLOBAL time_zone = SYSTEM")
	if err != nil {
		t.Fatal(err)
	}
	if again := strings.ReplaceAll(dumpOf(t, restored), "shop_b", "shop_a"); again != dump {
		t.Errorf("the restored database is dumped otherwise: %s", firstDifference(again, dump))
	}
	want, got := s.state(t, "shop_a"), s.state(t, "shop_b")
	if got != want {
		t.Errorf("the restored database differs: %s", firstDifference(got, want))
	}
	// Over what is there.
	if err := restored.Load(t.Context(), strings.NewReader(dump)); err != nil {
		t.Fatal(err)
	}
	if got := s.state(t, "shop_b"); got != want {
		t.Errorf("the database loaded again differs: %s", firstDifference(got, want))
	}
}

// What versioned tables held before is dumped on demand.
func testMySQLArgs(t *testing.T, s *mariaDB) {
	for args, want := range map[string]string{"": "3", "--dump-history": "4", "--ignore-table=shop_a.versioned": "0"} {
		db, err := MySQL(s.URL, &MySQLOptions{Args: strings.Fields(args)})
		if err != nil {
			t.Fatal(err)
		}
		restored := s.fresh(t, "shop_b")
		s.sql(t, "shop_b", "CREATE TABLE versioned (id int) WITH SYSTEM VERSIONING")
		if err := restored.Load(t.Context(), strings.NewReader(dumpOf(t, db.Select("shop_a")))); err != nil {
			t.Fatal(err)
		}
		got := s.sql(t, "shop_b", "SELECT (SELECT COUNT(*) FROM versioned FOR SYSTEM_TIME ALL) + (SELECT COUNT(*) FROM versioned WHERE id = 3)")
		if got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(got, want string) string {
	w := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(w) || line != w[i] {
			return fmt.Sprintf("line %d is %.300q, want %.300q", i+1, line, w[min(i, len(w)-1)])
		}
	}
	return fmt.Sprintf("%d bytes, want %d", len(got), len(want))
}
