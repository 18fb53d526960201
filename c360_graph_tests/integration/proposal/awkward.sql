-- What a catalog can hold besides plain tables that refer to each other.
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.regions (id integer PRIMARY KEY);

-- Partitioned, with a key of two columns, and referred to by both.
CREATE TABLE legs (leg_no integer, departs date, PRIMARY KEY (leg_no, departs)) PARTITION BY RANGE (departs);
CREATE TABLE legs_2024 PARTITION OF legs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE legs_2025 PARTITION OF legs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE bookings (
    id integer PRIMARY KEY,
    leg_no integer NOT NULL,
    departs date NOT NULL,
    region_id integer REFERENCES elsewhere.regions,
    FOREIGN KEY (leg_no, departs) REFERENCES legs
);

-- A foreign key of a partitioned table is one, whatever its partitions have.
CREATE TABLE calls (leg_no integer, departs date, made_at date, FOREIGN KEY (leg_no, departs) REFERENCES legs)
PARTITION BY RANGE (made_at);
CREATE TABLE calls_2025 PARTITION OF calls FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

CREATE TABLE "Über ""Crew""; --" (
    "select" integer PRIMARY KEY,
    "from" integer REFERENCES "Über ""Crew""; --",
    "it's %s :x \ $1" integer REFERENCES "Über ""Crew""; --"
);
CREATE VIEW busy_legs AS SELECT leg_no FROM legs;
CREATE MATERIALIZED VIEW leg_counts AS SELECT count(*) FROM legs;
CREATE TABLE vehicles (id integer PRIMARY KEY);
CREATE TABLE trucks (axles integer) INHERITS (vehicles);
-- Named as the statement that compares values could name its own.
CREATE TABLE sampled (value uuid PRIMARY KEY, "t%s" uuid);
CREATE TABLE t (id integer PRIMARY KEY, more text, sampled_value uuid, "x%s_sampled_value" uuid NOT NULL);
INSERT INTO sampled SELECT gen_random_uuid() FROM generate_series(1, 9);
INSERT INTO t SELECT row_number() OVER (), NULL, value, value FROM sampled;
CREATE TABLE alembic_version (version_num text PRIMARY KEY);

-- Large enough to be sampled by pages; nothing but values says what its columns hold.
CREATE TABLE contacts (id bigint PRIMARY KEY, one text, two text, three text, four text, five jsonb);
INSERT INTO contacts
SELECT i, 'private.person' || i || '@mail.example', '198.51.' || i / 250 % 250 || '.' || i % 250,
    '+49 171 ' || 1000000 + i, 'note ' || i,
    jsonb_build_object('to', 'secret.person' || i || '@mail.example')
FROM generate_series(1, 60000) AS i;
ANALYZE contacts;
