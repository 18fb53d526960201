-- Control rows to start from. Edit, then run on the control database:
--     psql -d etl_control_db -f sql/control_rows.sql
-- `c360 check` says which rows cannot be used and why. `c360 map shop` proposes the rows for tables,
-- columns and joins, so that you need not write them. docs/control-tables.md of c360_graph explains each column.

-- A source. NULL for db_host means the control database's server; NULL for db_port, db_user or db_password
-- then means those of the control database. A password `env:NAME` is read from the variable NAME.
INSERT INTO source_databases
    (source_name, db_host, db_port, db_name, db_user, db_password, db_schema, db_sslmode, time_zone, owner, tags, is_active)
VALUES
    ('shop', 'localhost', 5432, 'shop', 'c360_reader', 'env:SHOP_PASSWORD', 'public', 'prefer', 'UTC', NULL, NULL, true)
ON CONFLICT (source_name) DO NOTHING;

-- A table that becomes nodes. NULL for row_filter reads all rows, NULL for key_columns takes the primary key.
/*
INSERT INTO node_label_mappings
    (source_id, table_name, node_label, row_filter, key_columns, extra_labels, label_column, label_values, owner, tags, is_active)
SELECT source_id, 'customers', 'Customer', 'deleted_at IS NULL', ARRAY['customer_id'], NULL, NULL, NULL, NULL, NULL, true
FROM source_databases WHERE source_name = 'shop';
*/

-- A column that is never read (`exclude`), or read as `mask` or `hash`.
/*
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, is_excluded, treatment, reason)
SELECT source_id, 'customers', 'email', true, 'hash', 'Only joined, never shown.'
FROM source_databases WHERE source_name = 'shop';
*/

-- A join that becomes relationships. For a junction table name it, its label (or NULL) and its alias.
/*
INSERT INTO relationship_mappings
    (source_db, relationship_type, from_label, to_label, join_condition, junction_table, junction_label,
     from_alias, to_alias, junction_alias, relationship_properties, execution_order, description, is_active)
VALUES
    ('shop', 'PLACED', 'Customer', 'Order', 'c.customer_id = o.customer_id', NULL, NULL,
     'c', 'o', NULL, NULL, 10, 'Who placed which order.', true);
*/

-- An identifier by which records of several tables are found to be of one person.
/*
INSERT INTO identity_rules
    (entity_label, source_id, table_name, identifier_kind, column_name, normaliser, min_agreement, comparison, is_active)
SELECT 'Person', source_id, 'customers', 'email', 'email', 'email', NULL, NULL, true
FROM source_databases WHERE source_name = 'shop';
*/
