INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'registry', 'registry'), (2, 'library', 'library');

INSERT INTO field_exclusion_rules (source_id, table_name, column_name) VALUES
    (1, 'all_private', 'secret'), (1, 'all_private', 'more'), (2, 'students', 'email');

-- Of two tables of one name each has a label of its own.
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (NULL, 'students', 'Student'), (2, 'students', 'LibraryCard'), (1, 'Курсы', 'Курс'), (1, 'lecturers', 'Lecturer'),
    (1, 'rooms', 'Room'), (1, 'enrolments', 'Enrolment'), (1, 'nothing_yet', 'Nothing'), (1, 'all_private', 'Private'),
    (2, 'loans', 'Loan');

INSERT INTO relationship_mappings
    (source_db, relationship_type, from_label, to_label, join_condition, junction_table, junction_label, from_alias, to_alias, junction_alias)
VALUES
    ('registry', 'ENROLLED_IN', 'Student', 'Курс', 's.student_no = e.student_no AND e.dept = c.dept AND e.number = c.number',
     'enrolments', 'Enrolment', NULL, NULL, NULL),
    ('registry', 'REQUIRES', 'Курс', 'Курс',
     'c.dept = p.dept AND c.number = p.number AND p.needs_dept = n.dept AND p.needs_number = n.number',
     'prerequisites', NULL, 'c', 'n', 'p'),
    ('registry', 'SITS_IN', 'Lecturer', 'Room', 'l.office = r.office AND l.building = r.building', NULL, NULL, NULL, NULL, NULL),
    ('registry', 'SHARES_OFFICE', 'Lecturer', 'Lecturer', 'a.office = b.office', NULL, NULL, NULL, NULL, NULL),
    ('registry', 'ADVISED_BY', 'Student', 'Lecturer', 's.advisor = l.lecturer_id', NULL, NULL, NULL, NULL, NULL),
    ('registry', 'PLANNED', 'Nothing', 'Student', 'n.student_no = s.student_no', NULL, NULL, 'n', NULL, NULL),
    ('library', 'BORROWED', 'Student', 'Loan', 's.email = l.member_email', NULL, NULL, NULL, NULL, NULL),
    ('библиотека', 'ЧИТАЛ', 'Student', 'Loan', 's.email = l.member_email', NULL, NULL, NULL, NULL, NULL);
