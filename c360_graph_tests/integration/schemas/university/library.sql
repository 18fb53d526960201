CREATE TABLE loans (loan_id bigint PRIMARY KEY, member_email varchar(60), member_no text, due timestamptz);
INSERT INTO loans
SELECT i, CASE WHEN i % 4 > 0 THEN 'S' || i % 33 || '@uni.example' END, i % 50,
    timestamptz '2025-10-26 00:30+02' + i * interval '1 hour'
FROM generate_series(1, 64) AS i;
CREATE TABLE students (card text PRIMARY KEY, email text);
INSERT INTO students SELECT 'card' || i, 'S' || i || '@uni.example' FROM generate_series(1, 9) AS i;
