-- Sample data of support_db, written by make_sample_data.py. Safe to run again.
-- E'...' strings hold what plain ones cannot show: control characters, backslashes and
-- letters beyond ASCII.

INSERT INTO ticket_tags
    (tag_id, tag_name)
VALUES
    (1, 'Technical'),
    (2, 'Playback'),
    (3, 'Billing'),
    (4, 'Hacked'),
    (5, 'Account'),
    (6, 'technical'),
    (7, 'HACKED'),
    (8, 'Feature Request'),
    (9, E'Won''t Fix \\ "Later"')
ON CONFLICT DO NOTHING;

INSERT INTO tickets
    (ticket_id, customer_email, agent_id, subject, status, created_at, last_updated_at)
VALUES
    ('TCK-1001', 'john.smith@email.com', 'agent-07', E'Video stutters on "Living Room" TV;\nevery evening', 'closed', '2025-10-02 20:15:00+00:00', '2025-10-04 09:00:00+00:00'),
    ('TCK-1002', 'john.smith@email.com', 'agent-03', 'Charged twice // refund please', 'Closed', '2025-10-11 08:01:02.345678+00:00', '2025-10-13 16:20:00+00:00'),
    ('TCK-1003', 'john.smith@email.com', 'agent-07', E'Can''t play C:\\new\\table', 'open', '2025-10-27 21:40:00+00:00', '2025-10-28 07:30:00+00:00'),
    ('TCK-1004', 'john.smith@email.com', NULL, E'Thanks! \U0001f389', 'open', '2025-11-01 10:00:00+00:00', NULL),
    ('TCK-1005', 'hank.stolen@email.com', 'agent-01', E'Someone is using my account!!! \U0001f631', 'Open', '2025-10-18 06:45:00+00:00', '2025-10-18 07:00:00+00:00'),
    ('TCK-1006', 'holly.hacked@email.com', 'agent-01', 'Login from a country I''ve never been to', 'open', '2025-10-20 12:00:00+00:00', '2025-10-21 12:00:00+00:00'),
    ('TCK-1007', 'harry.hacked@email.com', 'agent-02', 'Password changed -- not by me', 'pending', '2025-10-22 13:10:00+00:00', '2025-10-22 13:11:00+00:00'),
    ('TCK-1008', 'harry.hacked@email.com', 'agent-02', 'Still locked out', 'pending', '2025-10-25 09:09:09+00:00', NULL),
    ('TCK-1009', 'someone.else@email.com', 'agent-01', 'I was hacked but have no account', 'closed', '2025-10-05 05:05:05+00:00', '2025-10-06 06:06:06+00:00'),
    ('TCK-1010', 'John.Smith@Email.com', 'agent-04', 'Same person, another spelling', 'closed', '2025-10-06 18:00:00+00:00', '2025-10-06 18:30:00+00:00'),
    ('TCK-1011', 'mia.rossi@email.com', 'agent-05', E'TV app crashes\r\nafter the update', 'open', '2025-10-30 19:00:00+00:00', '2025-10-31 08:00:00+00:00'),
    ('TCK-1012', 'luca.rossi@email.com', 'agent-05', E'Tab\there, tab\tthere', 'resolved', '2025-10-12 11:00:00+00:00', '2025-10-14 11:00:00+00:00'),
    ('TCK-1013', 'silent.sam@email.com', NULL, 'How do I cancel?', 'open', '2025-10-15 15:00:00+00:00', NULL),
    ('TCK-1014', 'silent.sam@email.com', NULL, 'How do I cancel??', 'open', '2025-10-29 15:00:00+00:00', NULL),
    ('TCK-1015', 'rosa.delgado@email.com', 'agent-03', E'\\N', 'closed', '2025-09-12 10:00:00+00:00', '2025-09-30 10:00:00+00:00'),
    ('TCK-1016', 'hanako.yamada@email.com', 'agent-06', E'\u5b57\u5e55\u304c\u8868\u793a\u3055\u308c\u307e\u305b\u3093', 'Open', '2025-10-08 03:20:00+00:00', '2025-10-09 01:00:00+00:00'),
    ('TCK-1017', 'layla.haddad@email.com', 'agent-06', E'\u0644\u0627 \u064a\u0639\u0645\u0644 \u0627\u0644\u0635\u0648\u062a\u061b \u0633\u0627\u0639\u062f\u0648\u0646\u064a (HELP)', 'open', '2025-10-19 17:17:17+00:00', NULL),
    ('TCK-1018', 'ada.lovelace@email.com', 'agent-04', E'\\u0041 is shown as A; `SELECT 1;`\n/* why? */', 'closed', '2025-10-10 10:10:10+00:00', '2025-10-10 11:11:11+00:00'),
    ('TCK-1019', 'innocent.ina@email.com', 'agent-02', 'Change of address', 'closed', '2025-10-07 07:07:07+00:00', '2025-10-07 08:08:08+00:00'),
    ('TCK-1020', 'max.power@email.com', NULL, NULL, 'pending', '2025-10-26 02:30:00+00:00', NULL),
    ('TCK-1021', NULL, NULL, 'Sent by phone, no address', 'open', '2025-10-16 09:00:00+00:00', NULL),
    ('TCK-1022', 'spam@elsewhere.example', NULL, E'\u202eright to left\u202c, \ufeffmark, \u2028line, nbsp\u00a0', 'spam', '2025-10-17 00:00:00+00:00', NULL),
    ('TCK-1023', 'bobby.tables@email.com', 'agent-06', E'bell\u0007 back\b feed\f vertical\u000b escape\u001b units\u001f\u001e', 'open', '2025-10-24 14:00:00+00:00', '2025-10-24 15:00:00+00:00'),
    (E'TCK\\1024', 'corp.user@email.com', 'agent-04', E'Ends with a backslash\\', 'closed', '2025-10-13 13:13:13+00:00', '2025-10-13 14:14:14+00:00'),
    ('TCK''1025"', 'tab.stop@email.com', 'agent-03', '', 'cancelled', '2025-10-01 00:00:00+00:00', '2025-10-01 00:00:01+00:00')
ON CONFLICT DO NOTHING;

INSERT INTO ticket_tag_link
    (ticket_id, tag_id)
VALUES
    ('TCK-1001', 1),
    ('TCK-1001', 2),
    ('TCK-1002', 3),
    ('TCK-1003', 2),
    ('TCK-1003', 6),
    ('TCK-1003', 9),
    ('TCK-1005', 4),
    ('TCK-1005', 5),
    ('TCK-1006', 7),
    ('TCK-1007', 4),
    ('TCK-1008', 4),
    ('TCK-1008', 5),
    ('TCK-1009', 4),
    ('TCK-1010', 5),
    ('TCK-1011', 1),
    ('TCK-1012', 6),
    ('TCK-1012', 1),
    ('TCK-1013', 3),
    ('TCK-1013', 5),
    ('TCK-1014', 3),
    ('TCK-1015', 8),
    ('TCK-1016', 2),
    ('TCK-1017', 2),
    ('TCK-1017', 1),
    ('TCK-1018', 1),
    ('TCK-1018', 8),
    ('TCK-1019', 5),
    ('TCK-1020', 2),
    ('TCK-1021', 3),
    ('TCK-1023', 1),
    (E'TCK\\1024', 1),
    (E'TCK\\1024', 2),
    (E'TCK\\1024', 5),
    ('TCK''1025"', 3)
ON CONFLICT DO NOTHING;
