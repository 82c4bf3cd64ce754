-- A database with every common type, for psql -v size=N: about 2 MB for each of N.
SET client_min_messages = warning;
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
FROM generate_series(1, 1000 * :size) i;

CREATE TABLE orders (
	id bigserial PRIMARY KEY, customer uuid REFERENCES customer, at timestamptz NOT NULL, cents bigint, vat float8,
	gross numeric GENERATED ALWAYS AS (cents * 1.19) STORED, lines int[][], span tstzrange, ip inet, took interval, bits bit varying(20)
);
INSERT INTO orders (customer, at, cents, vat, lines, span, ip, took, bits) SELECT
	md5('customer' || 1 + i % (1000 * :size))::uuid, timestamptz '2024-01-01Z' + i * interval '37 seconds', i::bigint * 7919 % 1000003,
	CASE i % 9999 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE sqrt(i) END, ARRAY[[i, i % 10], [NULL, 2]],
	tstzrange(timestamptz '2024-01-01Z', timestamptz '2024-01-01Z' + i * interval '1 second'), ('10.0.0.0'::inet + i % 65536),
	i * interval '1 second 1 day', (i % 1024)::bit(10)
FROM generate_series(1, 5000 * :size) i;
CREATE INDEX ON orders (customer, at DESC);

CREATE TABLE image (id int PRIMARY KEY, data bytea, digest bytea GENERATED ALWAYS AS (sha256(data)) STORED);
INSERT INTO image SELECT i, CASE WHEN i % 100 = 0 THEN '' ELSE (SELECT string_agg(sha256((i * 10000 + j)::text::bytea), '') FROM generate_series(1, 200 + i % 300) j) END
FROM generate_series(1, 30 * :size) i;

CREATE SCHEMA "Ärger; -- mit Namen";
CREATE TABLE "Ärger; -- mit Namen"."a ""b""" ("Größe" text, nothing text);
INSERT INTO "Ärger; -- mit Namen"."a ""b""" VALUES (repeat('langer Text ', 5000 * :size), NULL);
CREATE TABLE empty (id int);
CREATE VIEW totals AS SELECT customer, sum(cents) AS cents FROM orders GROUP BY customer;
CREATE FUNCTION doubled(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
SELECT lo_from_bytea(4711, decode(repeat('00ff5c0a', 100000), 'hex'));
SELECT nextval('orders_id_seq') FROM generate_series(1, 41);

CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE point3 AS (x float4, y float4, z float4);
CREATE TABLE rare (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n positive, p point3, c char(5), vc varchar(10), sm smallint, r real, m money,
	b boolean, t time, tz timetz, ts timestamp, cidr cidr, mac macaddr, pt point, bx box, cir circle, pol polygon, x xml, j json,
	jp jsonpath, tsv tsvector, tsq tsquery, i4r int4range, nmr nummultirange, u uuid, arr positive[], o oid, "quoted "" name" text
);
INSERT INTO rare (n, p, c, vc, sm, r, m, b, t, tz, ts, cidr, mac, pt, bx, cir, pol, x, j, jp, tsv, tsq, i4r, nmr, u, arr, o, "quoted "" name") VALUES
	(1, (1, 2.5, 'NaN'), 'ab', 'ü€🦊', -32768, 1e-30, 12.34, true, '23:59:59.999999', '00:00+14', 'infinity', '10.0.0.0/8', '08:00:2b:01:02:03',
	'(1,2)', '((0,0),(1,1))', '<(0,0),1>', '((0,0),(1,0),(1,1))', '<a b="c">ä</a>', '{"a": 1, "a": 2}', '$.a[*] ? (@ > 1)', 'a:1 b:2', 'a & !b',
	'[1,5)', '{[1,2),(3,4]}', gen_random_uuid(), '{1,2}', 4711, E'\\ \t ''$$');
INSERT INTO rare (n) VALUES (NULL);
CREATE TABLE measured (at date NOT NULL, value float8) PARTITION BY RANGE (at);
CREATE TABLE measured_2025 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE measured_rest PARTITION OF measured DEFAULT;
INSERT INTO measured SELECT date '2024-06-01' + i, sin(i) FROM generate_series(1, 1000) i;
CREATE MATERIALIZED VIEW monthly AS SELECT date_trunc('month', at) AS month, avg(value) FROM measured GROUP BY 1;
CREATE TABLE audit (id bigserial, what text);
CREATE FUNCTION note_order() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
	INSERT INTO audit (what) VALUES (TG_OP || ' von "Ärger"; $x$ ' || NEW.id);
	RETURN NEW;
END $body$;
CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note_order();
INSERT INTO orders (customer, at, cents) SELECT customer, at, cents FROM orders LIMIT 10;
CREATE PROCEDURE clear_audit() LANGUAGE sql AS 'DELETE FROM audit';
CREATE RULE no_delete AS ON DELETE TO empty DO INSTEAD NOTHING;
COMMENT ON TABLE rare IS E'line one\nline two; -- ''quoted''';
