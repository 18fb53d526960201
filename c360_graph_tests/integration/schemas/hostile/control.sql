INSERT INTO source_databases (source_name, db_name, db_schema) VALUES ('so`ur"ce \u0060; //', 'bad', 'sch"ema; --');
INSERT INTO node_label_mappings (table_name, node_label) VALUES
    ('ta`ble " \u0060) DETACH DELETE (n', 'La`bel\u0060) DETACH DELETE n //');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition, junction_table, from_alias) VALUES
    ('TY``PE\u0060]->() //', 'La`bel\u0060) DETACH DELETE n //', 'La`bel\u0060) DETACH DELETE n //',
     'f."ref ''; //" = t."i`d\u0060"', NULL, 'f'),
    (E'li\nnk\\u0060"', 'La`bel\u0060) DETACH DELETE n //', 'La`bel\u0060) DETACH DELETE n //',
     'f."i`d\u0060" = "L"."a``" AND "L"."b\\u0060" = t."i`d\u0060"', E'li/nk..\nx', 'f'),
    ('NEVER', 'La`bel\u0060) DETACH DELETE n //', 'La`bel\u0060) DETACH DELETE n //',
     'f.x = t.y}) DETACH DELETE a //', NULL, NULL);
