CREATE SCHEMA "sch""ema; --";
SET search_path = "sch""ema; --";
CREATE TABLE "ta`ble "" \u0060) DETACH DELETE (n" ("i`d\u0060" integer PRIMARY KEY, "ref '; //" integer, "va""lue $x {y}" text);
INSERT INTO "ta`ble "" \u0060) DETACH DELETE (n"
SELECT i, NULLIF(i - 1, 0), 'v`\u0060''"; // /* ' || E'\n\t\\' || i FROM generate_series(1, 5) AS i;
CREATE TABLE "li/nk..
x" ("a``" integer, "b\\u0060" integer, "w%s" text);
INSERT INTO "li/nk..
x" VALUES (1, 2, '`x'), (2, 3, NULL), (2, 3, '\u0060'), (NULL, 1, 'no');
