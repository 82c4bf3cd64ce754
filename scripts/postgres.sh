#!/usr/bin/env bash
# Backs up and restores a real PostgreSQL database of more than 100 MB with dbbackup, and compares the two: every
# table by the number and a checksum of its rows, and all of it by the diff of two dumps. Exits with 1 at
# the first difference.
#
# The server is this script's own: a new cluster in a temporary directory, reached by a socket there, as
# user postgres if this is root. It is stopped by its process id at the end. No other server is
# touched. Needs go and what scripts/tools.sh installs.
#
# On pipes. A pipe tells its reader that the writer has ended, not how. When pg_dump fails midway,
# "pg_dump | dbbackup backup" commits what there is, and "set -o pipefail" only makes the shell say so
# later. So in a shell: look at pg_dump's own status, and delete the snapshot when it is not 0, as
# backup() does below. Programs use the library's CreateFunc, where a failed producer commits nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -1) || true
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb)") || { echo "postgres: there is no PostgreSQL: run scripts/tools.sh" >&2; exit 1; }
PATH=$bin:$PATH

work=$(mktemp -d)
chmod 755 "$work" # user postgres must get to its directory
server=

clean() {
	if [ -n "$server" ]; then
		kill -INT "$server" 2>/dev/null || true # "fast": ends the sessions
		for _ in $(seq 100); do
			kill -0 "$server" 2>/dev/null || break
			sleep 0.1
		done
	fi
	rm -rf "$work"
}
trap clean EXIT

fail() { echo "postgres: FAILED: $*" >&2; exit 1; }

# as_owner runs a command as who may run a server, which root may not.
as_owner() {
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start_server() {
	mkdir "$work/pg"
	if [ "$(id -u)" = 0 ]; then chown postgres "$work/pg"; fi
	as_owner initdb -D "$work/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$work/initdb.log"
	as_owner pg_ctl -D "$work/pg/data" -l "$work/pg/log" -w \
		-o "-c listen_addresses='' -c unix_socket_directories='$work/pg' -c fsync=off -c max_wal_size=4GB" start >/dev/null
	server=$(as_owner head -1 "$work/pg/data/postmaster.pid")
	export PGHOST=$work/pg PGUSER=postgres PGOPTIONS="-c client_min_messages=warning"
}

load() {
	createdb shop
	psql -q -v ON_ERROR_STOP=1 shop <<'SQL'
CREATE TYPE state AS ENUM ('open', 'paid', 'sent', 'zurückgeschickt');
CREATE TABLE customer (
	id uuid PRIMARY KEY, name text NOT NULL, email text UNIQUE, born date, tags text[], settings jsonb,
	credit numeric(30,10), seen timestamptz, state state, note text
);
INSERT INTO customer SELECT
	md5('customer' || i)::uuid,
	(ARRAY['Ada', 'Björn', 'Chloé', 'Дмитрий', '明', 'شيرين', '🦊'])[1 + i % 7] || ' ' || i,
	nullif('c' || i || '@example.com', 'c7@example.com'),
	date '1950-01-01' + i % 20000,
	CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN ARRAY['a"b', 'c,d', NULL] ELSE ARRAY[E'tab\there', E'\\', ''] END,
	jsonb_build_object('n', i, 'deep', jsonb_build_array(NULL, true, i / 7.0, 'ü' || chr(1 + i % 30))),
	CASE WHEN i % 1000 = 0 THEN 'NaN' ELSE (i * 1234567.0000000891) END,
	CASE i % 5000 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE timestamptz '2020-02-29 23:59:59.999999+14' + i * interval '1 minute 1 microsecond' END,
	(enum_range(NULL::state))[1 + i % 4],
	CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE E'two\nlines \\. and \\N \r' END
FROM generate_series(1, 100000) i;

CREATE TABLE orders (
	id bigserial PRIMARY KEY, customer uuid REFERENCES customer, at timestamptz NOT NULL, cents bigint, vat float8,
	gross numeric GENERATED ALWAYS AS (cents * 1.19) STORED, lines int[][], span tstzrange, ip inet, took interval, bits bit varying(20)
);
INSERT INTO orders (customer, at, cents, vat, lines, span, ip, took, bits) SELECT
	md5('customer' || 1 + i % 100000)::uuid, timestamptz '2024-01-01Z' + i * interval '37 seconds', i::bigint * 7919 % 1000003,
	CASE i % 9999 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE sqrt(i) END, ARRAY[[i, i % 10], [NULL, 2]],
	tstzrange(timestamptz '2024-01-01Z', timestamptz '2024-01-01Z' + i * interval '1 second'), ('10.0.0.0'::inet + i % 65536),
	i * interval '1 second 1 day', (i % 1024)::bit(10)
FROM generate_series(1, 500000) i;
CREATE INDEX ON orders (customer, at DESC);

CREATE TABLE image (id int PRIMARY KEY, data bytea, digest bytea GENERATED ALWAYS AS (sha256(data)) STORED);
INSERT INTO image SELECT i, CASE WHEN i % 100 = 0 THEN '' ELSE (SELECT string_agg(sha256((i * 10000 + j)::text::bytea), '') FROM generate_series(1, 200 + i % 300) j) END
FROM generate_series(1, 3000) i;

CREATE SCHEMA "Ärger; -- mit Namen";
CREATE TABLE "Ärger; -- mit Namen"."a ""b""" ("Größe" text, nothing text);
INSERT INTO "Ärger; -- mit Namen"."a ""b""" VALUES (repeat('langer Text ', 500000), NULL);
CREATE TABLE empty (id int);
CREATE VIEW totals AS SELECT customer, sum(cents) AS cents FROM orders GROUP BY customer;
CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 100000), 'hex')) \g /dev/null
SELECT nextval('orders_id_seq') FROM generate_series(1, 41) \g /dev/null
SQL
}

