INSERT INTO source_databases (source_id, source_name, db_name, db_schema) VALUES
    (1, 'clinic', 'clinic', 'public'), (2, 'lab', 'lab', 'Lab Data');

INSERT INTO field_exclusion_rules (source_id, table_name, column_name, reason, treatment) VALUES
    (1, 'patients', 'secret_note', 'confidential', 'exclude'),
    (1, 'Patients', 'SSN', 'joined by, never read', 'hash'),
    (1, 'patients', 'phone', 'the end is enough', 'mask'),
    (2, 'patients', 'ssn', 'as in the clinic', 'hash'),
    (2, 'results', 'patient_ssn', 'as in the clinic', 'hash');

-- One row for `patients` in whichever source: both feed one label.
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES
    (NULL, 'patients', 'Patient'), (1, 'Ward', 'Ward'), (1, 'staff', 'Staff'), (1, 'admissions', 'Admission'),
    (1, 'open admissions', 'OpenAdmission'), (2, 'results', 'Result');

INSERT INTO relationship_mappings
    (execution_order, source_db, relationship_type, from_label, to_label, join_condition, junction_table, from_alias, to_alias)
VALUES
    (10, 'clinic', 'REPORTS_TO', 'Staff', 'Staff', 's.boss_id = b.staff_id', NULL, 's', 'b'),
    (20, 'clinic', 'MENTORED_BY', 'Staff', 'Staff', 's.mentor_id = m.staff_id', NULL, NULL, 'm'),
    (30, 'clinic', 'WORKS_IN', 'Staff', 'Ward', 's.ward = w.code', NULL, NULL, NULL),
    (30, 'clinic', 'LEADS', 'Staff', 'Ward', 's.name = w."Head Nurse"', NULL, NULL, NULL),
    (40, 'clinic', 'HAD', 'Patient', 'Admission', 'patients.mrn = a.mrn', NULL, NULL, NULL),
    (50, 'clinic', 'SHARED_BED_WITH', 'Admission', 'Admission', 'a.ward = b.ward AND a.bed = b.bed', NULL, NULL, NULL),
    (60, 'clinic', 'TREATS', 'Staff', 'Patient', 's.staff_id = t.staff_id AND t.mrn = p.mrn', 'treats', NULL, NULL),
    (70, 'clinic', 'IS_OPEN_FOR', 'OpenAdmission', 'Patient', 'openadm.mrn = patient.mrn', NULL, NULL, NULL),
    (80, 'lab', 'GAVE', 'Patient', 'Result', 'p.id = r.patient_id', NULL, NULL, NULL),
    (90, 'cross_database', 'MAY_BE_OF', 'Result', 'Patient', 'r.patient_ssn = p.ssn', NULL, NULL, NULL),
    (5, 'cross_database', 'MAY_BE', 'Patient', 'Patient', 'a.ssn = b.ssn', NULL, NULL, NULL);
