-- One database with a schema for each department, whose foreign keys lead from one to another.
CREATE SCHEMA person;
CREATE SCHEMA sales;
CREATE SCHEMA "Human Resources";
CREATE TABLE person.people (id serial PRIMARY KEY, title text);
CREATE TABLE person.addresses (id serial PRIMARY KEY, city text);
CREATE TABLE "Human Resources".employees (id integer PRIMARY KEY REFERENCES person.people, hired date);
CREATE TABLE sales.customers (
    id serial PRIMARY KEY,
    person_id integer REFERENCES person.people,
    seller_id integer NOT NULL REFERENCES "Human Resources".employees
);
CREATE TABLE sales.orders (
    region integer, no integer, customer_id integer NOT NULL REFERENCES sales.customers, PRIMARY KEY (region, no)
);
CREATE TABLE sales.customer_addresses (
    customer_id integer REFERENCES sales.customers, address_id integer REFERENCES person.addresses,
    PRIMARY KEY (customer_id, address_id)
);
CREATE TABLE "Human Resources".complaints (
    id serial PRIMARY KEY, region integer, no integer, FOREIGN KEY (region, no) REFERENCES sales.orders
);
CREATE SCHEMA unread;
CREATE TABLE unread.notes (id serial PRIMARY KEY);
ALTER TABLE sales.orders ADD note_id integer REFERENCES unread.notes;
INSERT INTO person.people SELECT i, 'title ' || i FROM generate_series(1, 9) AS i;
INSERT INTO person.addresses SELECT i, 'city ' || i FROM generate_series(1, 9) AS i;
INSERT INTO "Human Resources".employees SELECT i, '2025-01-01' FROM generate_series(1, 3) AS i;
INSERT INTO sales.customers SELECT i, i, 1 + i % 3 FROM generate_series(1, 9) AS i;
INSERT INTO sales.orders SELECT i % 2, i, i FROM generate_series(1, 9) AS i;
INSERT INTO sales.customer_addresses SELECT i, i FROM generate_series(1, 9) AS i;
INSERT INTO "Human Resources".complaints SELECT i, i % 2, i FROM generate_series(1, 4) AS i;