# backup NAME COMMAND…: pipes what the command writes to a snapshot, and prints its ID; without one if the command fails.
backup() {
	local name=$1 status=(0 0)
	shift
	"$@" | "$work/dbbackup" backup --name "$name" --ext .sql >"$work/id" || status=("${PIPESTATUS[@]}")
	[ "${status[1]}" = 0 ] || return 1
	if [ "${status[0]}" != 0 ]; then
		"$work/dbbackup" delete "$(tail -1 "$work/id")"
		return 1
	fi
	tail -1 "$work/id"
}

# checksums DATABASE: one line for each table, and what else there is.
checksums() {
	psql -qAt -v ON_ERROR_STOP=1 "$1" <<'SQL'
SELECT format('SELECT %L, count(*), md5(string_agg(md5(t::text), '''' ORDER BY md5(t::text))) FROM %s t;', c.oid::regclass, c.oid::regclass)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1 \gexec
SELECT 'large object', loid, md5(lo_get(loid)) FROM (SELECT oid AS loid FROM pg_largeobject_metadata) o ORDER BY 2;
SELECT 'sequence', sequencename, last_value FROM pg_sequences ORDER BY 2;
SQL
}

# dump DATABASE: pg_dump without the random token that newer versions write.
dump() { pg_dump "$1" | sed -E '/^\\(un)?restrict /d'; }

go build -o "$work/dbbackup" ./examples/dbbackup
start_server
echo "ok server: $(postgres --version), process $server"
load
bytes=$(psql -qAt shop -c 'SELECT pg_database_size(current_database())')
[ "$bytes" -ge 100000000 ] || fail "the database has only $bytes bytes"
echo "ok loaded: $((bytes / 1000000)) MB"

export BACKUP_VOLUME=file://$work/volume
unset BACKUP_COMPRESSION BACKUP_COMPRESSION_LEVEL BACKUP_ENCRYPTION BACKUP_ENCRYPTION_OLD_KEYS
key=$("$work/dbbackup" keygen 2>/dev/null)
export "${key?}"

id=$(backup shop pg_dump shop) || fail "no snapshot of pg_dump"
echo "ok backed up as $id:"
"$work/dbbackup" show "$id" | sed -n 's/^size/   size/p'

# Not a byte reaches psql before all of the snapshot is verified.
createdb restored
"$work/dbbackup" restore --verify-first "$id" | psql -q -v ON_ERROR_STOP=1 restored >/dev/null
echo "ok restored"

checksums shop >"$work/sums.shop"
checksums restored >"$work/sums.restored"
diff "$work/sums.shop" "$work/sums.restored" || fail "the checksums differ"
[ "$(wc -l <"$work/sums.shop")" = 8 ] || fail "not everything was compared: $(cat "$work/sums.shop")"
echo "ok the same in both databases (rows, checksum):"
sed 's/^/   /' "$work/sums.shop"

cmp <(dump shop) <(dump restored) || fail "dumps of the two databases differ"
echo "ok dumps of both databases are identical: $(dump shop | wc -c) bytes"

# What the note on pipes says.
failing() { pg_dump --schema-only shop; return 3; }
failing | "$work/dbbackup" backup --name broken >/dev/null || true
[ "$("$work/dbbackup" list --name broken | wc -l)" = 1 ] || fail "a failing producer was noticed: the note on pipes is wrong"
id=$("$work/dbbackup" list --name broken | cut -d' ' -f1)
"$work/dbbackup" delete "$id"
if backup broken failing; then fail "backup() did not notice a failing producer"; fi
[ -z "$("$work/dbbackup" list --name broken)" ] || fail "backup() left a snapshot of a failing producer"
echo "ok a failing dump leaves no snapshot when its status is looked at"
