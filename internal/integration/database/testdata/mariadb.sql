-- A database with every common type, for MariaDB: @size is set before, and makes about 2 MB each. FLOATs have values that the server prints in full: others lose digits in any dump.
SET NAMES utf8mb4;
SET sql_mode = '';
SET time_zone = '+00:00';

CREATE TABLE customer (
	id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(200) CHARACTER SET utf8mb4 NOT NULL, email varchar(100) UNIQUE, born date,
	tags set('a', 'b', 'ü', 'quo''te'), state enum('open', 'paid', 'zurückgeschickt'), settings json, credit decimal(30,10),
	seen timestamp(6) NULL, made datetime(6), note text, upper_name varchar(200) AS (upper(name)) STORED, len int AS (char_length(name)) VIRTUAL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO customer (name, email, born, tags, state, settings, credit, seen, made, note)
SELECT CONCAT(ELT(1 + seq % 7, 'Ada', 'Björn', 'Chloé', 'Дмитрий', '明', 'شيرين', '🦊'), ' ', seq),
	IF(seq % 11 = 0, NULL, CONCAT('c', seq, '@example.com')), DATE '1950-01-01' + INTERVAL seq % 20000 DAY, seq % 16, 1 + seq % 3,
	JSON_OBJECT('n', seq, 'deep', JSON_ARRAY(NULL, TRUE, seq / 7, 'ü')), seq * 1234567.0000000891,
	FROM_UNIXTIME(1000000000 + seq * 61.000001), TIMESTAMP '2020-02-29 23:59:59.999999' + INTERVAL seq MINUTE,
	CASE seq % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE CONCAT('two\nlines \\ and ''quotes'' "\r\t', CHAR(0), CHAR(26)) END
FROM seq_1_to_1000000 WHERE seq <= 1000 * @size;

CREATE TABLE orders (
	id bigint AUTO_INCREMENT PRIMARY KEY, customer bigint unsigned, at datetime NOT NULL, cents bigint, vat double, small float, tiny tinyint,
	flag bit(10), took time(3), yr year, KEY (customer, at DESC), FOREIGN KEY (customer) REFERENCES customer (id)
) ENGINE=InnoDB;
INSERT INTO orders (customer, at, cents, vat, small, tiny, flag, took, yr)
SELECT 1 + seq % (1000 * @size), TIMESTAMP '2024-01-01 00:00:00' + INTERVAL seq * 37 SECOND, seq * 7919 % 1000003, SQRT(seq), seq % 4000 / 8, CAST(seq % 256 AS SIGNED) - 128,
	seq % 1024, SEC_TO_TIME(seq % 3000000 / 3), 1901 + seq % 255
FROM seq_1_to_10000000 WHERE seq <= 5000 * @size;

CREATE TABLE image (id int PRIMARY KEY, data longblob, hash binary(32), vb varbinary(20)) ENGINE=InnoDB;
INSERT INTO image SELECT seq, IF(seq % 50 = 0, '', REPEAT(UNHEX(SHA2(seq, 512)), 100 + seq % 400)), UNHEX(SHA2(seq, 256)), UNHEX('00FF0A0D1A5C27')
FROM seq_1_to_1000000 WHERE seq <= 30 * @size;
INSERT INTO image VALUES (0, (SELECT GROUP_CONCAT(CHAR(seq) ORDER BY seq SEPARATOR '') FROM seq_0_to_255), NULL, NULL);

CREATE TABLE `Ärger; -- mit "Namen" und ``x``` (`Größe ``y``` longtext CHARACTER SET utf8mb4, nothing int) ENGINE=InnoDB;
INSERT INTO `Ärger; -- mit "Namen" und ``x``` VALUES (REPEAT('langer Text ', 5000 * @size), NULL);
CREATE TABLE rare (
	id int PRIMARY KEY, g geometry, pt point, u uuid, i6 inet6, i4 inet4, d0 date, dt0 datetime, lat varchar(20) CHARACTER SET latin1, c char(3),
	mt mediumtext, mi mediumint unsigned, si smallint, bo boolean, nc nchar(4), ucs varchar(10) CHARACTER SET ucs2
) ENGINE=Aria;
INSERT INTO rare VALUES
	(1, ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))'), POINT(1, 2), UUID(), '2001:db8::1', '10.0.0.1', '0000-00-00', '0000-00-00 00:00:00', 'äöü', 'a',
	'medium', 16777215, -32768, TRUE, 'nü', 'ucs ü'),
	(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE empty (id int) ENGINE=InnoDB;
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 10;
SELECT NEXTVAL(numbers), NEXTVAL(numbers) INTO @a, @b;
CREATE VIEW totals AS SELECT customer, SUM(cents) AS cents FROM orders GROUP BY customer;
CREATE TABLE audit (id bigint AUTO_INCREMENT PRIMARY KEY, what varchar(200)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
DELIMITER //
CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC BEGIN RETURN 2 * n; END//
CREATE PROCEDURE clear_audit() BEGIN DELETE FROM audit; /* Ärger; */ END//
CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW BEGIN INSERT INTO audit (what) VALUES (CONCAT('neu: "Ä"; ', NEW.id)); END//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO BEGIN DELETE FROM audit WHERE id < 0; END//
DELIMITER ;
INSERT INTO orders (customer, at, cents) SELECT customer, at, cents FROM orders ORDER BY id LIMIT 10;
