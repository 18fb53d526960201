INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'crm', 'crm');

INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (1, 'customers', 'Customer');
