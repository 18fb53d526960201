CREATE SCHEMA ops;
SET search_path = ops;
CREATE TYPE event_kind AS ENUM ('Loaded', 'sailed', 'LOST; -- "x"');

CREATE TABLE ports (code char(5) PRIMARY KEY, "Port Name" text, position_ point, depths real[]);
INSERT INTO ports SELECT 'P' || i, 'Port Nº ' || i, point(i, -i), ARRAY[i, i / 3.0]::real[] FROM generate_series(1, 12) AS i;

-- Partitioned, with a key of two columns; reserved words as columns.
CREATE TABLE legs (
    leg_no integer NOT NULL,
    departs date NOT NULL,
    "from" char(5),
    "to" char(5),
    ship text,
    PRIMARY KEY (leg_no, departs)
) PARTITION BY RANGE (departs);
CREATE TABLE legs_2024 PARTITION OF legs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE legs_2025 PARTITION OF legs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO legs
SELECT 1 + i % 17, date '2024-10-01' + i * 5, 'P' || 1 + i % 13, CASE WHEN i % 9 > 0 THEN 'P' || 1 + i * 7 % 12 END,
    (ARRAY['Ever`Given', 'Titanic', 'Mærsk'])[1 + i % 3]
FROM generate_series(1, 60) AS i;

-- No primary key; the unique index over NOT NULL columns serves as one.
CREATE TABLE containers ("Serial No" text NOT NULL UNIQUE, tare numeric(8, 2), owner_code text);
INSERT INTO containers SELECT 'C-' || i, 2000 + i / 4.0, CASE WHEN i % 3 > 0 THEN 'own' || i % 4 END FROM generate_series(1, 30) AS i;

CREATE TABLE bookings (
    booking_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial text,
    leg_no integer,
    departs date,
    slot smallint,
    weight numeric(12, 3)
);
INSERT INTO bookings (serial, leg_no, departs, slot, weight)
SELECT 'C-' || 1 + i % 33, leg_no, CASE WHEN i % 8 > 0 THEN departs ELSE departs + 1 END, i % 5, i * 1.125
FROM (SELECT *, row_number() OVER (ORDER BY departs, leg_no) AS i FROM legs) AS numbered;

-- No key at all, and the same row twice.
CREATE TABLE events (leg_no integer, kind event_kind, note text);
INSERT INTO events SELECT 1 + i % 20, (enum_range(NULL::event_kind))[1 + i % 3], 'note ' || i % 4 FROM generate_series(1, 50) AS i;
INSERT INTO events SELECT * FROM events LIMIT 5;

CREATE TABLE transfers (serial text, port char(5), moved_at timestamptz, crane integer);
INSERT INTO transfers
SELECT 'C-' || 1 + i % 32, 'P' || 1 + i % 14, timestamptz '2025-06-01 00:00+02' + i * interval '3 hours', NULLIF(i % 4, 0)
FROM generate_series(1, 40) AS i;
