INSERT INTO source_databases (source_id, source_name, db_name, db_schema, time_zone) VALUES
    (1, 'ops', 'ops', 'ops', NULL), (2, 'billing', 'billing', 'public', 'Europe/Berlin');

INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (NULL, 'ports', 'Port'), (NULL, 'transfers', 'Transfer'), (1, 'legs', 'Leg'), (1, 'containers', 'Container'),
    (1, 'bookings', 'Booking'), (1, 'events', 'Event'), (2, 'invoices', 'Invoice'), (2, 'owner_totals', 'OwnerTotal');

INSERT INTO relationship_mappings
    (execution_order, source_db, relationship_type, from_label, to_label, join_condition, junction_table, junction_label, from_alias)
VALUES
    (90, 'ops', 'DEPARTS_FROM', 'Leg', 'Port', 'l."from" = p.code', NULL, NULL, NULL),
    (80, 'ops', 'ARRIVES_AT', 'Leg', 'Port', 'l."to" = p.code', NULL, NULL, NULL),
    (70, 'ops', 'CONNECTS_TO', 'Leg', 'Leg', 'one."to" = two."from" AND one.ship = two.ship', NULL, NULL, 'one'),
    (60, 'ops', 'BOOKED_ON', 'Container', 'Leg',
     'c."Serial No" = b.serial AND b.leg_no = legs.leg_no AND legs.departs = b.departs', 'bookings', 'Booking', NULL),
    (50, 'ops', 'ABOUT', 'Event', 'Leg', 'event.leg_no = leg.leg_no', NULL, NULL, NULL),
    (40, 'ops', 'SAME_NOTE', 'Event', 'Event', 'a.note = b.note AND a.kind = b.kind', NULL, NULL, NULL),
    (30, 'ops', 'MOVED_THROUGH', 'Container', 'Port', 'c."Serial No" = t.serial AND t.port = p.code', 'transfers', 'Transfer', NULL),
    (30, 'billing', 'CHARGED_FOR', 'Invoice', 'Port', 'i.id = t.invoice AND t.port = p.code', 'transfers', 'Transfer', NULL),
    (20, 'cross_database', 'BILLS', 'Invoice', 'Container', 'i.container = c."Serial No"', NULL, NULL, NULL),
    (20, 'cross_database', 'OWNED_BY', 'Container', 'OwnerTotal', 'container.owner_code = o.owner_code', NULL, NULL, NULL),
    (10, 'cross_database', 'SAME_PORT', 'Port', 'Port', 'a.code = b.code', NULL, NULL, NULL),
    (10, 'billing', 'BILLED_LIKE', 'Invoice', 'Invoice', 'a.owner_code = b.owner_code AND a.container = b.container', NULL, NULL, NULL);
