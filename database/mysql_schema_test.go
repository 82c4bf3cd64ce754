//go:build linux

package database

// mysqlSchema has a table of every common type, and of every other kind of thing that a database can hold. @every is to have every byte.
const mysqlSchema = `
SET sql_mode = '';
CREATE TABLE numbers (
	id bigint unsigned AUTO_INCREMENT PRIMARY KEY, t tinyint, s smallint unsigned, m mediumint, i int ZEROFILL, b bigint, yes boolean,
	d decimal(65,30), n decimal(5,2), f float, g double, bits bit(9), bits64 bit(64), hidden int INVISIBLE DEFAULT 7,
	twice int AS (s * 2) STORED, next int AS (s + 1) VIRTUAL, CHECK (t < 127)
) AUTO_INCREMENT = 1000;
INSERT INTO numbers (id, t, s, m, i, b, yes, d, n, f, g, bits, bits64, hidden) VALUES
	(0, -128, 65535, -8388608, 42, -9223372036854775808, true, '12345678901234567890123456789012345.123456789012345678901234567890', -999.99,
	 1.5e-10, 2.2250738585072014e-308, b'101010101', ~0, 9),
	(18446744073709551614, 0, 0, 8388607, 0, 9223372036854775807, false, 0, 0.01, -0.0, 1.7976931348623157e308, b'0', 0, NULL),
	(7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1/3, NULL, NULL, 8);
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
INSERT INTO numbers (id) VALUES (0);
SET sql_mode = '';

CREATE TABLE times (
	id int PRIMARY KEY, d date, t time(6), dt datetime(6), ts timestamp(6) NULL, y year, made timestamp DEFAULT current_timestamp ON UPDATE current_timestamp
);
SET time_zone = '+00:00';
INSERT INTO times VALUES (1, '0000-00-00', '-838:59:59.999999', '0000-00-00 00:00:00', '2024-10-27 00:30:00.123456', 1901, '2024-01-01'),
	(2, '9999-12-31', '00:00:00.000001', '9999-12-31 23:59:59.999999', '2024-10-27 01:30:00.654321', 2155, '2024-01-01'),
	(3, '2024-02-00', NULL, '1000-01-01', '1970-01-01 00:00:01', 0, '2038-01-19 03:14:07');
SET time_zone = 'SYSTEM';

CREATE TABLE texts (
	id int PRIMARY KEY, c char(10), v varchar(200), bin char(20) COLLATE utf8mb4_bin, tiny tinytext, l longtext, latin varchar(20) CHARACTER SET latin1,
	ucs varchar(20) CHARACTER SET ucs2, e enum('', 'a', 'O''Neil', 'ä;--', '"'), s set('x', 'y"', 'z z'), j json, FULLTEXT (l)
) CHARACTER SET utf8mb4;
INSERT INTO texts VALUES (1, 'a ', 'quotes '' " \\ \n \r\n \t \0 \Z % _ end', 'Größe', '🦊🏳️‍🌈', '日本語 ﷽', 'grüß', '€', 'O''Neil', 'x,z z', '{"a": [1, 2.50, "\\u00e9 \\"x\\""], "🦊": null}'),
	(2, '', '-- no comment; /* nor this */ DELIMITER // \\! ls', '', '', REPEAT('x;\n', 5000), '', '', '', '', '[]'),
	(3, NULL, 'DELIMITER ;;\n-- Dump completed\n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE bytes (id int PRIMARY KEY, fixed binary(4), v varbinary(256), b blob, l longblob, u uuid, i inet6, g geometry, p point, poly polygon);
INSERT INTO bytes VALUES (1, x'00', x'', @every, NULL, '123e4567-e89b-12d3-a456-426655440000', '2001:db8::1', POINT(1.5, -2), POINT(0, 0),
	ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))')), (2, NULL, @every, '', REPEAT(@every, 8000), NULL, NULL, NULL, NULL, NULL);

CREATE TABLE ` + "`odd ``name``, -- \"ü\"`" + ` (` + "`a b`" + ` int PRIMARY KEY, ` + "`%; '`" + ` text);
INSERT INTO ` + "`odd ``name``, -- \"ü\"`" + ` VALUES (1, 'x'), (2, NULL);
CREATE TABLE customer (id int PRIMARY KEY, name varchar(100) NOT NULL UNIQUE) CHARACTER SET utf8mb4;
CREATE TABLE a_order (id int PRIMARY KEY, customer int NOT NULL, before_it int, CONSTRAINT has_customer FOREIGN KEY (customer) REFERENCES customer (id) ON DELETE CASCADE,
	FOREIGN KEY (before_it) REFERENCES a_order (id));
INSERT INTO customer VALUES (1, 'Ärzte'), (2, 'x');
INSERT INTO a_order VALUES (1, 1, NULL), (2, 2, 1);
CREATE TABLE audit (id int AUTO_INCREMENT PRIMARY KEY, what text) ENGINE = MyISAM CHARACTER SET utf8mb4 COMMENT 'it''s "kept"; ü';
CREATE TABLE aria (id int) ENGINE = Aria;
INSERT INTO aria SELECT seq FROM seq_1_to_1000;
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (YEAR(at)) (PARTITION old VALUES LESS THAN (2020), PARTITION new VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1, '2019-01-01'), (2, '2024-01-01');
CREATE TABLE versioned (id int) WITH SYSTEM VERSIONING;
INSERT INTO versioned VALUES (1), (2);
UPDATE versioned SET id = 3 WHERE id = 2;
CREATE TABLE empty (id int);
CREATE SEQUENCE counter START WITH 5 INCREMENT BY 3 NOCACHE;
DO NEXTVAL(counter);

CREATE VIEW b_view AS SELECT c.name, o.id, 'ü;' AS note FROM customer c JOIN a_order o ON o.customer = c.id;
CREATE VIEW a_view AS SELECT COUNT(*) AS n FROM b_view;
DELIMITER //
CREATE TRIGGER audited AFTER UPDATE ON customer FOR EACH ROW
BEGIN
	INSERT INTO audit (what) VALUES (CONCAT(OLD.name, ' → ', NEW.name, '; "ü"'));
END//
CREATE FUNCTION shout(word varchar(20)) RETURNS varchar(21) DETERMINISTIC COMMENT 'it''s'
BEGIN
	-- a comment; with a semicolon
	RETURN CONCAT(UPPER(word), '!');
END//
CREATE PROCEDURE rename_customer(IN one int, IN name varchar(100)) UPDATE customer c SET c.name = name WHERE id = one//
DELIMITER ;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' COMMENT 'ü' DO DELETE FROM audit;
CALL rename_customer(2, 'y');
`
