CREATE TABLE customers (id integer PRIMARY KEY, email text, boss integer, secret text);
INSERT INTO customers SELECT i, 'c' || i || '@x', NULLIF(i / 2, 0), 'hidden' FROM generate_series(1, 9) AS i;
CREATE TABLE orders (id integer PRIMARY KEY, customer integer, customer_text text, secret text);
INSERT INTO orders SELECT i, 1 + i % 12, i::text, 'hidden' FROM generate_series(1, 20) AS i;
