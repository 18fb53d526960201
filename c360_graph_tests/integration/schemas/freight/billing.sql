CREATE TABLE invoices (id integer PRIMARY KEY, container text, owner_code varchar(10), amount numeric(10, 2), lines json);
INSERT INTO invoices
SELECT i, CASE WHEN i % 6 > 0 THEN 'C-' || 1 + i % 35 END, 'own' || i % 5, i * 10.25, '{"lines": [1,  2]}' FROM generate_series(1, 45) AS i;

-- The same name and the same codes as in ops: another port in the graph, with a key that collides.
CREATE TABLE ports (code char(5) PRIMARY KEY, tariff numeric(6, 2));
INSERT INTO ports SELECT 'P' || i, i * 1.5 FROM generate_series(5, 16) AS i;

CREATE TABLE transfers (invoice integer, port char(5), fee numeric(6, 2));
INSERT INTO transfers SELECT 1 + i % 50, 'P' || 1 + i % 18, i FROM generate_series(1, 36) AS i;

CREATE MATERIALIZED VIEW owner_totals AS
    SELECT owner_code, sum(amount)::numeric(12, 2) AS total FROM invoices GROUP BY owner_code;
