INSERT INTO source_databases (source_id, source_name, db_name, is_active) VALUES (1, 'shop', 'shop', true), (2, 'other', 'other', false);

INSERT INTO field_exclusion_rules (rule_id, source_id, table_name, column_name) VALUES
    (1, 1, 'customers', 'secret'), (3, 1, 'no_such', 'gone');

INSERT INTO node_label_mappings (mapping_id, source_id, table_name, node_label) VALUES
    (1, 1, 'customers', 'Customer'), (2, 1, 'orders', 'Order'), (3, 1, 'no_such', 'Ghost'), (4, 1, 'pg_class', 'Catalog'),
    (5, 1, 'order', ''), (6, 1, 'nodes', '_C360Load'), (7, 2, 'resting', 'Resting');

-- An older table may hold any text here.
ALTER TABLE relationship_mappings ALTER COLUMN execution_order DROP DEFAULT;
ALTER TABLE relationship_mappings ALTER COLUMN execution_order TYPE text;

INSERT INTO relationship_mappings
    (relationship_id, relationship_type, from_label, to_label, join_condition, junction_table, from_alias, execution_order)
VALUES
    (1, 'PLACED', 'Customer', 'Order', 'c.id = orders.customer', NULL, NULL, '2'),
    (2, 'KNOWS', 'Customer', 'Nobody', 'a.id = b.id', NULL, NULL, '1'),
    (3, 'KNOWS', 'Customer', 'Order', 'c.no_such = o.customer', NULL, NULL, '1'),
    (4, 'KNOWS', 'Customer', 'Order', 'customer.secret = o.customer_text', NULL, NULL, '1'),
    (5, 'KNOWS', 'Customer', 'Order', 'c.email = o.customer', NULL, NULL, '1'),
    (6, 'KNOWS', 'Customer', 'Customer', 'a.boss = b.id', NULL, NULL, '1'),
    (7, 'KNOWS', 'Customer', 'Customer', 'a.boss = b.id', NULL, 'x', '1'),
    (8, 'KNOWS', 'Customer', 'Order', 'c.id = orders.customer OR TRUE', NULL, NULL, '1'),
    (9, 'KNOWS', 'Customer', 'Order', 'c.id = (SELECT 1)', NULL, NULL, '1'),
    (10, 'KNOWS', 'Customer', 'Order', 'upper(c.email) = o.customer_text', NULL, NULL, '1'),
    (11, 'KNOWS', 'Customer', 'Order', 'c.id = orders.customer -- and so on', NULL, NULL, '1'),
    (12, 'KNOWS', 'Customer', 'Order', 'c.id = orders.customer; DROP TABLE customers', NULL, NULL, '1'),
    (13, '  ', 'Customer', 'Order', 'c.id = orders.customer', NULL, NULL, '1'),
    (14, 'PLACED', 'Customer', 'Order', 'orders.customer = customers.id', NULL, NULL, '3'),
    (15, 'KNOWS', 'Customer', 'Order', 'c.id = l.a AND l.b = o.id', 'no_such', NULL, '1'),
    (16, 'KNOWS', 'Customer', 'Order', 'c.id = orders.customer', NULL, NULL, 'first'),
    (17, 'NEEDS', 'Customer', 'Resting', 'c.id = r.id', NULL, NULL, '1'),
    (18, 'HAS_BOSS', 'Customer', 'Customer', 'a.boss = b.id', NULL, 'a', '1');
