CREATE TYPE grade AS ENUM ('A', 'B', 'fail');
CREATE TABLE students (student_no integer PRIMARY KEY, email text, "学号" text, advisor integer);
INSERT INTO students
SELECT i, CASE WHEN i % 6 > 0 THEN 'S' || i % 31 || '@uni.example' END, '学' || i, NULLIF(i % 9, 0) FROM generate_series(1, 50) AS i;

CREATE TABLE "Курсы" (dept varchar(8), number integer, title text, PRIMARY KEY (dept, number));
INSERT INTO "Курсы" SELECT (ARRAY['MATH', 'BIO'])[1 + i % 2], i / 2, 'Курс «' || i || '»' FROM generate_series(1, 24) AS i;

CREATE TABLE lecturers (lecturer_id integer PRIMARY KEY, office text, building smallint);
INSERT INTO lecturers SELECT i, CASE WHEN i % 4 > 0 THEN 'R' || i % 5 END, i % 2 FROM generate_series(1, 14) AS i;

CREATE TABLE rooms (office text, building bigint, seats integer);
INSERT INTO rooms SELECT 'R' || i % 6, i % 2, i FROM generate_series(1, 20) AS i;

CREATE TABLE enrolments (
    student_no integer, dept varchar(8), number integer, term text, grade grade,
    PRIMARY KEY (student_no, dept, number, term)
);
INSERT INTO enrolments
SELECT DISTINCT ON (1, 2, 3, 4) 1 + i % 55, (ARRAY['MATH', 'BIO', 'GONE'])[1 + i % 3], 1 + i % 11, 'T' || i % 2,
    (enum_range(NULL::grade))[1 + i % 3]
FROM generate_series(1, 130) AS i;

CREATE TABLE prerequisites (dept text, number integer, needs_dept text, needs_number integer, strict boolean);
INSERT INTO prerequisites
SELECT 'MATH', i, (ARRAY['MATH', 'BIO'])[1 + i % 2], NULLIF(i - 1, 3), i % 3 = 0 FROM generate_series(1, 14) AS i;

CREATE TABLE nothing_yet (id integer PRIMARY KEY, student_no integer);
CREATE TABLE all_private (secret text, more text);
INSERT INTO all_private VALUES ('x', 'y'), ('z', NULL);
