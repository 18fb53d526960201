CREATE SCHEMA "Lab Data";
SET search_path = "Lab Data";
-- The same table name as in the clinic, numbers that collide with its, and another name for the key.
CREATE TABLE patients (id integer PRIMARY KEY, ssn varchar(20), mrn text, "Nick""name" text);
INSERT INTO patients
SELECT i, CASE WHEN i % 3 > 0 THEN 'ssn-' || i % 25 END, 'x' || i, 'nick`\u0060' || i FROM generate_series(1, 30) AS i;

CREATE TABLE results (
    result_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id integer,
    patient_ssn text,
    reading numeric(30, 10),
    "sampledAt" timestamp,
    parts integer[]
);
INSERT INTO results (patient_id, patient_ssn, reading, "sampledAt", parts)
SELECT 1 + i % 35, CASE WHEN i % 7 > 0 THEN 'ssn-' || i % 28 END, i / 7.0, timestamp '2025-03-30 01:30' + i * interval '11 minutes',
    ARRAY[i, i * 2]
FROM generate_series(1, 70) AS i;
