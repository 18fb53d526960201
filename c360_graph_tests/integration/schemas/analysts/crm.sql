CREATE TABLE customers (customer_id int PRIMARY KEY, boss_id int, name text);
INSERT INTO customers VALUES (1, NULL, 'Ann'), (2, 1, 'Bob'), (3, 1, 'Cyd');
