//go:build linux

package database

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/databasement/backup/internal/dbserver"
)

// postgresThings has one of each kind of thing that a database can hold. All types with many rows are in internal/integration/database.
const postgresThings = `
CREATE TYPE state AS ENUM ('open', 'zurückgeschickt');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SCHEMA "Ärger; -- ""mit"" Namen";
CREATE TABLE "Ärger; -- ""mit"" Namen"."a 'b'" ("Größe" text DEFAULT E'\\.');
INSERT INTO "Ärger; -- ""mit"" Namen"."a 'b'" VALUES (E'two\nlines\t\\N'), (NULL), (''), (DEFAULT);
CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n positive, s state, data bytea, j jsonb, a text[],
	f float8, at timestamptz, twice int GENERATED ALWAYS AS (n * 2) STORED);
INSERT INTO thing (n, s, data, j, a, f, at) SELECT i, 'zurückgeschickt', decode('00ff5c0a', 'hex'), '{"ü": [1, null]}', ARRAY['a"b', NULL],
	CASE i WHEN 7 THEN 'NaN' ELSE sqrt(i) END, 'infinity' FROM generate_series(1, 500) i;
CREATE TABLE part (thing int REFERENCES thing, at date) PARTITION BY RANGE (at);
CREATE TABLE part_old PARTITION OF part FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part SELECT id, date '2019-12-01' + id FROM thing;
CREATE INDEX ON part (at);
CREATE TABLE audit (id bigserial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN INSERT INTO audit (what) VALUES (TG_OP || '$x$'';'); RETURN NEW; END $body$;
CREATE TRIGGER noted AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO thing (n) VALUES (1);
CREATE TABLE line (n serial, x text);
INSERT INTO line (x) SELECT unnest(ARRAY['--', '-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -', '--', '', 'BEGIN;', 'COMMIT;', '\.', 'it''s $x$']);
ALTER TABLE line DROP COLUMN n;
CREATE PROCEDURE finish() LANGUAGE plpgsql AS $$
BEGIN
-- Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -
COMMIT;
END $$;
CREATE VIEW seen AS SELECT id, note FROM (SELECT id, s AS note FROM thing) x;
CREATE MATERIALIZED VIEW counted AS SELECT s, count(*) FROM thing GROUP BY s;
CREATE RULE kept AS ON DELETE TO audit DO INSTEAD NOTHING;
SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 1000), 'hex'));
COMMENT ON TABLE thing IS E'one\n\\! echo two; -- ''three''';
`

// restrictKey is drawn for each plain dump.
var restrictKey = regexp.MustCompile(`(?m)^\\(un)?restrict .*$`)

func testPostgresRoundTrip(t *testing.T, s *dbserver.Server) {
	source := ready(t, s, "source", "")
	source.must(t, postgresThings)
	plain := func(db *postgres) string {
		return restrictKey.ReplaceAllString(string(dumped(t, at(t, s, db.name, PostgresPlain))), "")
	}
	want := plain(source)
	for _, format := range []PostgresFormat{PostgresPlain, PostgresCustom} {
		dump := dumped(t, at(t, s, "source", format))
		loaded := at(t, s, "loaded", format)
		if err := loaded.Prepare(t.Context(), DropAndCreate); err != nil {
			t.Fatal(err)
		}
		damaged := errors.New("damaged")
		for state, change := range map[string]string{
			"as it was": "SELECT 1", "older": "DELETE FROM part; UPDATE thing SET n = 5; DROP VIEW seen; ALTER TABLE thing DROP COLUMN s CASCADE; SELECT lo_unlink(4711)",
		} {
			if err := loaded.Load(t.Context(), bytes.NewReader(dump)); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			loaded.must(t, change)
			before := plain(loaded)
			late := readerFunc(func([]byte) (int, error) { time.Sleep(200 * time.Millisecond); return 0, damaged })
			if err := loaded.Load(t.Context(), io.MultiReader(bytes.NewReader(dump), late)); !errors.Is(err, damaged) {
				t.Errorf("%s, %s: %v", format, state, err)
			}
			if plain(loaded) != before {
				t.Errorf("%s, %s: a load that failed has changed the database", format, state)
			}
			if err := loaded.Load(t.Context(), bytes.NewReader(dump)); err != nil {
				t.Fatalf("%s, %s: %v", format, state, err)
			}
			if got := plain(loaded); got != want {
				t.Errorf("%s, %s: the dump of what was loaded has %d bytes and differs from the original's %d", format, state, len(got), len(want))
			}
		}
		loaded.must(t, "CREATE VIEW in_the_way AS SELECT at FROM part")
		before := plain(loaded)
		if err := loaded.Load(t.Context(), bytes.NewReader(dump)); err == nil || !strings.Contains(err.Error(), "in_the_way depends on table public.part") {
			t.Errorf("%s, over what depends on it: %v", format, err)
		}
		if plain(loaded) != before {
			t.Errorf("%s: a load that the server refused has changed the database", format)
		}
	}
}
