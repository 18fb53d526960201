-- A shop. Its own numbers run from 1, as those of every other database do.
CREATE TABLE users (
    id serial PRIMARY KEY, email text NOT NULL UNIQUE, loyalty_number bigint NOT NULL UNIQUE,
    public_uuid uuid NOT NULL UNIQUE
);
INSERT INTO users (email, loyalty_number, public_uuid)
SELECT 'shopper' || i || '@mail.example', 10000000 + ('x' || substr(md5('account' || i), 1, 6))::bit(24)::integer, md5('u' || i)::uuid
FROM generate_series(1, 50) AS i;

CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO countries SELECT chr(65 + i / 6) || chr(65 + i % 26), 'Country ' || i FROM generate_series(1, 60) AS i;
CREATE TABLE order_statuses (status text PRIMARY KEY);
INSERT INTO order_statuses VALUES ('open'), ('paid'), ('sent'), ('returned'), ('closed');
CREATE TABLE calendar (year integer PRIMARY KEY);
INSERT INTO calendar SELECT generate_series(1990, 2030);

CREATE TABLE products (product_id integer PRIMARY KEY, isbn text NOT NULL UNIQUE, product_ref text NOT NULL UNIQUE);
INSERT INTO products
SELECT i, upper(substr(md5('isbn' || i), 1, 13)), 'P' || lpad(i::text, 6, '0') FROM generate_series(1, 80) AS i;
CREATE TABLE vouchers (voucher_uuid uuid PRIMARY KEY);
INSERT INTO vouchers SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid FROM generate_series(1, 60) AS i;
