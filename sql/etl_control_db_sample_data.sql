-- The control rows for the sample databases. Safe to run again: what is there already stays as it is.
--
-- The three sources lie on the control database's own server: host, port, user and password are NULL.

INSERT INTO source_databases
    (source_name, db_host, db_port, db_name, db_user, db_password, is_active)
VALUES
    ('profiles_db', NULL, NULL, 'profiles_db', NULL, NULL, true),
    ('streaming_db', NULL, NULL, 'streaming_db', NULL, NULL, true),
    ('support_db', NULL, NULL, 'support_db', NULL, NULL, true)
ON CONFLICT (source_name) DO NOTHING;

INSERT INTO field_exclusion_rules
    (source_id, table_name, column_name, is_excluded, reason, treatment)
SELECT src.source_id, 'accounts', 'hashed_password', true,
    'Credentials have no analytical use and must never leave profiles_db.', 'exclude'
FROM source_databases AS src
WHERE src.source_name = 'profiles_db'
  AND NOT EXISTS (
      SELECT
      FROM field_exclusion_rules AS old
      WHERE old.source_id = src.source_id
        AND old.table_name = 'accounts'
        AND old.column_name = 'hashed_password'
  );

INSERT INTO node_label_mappings (source_id, table_name, node_label, is_active)
SELECT src.source_id, new.table_name, new.node_label, true
FROM (
    VALUES
        (1, 'profiles_db', 'accounts', 'Account'),
        (2, 'profiles_db', 'plans', 'Plan'),
        (3, 'profiles_db', 'payment_methods', 'PaymentMethod'),
        (4, 'profiles_db', 'subscriptions', 'Subscription'),
        (5, 'streaming_db', 'media_content', 'Media'),
        (6, 'streaming_db', 'play_events', 'PlayEvent'),
        (7, 'support_db', 'tickets', 'Ticket'),
        (8, 'support_db', 'ticket_tags', 'Tag'),
        (9, 'support_db', 'ticket_tag_link', 'TicketTagLink')
) AS new (place, source_name, table_name, node_label)
JOIN source_databases AS src ON src.source_name = new.source_name
WHERE NOT EXISTS (
    SELECT
    FROM node_label_mappings AS old
    WHERE old.table_name = new.table_name
      AND (old.source_id = src.source_id OR old.source_id IS NULL)
)
ORDER BY new.place;

-- source_db names the source whose rows hold the reference. For the two relationships across
-- databases that is the side with the email or the account id: tickets and play events.
INSERT INTO relationship_mappings
    (source_db, relationship_type, from_label, to_label, join_condition,
     junction_table, junction_label, from_alias, to_alias, junction_alias,
     is_active, description, execution_order)
SELECT new.source_db, new.relationship_type, new.from_label, new.to_label, new.join_condition,
    new.junction_table, new.junction_label, new.from_alias, new.to_alias, new.junction_alias,
    true, new.description, new.execution_order
FROM (
    VALUES
        (10, 'profiles_db', 'HAS_PAYMENT_METHOD', 'Account', 'PaymentMethod',
         'a.account_id = pm.account_id',
         NULL, NULL, NULL, NULL, NULL,
         'The cards that an account pays with.'),
        (20, 'profiles_db', 'HAS_SUBSCRIPTION', 'Account', 'Subscription',
         'a.account_id = s.account_id',
         NULL, NULL, NULL, NULL, NULL,
         'The subscriptions that an account has or had.'),
        (30, 'profiles_db', 'SUBSCRIBED_TO', 'Subscription', 'Plan',
         's.plan_id = p.plan_id',
         NULL, NULL, NULL, NULL, NULL,
         'The plan that a subscription is for.'),
        (40, 'streaming_db', 'PLAYED', 'PlayEvent', 'Media',
         'pe.media_id = m.media_id',
         NULL, NULL, NULL, NULL, NULL,
         'What a play event is about.'),
        (50, 'support_db', 'TAGGED_WITH', 'Ticket', 'Tag',
         't.ticket_id = link.ticket_id AND link.tag_id = tag.tag_id',
         'ticket_tag_link', 'TicketTagLink', 't', 'tag', 'link',
         'The tags of a ticket, through the table that links both.'),
        (60, 'support_db', 'SUBMITTED', 'Account', 'Ticket',
         'a.email = t.customer_email',
         NULL, NULL, NULL, NULL, NULL,
         'Across databases: the tickets that were sent from an account''s email address.'),
        (70, 'streaming_db', 'WATCHED', 'Account', 'PlayEvent',
         'a.account_id = pe.account_id_from_token',
         NULL, NULL, NULL, NULL, NULL,
         'Across databases: the play events whose token names the account.')
) AS new (execution_order, source_db, relationship_type, from_label, to_label, join_condition,
          junction_table, junction_label, from_alias, to_alias, junction_alias, description)
WHERE NOT EXISTS (
    SELECT
    FROM relationship_mappings AS old
    WHERE old.relationship_type = new.relationship_type
      AND old.from_label = new.from_label
      AND old.to_label = new.to_label
)
ORDER BY new.execution_order;
