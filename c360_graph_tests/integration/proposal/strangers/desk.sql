-- A help desk that knows nothing of the shop, but for what its tickets quote.
CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE);
INSERT INTO users (email) SELECT 'agent' || i || '@desk.example' FROM generate_series(1, 50) AS i;

CREATE TABLE tickets (
    id serial PRIMARY KEY,
    user_id integer NOT NULL,
    user_email text,
    user_loyalty_number bigint,
    user_public_uuid_from_token uuid,
    country_code char(2),
    country_name text,
    order_status text,
    calendar_year integer,
    product_id integer,
    product_isbn text,
    product_ref text,
    voucher_uuid uuid
);
INSERT INTO tickets (
    user_id, user_email, user_loyalty_number, user_public_uuid_from_token, country_code, country_name,
    order_status, calendar_year, product_id, product_isbn, product_ref, voucher_uuid
)
SELECT i, 'shopper' || i || '@mail.example', 10000000 + ('x' || substr(md5('account' || i), 1, 6))::bit(24)::integer, md5('u' || i)::uuid,
    chr(65 + i / 6) || chr(65 + i % 26), 'Country ' || i, (ARRAY['open', 'paid', 'sent', 'returned', 'closed'])[1 + i % 5],
    2000 + i % 20, i, upper(substr(md5('isbn' || i), 1, 13)), 'P' || lpad(i::text, 6, '0'),
    ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid
FROM generate_series(1, 50) AS i;

-- Keys of its own that happen to be called as the shop's are.
CREATE TABLE products (product_id integer PRIMARY KEY);
INSERT INTO products SELECT generate_series(1, 80);
CREATE TABLE vouchers (voucher_uuid uuid PRIMARY KEY);
INSERT INTO vouchers SELECT md5('v' || i)::uuid FROM generate_series(1, 60) AS i;
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO countries SELECT chr(65 + i / 6) || chr(65 + i % 26), 'Country ' || i FROM generate_series(1, 60) AS i;
