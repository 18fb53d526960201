CREATE TYPE blood AS ENUM ('A+', 'O-', 'it''s "rare"');
CREATE TABLE patients (
    mrn integer PRIMARY KEY,
    name text NOT NULL,
    born date,
    blood_group blood,
    allergies text[],
    insurance jsonb,
    ssn text,
    phone text,
    secret_note text
);
INSERT INTO patients
SELECT i, 'Patient ' || i || E' \\ "x"\n', date '1950-01-01' + i * 97,
    (enum_range(NULL::blood))[1 + i % 3], CASE WHEN i % 4 > 0 THEN (ARRAY['nuts', '', NULL, 'a,b'])[1:i % 4 + 1] END,
    jsonb_build_object('plan', i % 3, 'tags', jsonb_build_array(i, NULL)),
    CASE WHEN i % 5 > 0 THEN 'ssn-' || i % 30 END, '+49 30 ' || 1000 + i, 'never seen ' || i
FROM generate_series(1, 40) AS i;

CREATE TABLE "Ward" (code char(4) PRIMARY KEY, "Floor" integer, "Head Nurse" text);
INSERT INTO "Ward" VALUES ('icu', 1, 'Staff 3'), ('er', 0, 'Staff 3'), ('long', 2, NULL), ('old', 9, 'nobody');

CREATE TABLE staff (
    staff_id integer PRIMARY KEY,
    name text NOT NULL,
    boss_id integer REFERENCES staff,
    mentor_id integer REFERENCES staff,
    ward char(4)
);
INSERT INTO staff
SELECT i, 'Staff ' || i, NULLIF(i / 3, 0), CASE WHEN i % 4 = 0 THEN 1 + i / 2 END,
    (ARRAY['icu', 'er', 'long', 'gone', NULL])[1 + i % 5]
FROM generate_series(1, 25) AS i;

CREATE TABLE admissions (
    mrn integer NOT NULL,
    admitted_at timestamptz NOT NULL,
    ward char(4),
    bed integer,
    PRIMARY KEY (mrn, admitted_at)
);
INSERT INTO admissions
SELECT 1 + i % 45, timestamptz '2025-01-01 00:00+00' + i * interval '7 hours', (ARRAY['icu', 'er', NULL])[1 + i % 3], i % 6
FROM generate_series(1, 90) AS i;

-- Neither key nor label: the same pair may stand here twice.
CREATE TABLE treats (staff_id integer, mrn integer, duty text, since date);
INSERT INTO treats
SELECT CASE WHEN i % 11 > 0 THEN 1 + i % 28 END, 1 + i % 43, CASE WHEN i % 2 = 0 THEN E'duty\t' || i END, date '2024-02-29' + i
FROM generate_series(1, 60) AS i;
INSERT INTO treats SELECT * FROM treats LIMIT 10;

CREATE VIEW "open admissions" AS SELECT mrn, bed, ward FROM admissions WHERE bed > 3;
